package revocation

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// claimMargin is how far the clocks of instances may differ. It is also how long one may take
// from looking at a lease to replacing it.
const claimMargin = time.Minute

// Lease reports whether the caller is the one to fetch. Among instances whose clocks agree
// within a minute one is granted the lease of a key that is free, and never two. A ttl that is not
// positive is [ErrArgument]: such a lease would mean nothing. release may be called again,
// and after the ttl; it never ends the lease of another. If ctx ends while the lease is
// being taken, it is given back.
//
// Two instances that are granted the same lease all the same, because a clock is wrong or
// somebody removed files, fetch twice; nothing else depends on it. A process that dies within
// the moment in which it takes a lease leaves that key without leases for up to 12 minutes.
func (s *DirectoryStore) Lease(ctx context.Context, key string, ttl time.Duration) (release func(context.Context), granted bool, err error) {
	if err := s.check(key); err != nil {
		return nil, false, err
	}
	if ttl <= 0 {
		return nil, false, fmt.Errorf("%w: directory store: lease for %v, want more than nothing", ErrArgument, ttl)
	}
	hash := hashName(key)
	var mine []byte
	var failed error
	err = s.beside(ctx, func() { mine, failed = s.takeLease(hash, ttl) }, func(heard bool) {
		if !heard && mine != nil {
			_ = s.endLease(hash, mine) // else it ends with its ttl
		}
		s.clean()
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, false, directoryError(err)
	}
	if mine == nil {
		return nil, false, nil
	}
	return func(ctx context.Context) {
		_ = s.beside(ctx, func() { _ = s.endLease(hash, mine) }, nil) // else it ends with its ttl
	}, true, nil
}

// takeLease returns the lease that it took, or nil if another has it.
func (s *DirectoryStore) takeLease(hash string, ttl time.Duration) ([]byte, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	began := s.now()
	old, err := readLease(root, hash)
	if err != nil || leaseHolds(old, began) {
		return nil, err
	}
	mine := newLease(began, began.Add(ttl))
	replaced, err := s.replaceLease(root, hash, old, mine, began)
	if !replaced {
		return nil, err
	}
	return mine, nil
}

// endLease puts one that has ended in the place of the lease, if that is still there.
func (s *DirectoryStore) endLease(hash string, mine []byte) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	began := s.now()
	current, err := readLease(root, hash)
	if err != nil || !bytes.Equal(current, mine) {
		return err
	}
	_, err = s.replaceLease(root, hash, mine, newLease(began, began), began)
	return err
}

// replaceLease puts next in the place of old, or removes old if next is nil. It reports
// whether the caller was the one to do it.
//
// Only one can: it has to create the claims on old, files named for the content of old, and
// a file is created exclusively once. The content of a lease is random in part, so it never
// comes back, and who read old before it was replaced comes too late for ever. Claims carry
// the time in their names, so that they can be removed, and so that one whose maker died
// before it replaced the lease is in the way only until the next period. A caller needs
// the claims of all periods within the margin around its beginning, in order. Two callers who
// can have seen the same lease begin less than two margins apart, by clocks that differ less
// than one, so that there is a period whose claim both need.
func (s *DirectoryStore) replaceLease(root *os.Root, hash string, old, next []byte, began time.Time) (bool, error) {
	for period := periodOf(began.Add(-claimMargin)); period <= periodOf(began.Add(claimMargin)); period++ {
		err := writeNew(root, claimName(hash, old, period), nil)
		if errors.Is(err, fs.ErrExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if took := s.now().Sub(began); took < 0 || took > claimMargin {
		return false, nil // it was held up, and its claims may be void
	}
	if next == nil {
		return true, root.Remove(leaseName(hash))
	}
	err := replaceFile(root, leaseName(hash), began, next)
	return err == nil, err
}

func claimName(hash string, lease []byte, period int64) string {
	state := hash + " free"
	if lease != nil { // an empty file is not the same as none
		state = hash + " lease " + string(lease)
	}
	return periodName(hashName(state), period, claimSuffix)
}

// newLease is the content of a lease file: from when, until when, and a text that makes it
// different from every other.
func newLease(from, until time.Time) []byte {
	return fmt.Appendf(nil, "%s %d %d %s\n", leaseMagic, from.UnixNano(), until.UnixNano(), rand.Text())
}

// leaseTimes returns zero times for what is no lease.
func leaseTimes(lease []byte) (from, until time.Time) {
	fields := strings.Split(string(bytes.TrimSuffix(lease, []byte("\n"))), " ")
	if len(fields) != 4 || fields[0] != leaseMagic {
		return time.Time{}, time.Time{}
	}
	start, errStart := strconv.ParseInt(fields[1], 10, 64)
	end, errEnd := strconv.ParseInt(fields[2], 10, 64)
	if errors.Join(errStart, errEnd) != nil {
		return time.Time{}, time.Time{}
	}
	return time.Unix(0, start), time.Unix(0, end)
}

// leaseHolds reports whether somebody has the lease. One that begins in the future was made
// by a clock that was wrong, and would hold until then.
func leaseHolds(lease []byte, now time.Time) bool {
	from, until := leaseTimes(lease)
	return now.Before(until) && now.After(from.Add(-claimMargin))
}

// readLease returns nil if there is none. What is no lease is returned as it stands, cut.
func readLease(root *os.Root, hash string) ([]byte, error) {
	file, _, err := openRegular(root, leaseName(hash))
	if file == nil {
		return nil, err
	}
	defer file.Close()
	return readHead(file)
}
