package revocation

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// mayReplace is rule C9, for a list that is not from the future. A list of another scope does not
// replace a current one ([ErrCRLScope]). A list that has expired, or that a wrong clock let in, does
// not keep out a current one.
func (c *Checker) mayReplace(old, next evidence.Edition, now time.Time) error {
	if err := old.CheckNewer(next); err != nil && (old.Current(now, c.skew) == nil || next.Current(now, c.skew) != nil) {
		return err
	}
	return nil
}

// ofTwo returns the newer of two lists or deltas or, if only that has expired, the older one in its place. It
// keeps of the other one what must not be lost.
func (c *Checker) ofTwo(newer, older *loadedList, now time.Time) *loadedList {
	next, other := *newer, older
	if newer.edition().Current(now, c.skew) != nil && older.edition().Current(now, c.skew) == nil {
		next, other = *older, newer
	}
	next.replace(other)
	return &next
}

// tooOldAt returns when a list is too old for CA or for end-entity certificates, zero if it never is.
func (c *Checker) tooOldAt(thisUpdate time.Time, isCA bool) time.Time {
	limit := cmp.Or(c.config.Verify.MaxAge, evidence.DefaultMaxAgeCRL)
	if isCA {
		limit = cmp.Or(c.config.Verify.MaxAgeCA, evidence.DefaultMaxAgeCA)
	}
	if limit < 0 {
		return time.Time{}
	}
	return thisUpdate.Add(limit)
}

// softOf returns when to fetch the list again: before it ends by its nextUpdate, or by its age for
// end-entity certificates. After that it is for CA certificates, or the CA is late, for which an hour is
// allowed. The server's Cache-Control can only make it sooner.
func (c *Checker) softOf(l evidence.Edition, now time.Time, maxAge time.Duration) time.Time {
	soft, ends := now.Add(maxSoftCRL), l.NextUpdate
	if tooOld := c.tooOldAt(l.ThisUpdate, false); now.Before(tooOld.Add(maxSoftOCSP)) {
		ends = earliest(ends, tooOld)
	}
	if !ends.IsZero() {
		soft = softDeadline(l.ThisUpdate, ends, now, maxSoftCRL, jitterOf(c.table.seed, l.ThisUpdate.String()))
	}
	if maxAge > 0 {
		soft = earliest(soft, now.Add(max(maxAge, minSoft)))
	}
	return soft
}

// withDelta adds the list's delta (RFC 5280, section 5.2.6), if the list names one that can be
// fetched. Otherwise it adds the delta of the previous list, which may contain revocations that no
// other list has.
func (c *Checker) withDelta(ctx context.Context, p *place, held *loadedList) (crl *evidence.CRL, missing bool) {
	if !c.wantsDelta(held.base, p) {
		return held.crl, false
	}
	base, of, now := withDeltaOf(held.base, held.crl), held.by[0], c.config.Now()
	mute := c.whySilent(held.edition(), of, now)
	if p.operated {
		mute = c.silence(held.edition(), now)
	}
	if c.config.IgnoreCertificateURLs || errors.Is(mute, errRevokedSigner) {
		return base, true
	}
	urls := append(base.FreshestURLs(), p.deltas...)
	urls = urls[:min(len(urls), maxDeltaURLs)]
	if len(urls) == 0 {
		c.write(ctx, slog.LevelWarn, "revocation: a CRL names delta CRLs that cannot be fetched, because none has an http URL; it is used without them",
			slog.String("crl", base.Signer()))
	}
	for i, url := range urls {
		if slices.Contains(urls[:i], url) {
			continue
		}
		merged, missing := base, false
		err := c.get(ctx, p.partner, c.listRequest(url, nil), func(response *inHand) (Result, error) {
			next, err := p.partner.budget.build(ctx, func() (*evidence.CRL, error) {
				return base.WithDelta(response.Body, of.cert(), c.listTerms(of, c.config.Now()))
			})
			if err != nil {
				// One that has expired is not the newest: the server withholds that.
				there, _, unreadable := evidence.ReadEdition(response.Body)
				missing = base.Delta() == nil && (unreadable != nil || there.IsOver(c.config.Now(), c.skew))
				return Result{}, err
			}
			merged = next
			return Result{Status: Good, ThisUpdate: next.ThisUpdate(), NextUpdate: next.NextUpdate()}, nil
		})
		if err == nil || errors.Is(err, evidence.ErrRollback) { // the list already contains the delta
			return merged, missing
		}
	}
	return base, isIncomplete(base, c.config.Now(), c.skew)
}

// isIncomplete reports whether a list that names a delta has no current one.
func isIncomplete(l *evidence.CRL, now time.Time, skew time.Duration) bool {
	return l.Delta() == nil || l.Edition().Current(now, skew) != nil
}

func (c *Checker) wantsDelta(base *evidence.CRL, p *place) bool {
	return !c.config.IgnoreDeltas && (base.NamesDelta() || p.namesDelta)
}

// withDeltaOf adds the delta of another list, if it continues this list, too.
func withDeltaOf(l, other *evidence.CRL) *evidence.CRL {
	if other == nil || other.Delta() == nil {
		return l
	}
	if merged, err := l.With(other.Delta()); err == nil {
		return merged
	}
	return l
}
