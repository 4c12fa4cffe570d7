package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// build verifies one list of a partner at a time, since while it is built it is in memory twice.
func (c *Checker) build(ctx context.Context, der []byte, by *partner, of *authority) (*evidence.CRL, error) {
	return by.hand.build(ctx, func() (*evidence.CRL, error) {
		return evidence.ParseCRL(der, of.cert(), c.listTerms(of, c.config.Now()))
	})
}

// mayReplace is rule C9. A list of another scope does not take the place of one that counts
// ([ErrCRLScope]); one whose time has not come takes none. One that has run out, or that a
// wrong clock has let in, keeps none out that counts.
func (c *Checker) mayReplace(old, next evidence.Edition, now time.Time) error {
	if err := next.Begun(now, c.skew); err != nil {
		return err
	}
	if err := old.CheckNewer(next); err != nil && (old.Current(now, c.skew) == nil || next.Current(now, c.skew) != nil) {
		return err
	}
	return nil
}

// notOver refuses a list that has run out: it is kept for what it says against
// certificates, and another is needed.
func (c *Checker) notOver(l *evidence.CRL, now time.Time) error {
	return l.Edition().Current(now, c.skew)
}

// softOf is when to fetch the list again. What the server says can only make it sooner.
func (c *Checker) softOf(l evidence.Edition, now time.Time, maxAge time.Duration) time.Time {
	soft := now.Add(maxSoftCRL)
	if next := l.NextUpdate; !next.IsZero() {
		soft = softDeadline(l.ThisUpdate, next, now, maxSoftCRL, jitterOf(c.table.seed, l.ThisUpdate.String()))
	}
	if maxAge > 0 {
		soft = earliest(soft, now.Add(max(maxAge, minSoft)))
	}
	return soft
}

// withDelta completes the list by its delta (RFC 5280, section 5.2.6), if it names one and
// that can be had; else by the delta of the list before it, which may know of revocations
// that are nowhere else.
func (c *Checker) withDelta(
	ctx context.Context, base *evidence.CRL, before *loadedList, by *partner, of *authority, also deltaPlaces,
) (crl *evidence.CRL, missing bool) {
	if !c.wantsDelta(base, also) {
		return base, false
	}
	if before != nil {
		base = withDeltaOf(base, before.crl)
	}
	if c.config.IgnoreCertificateURLs {
		return base, true
	}
	urls := append(base.FreshestURLs(), also.urls...)
	urls = urls[:min(len(urls), maxDeltaURLs)]
	if len(urls) == 0 {
		c.write(ctx, slog.LevelWarn, "revocation: a CRL has delta CRLs that cannot be fetched, and counts without them; their place is no http URL",
			slog.String("crl", base.Signer()))
	}
	for i, url := range urls {
		if slices.Contains(urls[:i], url) {
			continue
		}
		merged := base
		isOver := false
		err := c.get(ctx, by, Request{Kind: fetch.CRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)},
			func(response *inHand) (Result, error) {
				next, err := by.hand.build(ctx, func() (*evidence.CRL, error) {
					return base.WithDelta(response.Body, of.cert(), c.listTerms(of, c.config.Now()))
				})
				if err != nil {
					isOver = errors.Is(err, evidence.ErrRollback) && c.deltaIsOver(response.Body)
					return Result{}, err
				}
				merged = next
				return Result{Status: Good, ThisUpdate: next.ThisUpdate(), NextUpdate: next.NextUpdate()}, nil
			})
		if err == nil {
			return merged, false
		}
		if errors.Is(err, evidence.ErrRollback) { // the list itself knows all that the delta does
			return merged, base.Delta() == nil && isOver
		}
	}
	return base, base.Delta() == nil || c.notOver(base, c.config.Now()) != nil
}

func (c *Checker) wantsDelta(base *evidence.CRL, also deltaPlaces) bool {
	return !c.config.IgnoreDeltas && (base.NamesDelta() || also.named)
}

// deltaIsOver reports whether a delta has run out: another one is there then, and who hands
// out this one keeps it from us.
func (c *Checker) deltaIsOver(body []byte) bool {
	there, err := evidence.Look(body)
	return err != nil || there.Edition.IsOver(c.config.Now(), c.skew)
}

// withDeltaOf lays the delta of another list over this one, if it continues this one too.
func withDeltaOf(l, other *evidence.CRL) *evidence.CRL {
	if other == nil || other.Delta() == nil {
		return l
	}
	if merged, err := l.With(other.Delta()); err == nil {
		return merged
	}
	return l
}

// inRoom makes room for a list and puts it there, in one step: of several that come at the same
// time each counts those before it.
func (c *Checker) inRoom(size int, asking *remoteList, by *partner, put func()) error {
	c.room.Lock()
	defer c.room.Unlock()
	if err := c.makeRoom(size, asking, by, c.config.Now()); err != nil {
		return err
	}
	put()
	c.generation.Add(1)
	return nil
}

// makeRoom unloads lists until the new one fits: those that nobody asked for lately, then those
// of the partner that holds most, if that is more than the partner that asks would hold.
func (c *Checker) makeRoom(size int, asking *remoteList, by *partner, now time.Time) error {
	lists := c.remote.snapshot()
	held := c.local.size()
	shares := map[*partner]int{}
	for _, l := range lists {
		if known := l.current.Load(); known != nil && l != asking {
			held += known.crl.Size()
			shares[l.partner.Load()] += known.crl.Size()
		}
	}
	unload := func(l *remoteList) {
		if known := l.current.Load(); known != nil && c.remote.unload(l, known) {
			c.generation.Add(1)
			held -= known.crl.Size()
			shares[l.partner.Load()] -= known.crl.Size()
			c.stats.listsUnloaded.Add(1)
		}
	}
	for _, l := range lists {
		if held+size <= c.config.MaxListMemory {
			return nil
		}
		if l != asking && now.Sub(time.Unix(l.used.Load(), 0)) >= unusedFor {
			unload(l)
		}
	}
	for _, l := range lists {
		if held+size <= c.config.MaxListMemory {
			return nil
		}
		if l != asking && l.partner.Load() != by && isLargest(shares, l.partner.Load()) && shares[l.partner.Load()] > shares[by]+size {
			unload(l)
		}
	}
	if held+size > c.config.MaxListMemory {
		return fmt.Errorf("%w: %d bytes held, %d more wanted, %d allowed", ErrBudget, held, size, c.config.MaxListMemory)
	}
	return nil
}

func isLargest(shares map[*partner]int, one *partner) bool {
	for _, share := range shares {
		if share > shares[one] {
			return false
		}
	}
	return true
}
