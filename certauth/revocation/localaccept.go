package revocation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// accept verifies a list or delta of the operator and puts it in its place. If the list before it
// has another scope, that one still counts until it expires. A list counts before its delta is
// fetched. Which list a delta continues is decided at each look-up, because that list may arrive
// later, from another entry of Config.Lists or from a certificate.
func (m *localLists) accept(ctx context.Context, s *localSource, l *localList, response *inHand) error {
	c := m.checker
	next, err := m.verify(ctx, response.Body)
	if err != nil {
		return err
	}
	next.url, next.etag, next.lastModified = s.list.URL, response.ETag, response.LastModified
	response.drop()
	if err := m.put(s, l, next, response.MaxAge); err != nil || next.lone != nil {
		return err
	}
	if c.wantsDelta(next.base, &l.place) && !c.config.IgnoreCertificateURLs {
		if s.list.URL == "" {
			m.mu.Lock()
			defer m.mu.Unlock()
			l.deltaDue = c.config.Now()
			return nil
		}
		m.swap(ctx)
	}
	return m.refine(ctx, l)
}

// put lets a list count if it may replace the one before it.
func (m *localLists) put(s *localSource, l *localList, next *loadedList, maxAge time.Duration) error {
	c := m.checker
	m.mu.Lock()
	defer m.mu.Unlock()
	now, before := c.config.Now(), l.current.Load()
	aside := before != nil && (before.lone != nil) != (next.lone != nil)
	// Another CA may have the same name, and another key of the CA, with numbers of its own.
	isOther := before != nil && slices.ContainsFunc(before.by, func(known *authority) bool { return !slices.Contains(next.by, known) })
	switch {
	case next.edition().CheckBegun(now, c.skew) != nil:
		return next.edition().CheckBegun(now, c.skew)
	case m.view.Load().hasLike(next) && errors.Is(c.silence(next.edition(), now), errRevokedSigner):
		return errRevokedSigner // what the other one says against certificates still counts
	case before == nil || aside:
	case next.lone != nil:
		if !isOther && errors.Is(c.mayReplace(before.edition(), next.edition(), now), evidence.ErrRollback) {
			return evidence.ErrRollback
		}
		aside = !before.isReplacedBy(next) && before.edition().Current(now, c.skew) == nil
	default:
		err := c.mayReplace(before.edition(), next.edition(), now)
		aside = errors.Is(err, ErrCRLScope) || errors.Is(err, ErrCRLIssuer) || isOther && (err == nil || errors.Is(err, evidence.ErrRollback))
		if err != nil && !aside {
			return err
		}
		next.crl = withDeltaOf(next.base, before.crl)
	}
	whole := next.edition()
	if next.lone == nil {
		whole = next.crl.Edition()
	}
	next.fetched, next.soft = now, c.softOf(whole, now, maxAge)
	if s.list.URL == "" { // a file is read again only when it changes
		next.soft = time.Time{}
	}
	switch {
	case aside:
		if err := m.setAside(s, l, next); err != nil {
			return err
		}
	case before != nil:
		next = c.ofTwo(next, before, now)
	}
	l.told, l.deltaDue = false, time.Time{}
	return c.lists.put(&l.place, next, nil)
}

func (m *localLists) refine(ctx context.Context, l *localList) error {
	held := l.current.Load()
	if held == nil || held.lone != nil { // set aside meanwhile
		return nil
	}
	c := m.checker
	err := c.refine(ctx, &l.place, held)
	m.mu.Lock()
	defer m.mu.Unlock()
	if list := l.current.Load(); held.url == "" && list != nil && list.lone == nil && list.base == held.base { // still in the file
		l.deltaDue = c.softOf(list.crl.Edition(), c.config.Now(), 0)
		if err != nil { // no room for the delta
			l.deltaDue = c.config.Now()
		}
	}
	return err
}

// incomplete returns the lists of a file or directory whose deltas are due.
func (m *localLists) incomplete(s *localSource) (lists []*localList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, anew := m.checker.config.Now(), m.anew.Load()
	for _, l := range s.lists {
		if !l.deltaDue.IsZero() && (s.asked < anew || hasCome(l.deltaDue, now, maxSoftCRL)) {
			lists = append(lists, l)
		}
	}
	s.asked = anew
	return lists
}

// complete fetches the deltas of files concurrently, because they may belong to several partners.
func (m *localLists) complete(ctx context.Context, lists []*localList) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	failed := make([]error, len(lists))
	var all sync.WaitGroup
	for i, l := range lists {
		all.Go(func() {
			failed[i] = guarded(func() error { return m.refine(ctx, l) })
			m.swap(ctx)
		})
	}
	all.Wait()
	err := errors.Join(failed...)
	if err != nil {
		m.checker.complainOnce(ctx, unreadable, err)
	}
	return err
}

// verify returns the list with the CAs among Issuers to which it belongs: the one that signed it, or
// several of its name if one of Verify.CRLIssuers signs for all of them. Its other signers do not count here: a
// CA that signs its lists with another key is among Issuers with both, and listsOf finds the lists
// of either. A list that belonged to a CA by another signer would displace the list of that CA's own key.
func (m *localLists) verify(ctx context.Context, content []byte) (*loadedList, error) {
	there, isDelta, err := evidence.ReadEdition(content)
	if err != nil {
		return nil, err
	}
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, dn.Quote(there.Issuer()))
	var next *loadedList
	for _, issuer := range m.issuers {
		if !dn.Match(there.Issuer(), issuer.cert().RawSubject) {
			continue
		}
		one := &loadedList{}
		one.base, err = m.checker.partners.operator.build(ctx, func() (crl *evidence.CRL, err error) {
			terms := m.checker.terms(m.checker.config.Now())
			if isDelta {
				one.lone, err = evidence.ParseDelta(content, issuer.cert(), terms)
				return nil, err
			}
			return evidence.ParseCRL(content, issuer.cert(), terms)
		})
		if err != nil {
			failed = err
			continue
		}
		one.crl = one.base
		if next == nil {
			next = one
		}
		next.by = append(next.by, issuer)
	}
	if next == nil {
		return nil, failed
	}
	return next, nil
}

// setAside keeps the previous contents of a file that now holds a list of another kind. Like those
// of a deleted file, they count until they are replaced or expire. What is set aside of one file or
// URL, apart from what next replaces, is one list of any size, or several within a quarter of
// MaxListBytes. Otherwise a writer of the file could use up the memory for all lists.
func (m *localLists) setAside(s *localSource, l *localList, next *loadedList) error {
	held, size := 0, l.current.Load().size()
	for _, other := range s.lists {
		known := other.current.Load()
		if other != l && other.name == l.name && known != nil && !known.isReplacedBy(next) {
			held += known.size()
		}
	}
	if most := m.checker.config.MaxListBytes / 4; held > 0 && held+size > most {
		return fmt.Errorf("%w: the scope of the list has changed again while earlier lists still count: %d bytes, more than %d",
			ErrBudget, held+size, most)
	}
	aside := &localList{place: place{operated: true}, name: l.name, told: true, gone: true}
	m.checker.lists.move(&l.place, &aside.place)
	s.lists[fmt.Sprintf("%s, list %d", l.name, m.checker.generation.Add(1))] = aside
	return nil
}
