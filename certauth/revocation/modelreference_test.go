package revocation_test

import (
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// The following functions determine, independently of the Checker, what the evidence that reached an
// instance permits and requires. They know neither caches nor failures.

// sees reports whether an instance uses evidence from a channel.
func sees(order revocation.Sources, by channel) bool {
	switch order {
	case revocation.OCSPOnly:
		return by == byResponder
	case revocation.CRLOnly:
		return by != byResponder
	case revocation.PreferOCSP, revocation.PreferCRL:
	}
	return true
}

// demand is an answer that an instance must give.
type demand int

const (
	anything demand = iota
	mustBeRevoked
	mustBeGood
)

// demands returns the answer that the evidence at an instance requires:
//
//   - a permanent revocation that was the newest of its channel, and valid, when it arrived stays,
//     if it is from a responder, or from a list that no newer one replaced before the next answer;
//   - without any evidence against the client, a Good that is the newest of its channel and valid
//     decides, from whichever channel.
func (i *modelled) demands(order revocation.Sources, at time.Time) demand {
	i.hearing.Lock()
	all, answered := append([]heard(nil), i.heard...), i.answered
	i.hearing.Unlock()
	wasLookedInto := func(n int) bool {
		next := slices.IndexFunc(all[n+1:], func(h heard) bool { return h.by == all[n].by && h.this.After(all[n].this) })
		return slices.ContainsFunc(answered, func(known int) bool { return known > n && (next < 0 || known <= n+1+next) })
	}
	var last [channels]heard
	against := false
	for n, h := range all {
		if !sees(order, h.by) {
			continue
		}
		if h.status == "revoked" || h.status == "hold" {
			against = true
		}
		isNewest := h.this.After(last[h.by].this)
		// A delta may continue a list other than the one in memory.
		if h.status == "revoked" && h.by != byDelta && isNewest && h.counts(h.at) && (h.by == byResponder || wasLookedInto(n)) {
			return mustBeRevoked
		}
		if isNewest {
			last[h.by] = h
		}
	}
	if against {
		return anything
	}
	for by, h := range last {
		if channel(by) != byDelta && h.status == "good" && h.counts(h.at) && h.counts(at) {
			return mustBeGood
		}
	}
	return anything
}

// allows reports whether some evidence supports a Good: it is valid, or expired within StaleGrace,
// and is newer than every hold of the responder that had arrived before the question.
func (i *modelled) allows(found certauth.Revocation, before int, order revocation.Sources, at time.Time, grace time.Duration) bool {
	i.hearing.Lock()
	defer i.hearing.Unlock()
	var held time.Time
	for _, h := range i.heard[:before] {
		if h.status == "hold" && sees(order, h.by) && h.by == byResponder && h.counts(h.at) && h.this.After(held) {
			held = h.this
		}
	}
	for _, h := range i.heard {
		if h.status != "good" || !sees(order, h.by) || h.by.source() != found.Source {
			continue
		}
		stale := found.Stale && !h.this.After(at.Add(skew)) && !at.After(h.next.Add(skew+grace))
		if (h.mayCount(at) || stale) && (h.by != byResponder || h.this.Equal(found.ThisUpdate)) && i.isNewerThanItsHold(h, held) {
			return true
		}
	}
	return false
}

// isNewerThanItsHold ignores a hold that a newer answer of the responder may have lifted.
func (i *modelled) isNewerThanItsHold(good heard, held time.Time) bool {
	if held.IsZero() || good.this.After(held) {
		return true
	}
	for _, h := range i.heard { // the hold was replaced by a newer Good, which has since expired
		if h.by == byResponder && h.status == "good" && h.this.After(held) {
			return true
		}
	}
	return false
}
