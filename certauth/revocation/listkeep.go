package revocation

import (
	"context"
	"errors"
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
func (c *Checker) withDelta(ctx context.Context, base *evidence.CRL, before *loadedList, from source) (crl *evidence.CRL, missing bool) {
	if !c.wantsDelta(base, from.deltas) {
		return base, false
	}
	if before != nil {
		base = withDeltaOf(base, before.crl)
	}
	if c.config.IgnoreCertificateURLs {
		return base, true
	}
	urls := append(base.FreshestURLs(), from.deltas.urls...)
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
		err := c.get(ctx, from.by, Request{Kind: fetch.CRL, Method: http.MethodGet, URL: url, MaxBytes: int64(c.config.MaxListBytes)},
			func(response *inHand) (Result, error) {
				next, err := from.by.hand.build(ctx, func() (*evidence.CRL, error) {
					return base.WithDelta(response.Body, from.of.cert(), c.listTerms(from.of, c.config.Now()))
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
	return base, isIncomplete(base, c.config.Now(), c.skew)
}

// isIncomplete reports whether a list that names a delta has none that counts.
func isIncomplete(l *evidence.CRL, now time.Time, skew time.Duration) bool {
	return l.Delta() == nil || l.Edition().Current(now, skew) != nil
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
