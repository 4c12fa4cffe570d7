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

// keepsOut is rule C9: a list keeps out an older one of its scope. One that has expired, or that a wrong clock let in,
// does not keep out a current one.
func (c *Checker) keepsOut(old, next evidence.Edition, now time.Time) bool {
	return errors.Is(old.CheckNewer(next), evidence.ErrRollback) && (old.Current(now, c.skew) == nil || next.Current(now, c.skew) != nil)
}

// admit returns why a list may not be put in a place. mute is why its key proves nothing now; a revoked key adds nothing
// to what others say. If the list may be put there, it gets the delta of the one before it.
func (c *Checker) admit(p *place, next *loadedList, mute error, hasOthers bool) error {
	now, scope := c.config.Now(), next.scope()
	if err := next.edition().CheckBegun(now, c.skew); err != nil {
		return err
	}
	if hasOthers && errors.Is(mute, errRevokedSigner) {
		return mute
	}
	known := p.of(scope)
	editions := make([]evidence.Edition, 0, 1)
	for _, old := range known {
		editions = append(editions, old.edition())
	}
	if seen := p.newest.Load(); seen != nil && len(known) == 0 && mute == nil {
		editions = append(editions, (*seen)[scope])
	}
	if slices.ContainsFunc(editions, func(old evidence.Edition) bool { return c.keepsOut(old, next.edition(), now) }) {
		return evidence.ErrRollback
	}
	if len(known) > 0 && next.lone == nil {
		next.crl = withDeltaOf(next.base, known[0].crl)
	}
	return nil
}

// replaces reports whether nothing is lost if next replaces another list: both have one scope, next is not older, and
// counts now if the other one does. Two different lists of one edition, which a CA must not make (RFC 5280, section
// 5.2.3), both count, so that their order decides nothing. A list from the future neither replaces nor is replaced.
func (c *Checker) replaces(next, old *loadedList, now time.Time) bool {
	counts := func(e evidence.Edition) bool { return e.Current(now, c.skew) == nil }
	isAhead := func(l *loadedList) bool { return l.edition().CheckBegun(now, c.skew) != nil }
	switch {
	case next.scope() != old.scope(), isAhead(next), isAhead(old), counts(old.edition()) && !counts(next.edition()):
		return false
	case next.lone != nil:
		return next.lone.Replaces(old.lone)
	}
	if ours, theirs := next.crl.Delta(), old.crl.Delta(); ours != nil && theirs != nil && counts(theirs.Edition()) && !counts(ours.Edition()) {
		return false
	}
	follows := old.base.CheckNewer(next.base) == nil && old.crl.CheckNewer(next.crl) == nil
	precedes := next.base.CheckNewer(old.base) == nil && next.crl.CheckNewer(old.crl) == nil
	return follows && (!precedes || old.crl.Equal(next.crl))
}

// merge adds a list to others, without those that it replaces, unless one of them replaces it.
func (c *Checker) merge(lists []*loadedList, next *loadedList, now time.Time) []*loadedList {
	kept := slices.DeleteFunc(slices.Clone(lists), func(old *loadedList) bool { return c.replaces(next, old, now) })
	if slices.ContainsFunc(kept, func(old *loadedList) bool { return c.replaces(old, next, now) }) {
		return kept
	}
	return append(kept, next)
}

// with returns the lists of a place when one more has arrived. That is the first, which is renewed, unless it has expired
// and an older one of its scope has not. Of the others, those of another scope count until they expire, so that a list
// for some reasons, or by another key, does not clear those whom they revoke, and those that have expired still accuse
// until there is a newer one that counts and covers as much, and none that is older. isTight leaves out those that have
// expired even if the newer one covers less.
func (c *Checker) with(p *place, next *loadedList, isTight bool) []*loadedList {
	now := c.config.Now()
	all := c.merge(p.all(), next, now)
	counts := func(l *loadedList) bool { return l.edition().Current(now, c.skew) == nil }
	if last := all[len(all)-1]; last == next && (counts(next) || !c.isLapsed(next, p.of(next.scope()), now)) {
		all = slices.Insert(all[:len(all)-1], 0, next)
	}
	if others := slices.Clone(all); counts(all[0]) {
		all = slices.DeleteFunc(all, func(l *loadedList) bool {
			isNeeded := others[0].idle || others[0].edition().MayCoverLess(l.edition())
			return l != others[0] && c.isSpent(l, now) && !c.isLapsed(l, others, now) && (isTight || !isNeeded)
		})
	}
	if len(all) == 1 {
		return all
	}
	soft := all[0].soft
	for _, l := range all[1:] {
		if !soft.IsZero() && counts(l) {
			soft = earliest(soft, c.softOf(l.edition(), now, 0))
		}
	}
	for i, l := range all { // one fetch renews them all
		if !l.soft.Equal(soft) {
			all[i] = new(*l)
			all[i].soft = soft
		}
	}
	return all
}

// isSpent reports whether a list counts for no certificate any more, and neither does its delta.
func (c *Checker) isSpent(l *loadedList, now time.Time) bool {
	if l.lone != nil {
		return l.edition().Current(now, c.skew) != nil
	}
	if delta := l.crl.Delta(); delta != nil && delta.Edition().Current(now, c.skew) == nil {
		return false
	}
	terms := c.terms(now)
	return !l.base.IsFresh(true, &terms) && !l.base.IsFresh(false, &terms)
}

// isLapsed reports whether an expired list is newer than one of others that still counts. What it revokes for good is not
// good by that one, whatever the scopes.
func (c *Checker) isLapsed(l *loadedList, others []*loadedList, now time.Time) bool {
	e := l.edition()
	if l.lone == nil {
		e = l.crl.Edition()
	}
	return slices.ContainsFunc(others, func(other *loadedList) bool {
		isOlder := !other.edition().ThisUpdate.After(e.ThisUpdate)
		if other.scope() == l.scope() {
			isOlder = other.edition().CheckNewer(e) == nil
		}
		return other != l && isOlder && !c.isSpent(other, now)
	})
}

// renewed returns the edition that determines when a list is fetched again: with its delta, if that is fetched, too.
func (c *Checker) renewed(p *place, l *loadedList) evidence.Edition {
	if l.lone == nil && c.wantsDelta(l.base, p) {
		return l.crl.Edition()
	}
	return l.edition()
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
	base, of, now := held.crl, held.by[0], c.config.Now()
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
	known := base
	if base.Delta() != nil && base.Delta().Edition().Current(now, c.skew) != nil {
		known = held.base // an expired delta does not keep out a current one
	}
	for i, url := range urls {
		if slices.Contains(urls[:i], url) {
			continue
		}
		merged, missing := base, false
		err := c.get(ctx, p.partner, c.listRequest(url, nil), func(response *inHand) (Result, error) {
			next, err := p.partner.budget.build(ctx, func() (*evidence.CRL, error) {
				return known.WithDelta(response.Body, of.cert(), c.listTerms(of, c.config.Now()))
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
