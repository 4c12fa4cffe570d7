package revocation

import (
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// knowledge is what is known about one certificate, apart from the lists in memory.
type knowledge struct {
	ocsp    *Result  // the newest verified response
	revoked *Result  // a revocation or hold by a CRL, kept when the CRL is gone
	failed  *setback // the last attempt, if it failed
	// against and listed are the thisUpdate of an expired response and of an expired list that said
	// permanently revoked, as long as there is no newer Good. A Good by older evidence does not count,
	// except that any current response outweighs another response.
	against, listed time.Time
}

// state is the knowledge about a certificate and the verdict that follows from it. It is
// immutable; new evidence makes another one.
type state struct {
	knowledge
	verdict verdict
	// The verdict holds for the lists of this generation, between from and until by the wall
	// clock, and before ask by the monotonic clock. until is the end of evidence or of an
	// interval, ask the end of an interval.
	generation       uint64
	from, until, ask time.Time
}

// update replaces the knowledge. change reports whether there is anything to replace, and is
// called again if another goroutine was faster.
func (r *record) update(change func(*knowledge) bool) {
	for {
		old := r.state.Load()
		next := state{knowledge: old.knowledge}
		if !change(&next.knowledge) || r.state.CompareAndSwap(old, &next) {
			return
		}
	}
}

// holds reports whether the verdict is still valid.
func (s *state) holds(generation uint64, now time.Time) bool {
	return s.generation == generation && now.Before(s.until) && now.Before(s.ask) && !now.Before(s.from)
}

// judge returns the verdict on the certificate at this time.
func (c *Checker) judge(r *record, now time.Time) *verdict {
	if r.exempt != "" {
		return &exempted
	}
	generation := c.generation.Load() // loaded before the sources and the lists
	known := r.state.Load()
	if known.holds(generation, now) && !r.hidesRevocation(&known.verdict) {
		return &known.verdict
	}
	sources, some := c.sourcesOf(r)
	if !some {
		return &verdict{settled: true, err: c.sourceless(r)}
	}
	lists := listsStatement{statement: statement{err: errNothing}, kept: known.revoked}
	if sources != OCSPOnly {
		lists = c.statementOfLists(r, &known.knowledge, now)
	}
	next := state{knowledge: known.knowledge, generation: generation, from: now.Round(0)}
	next.revoked = lists.kept
	ocsp := statementOfOCSP(known.ocsp, now, c.skew, c.config.StaleGrace)
	next.weigh(&ocsp, &lists.statement)
	next.verdict = verdictOn(sources, ocsp, lists.statement, known.failed, now)
	if r.hidesRevocation(&next.verdict) {
		next.verdict = verdict{result: *r.revoked.Load(), settled: true}
	}
	if v := &next.verdict.result; v.RevokedForGood() && (v.Source == evidence.SourceOCSP || !r.authority.isApart) {
		r.revoked.CompareAndSwap(nil, new(next.verdict.result))
	}
	next.keepUntil(&ocsp, &lists, now)
	if next.until.IsZero() && lists.kept == known.revoked && next.against.Equal(known.against) && next.listed.Equal(known.listed) {
		return &next.verdict // nothing to remember
	}
	if !r.state.CompareAndSwap(known, &next) { // another update was faster
		return c.judge(r, now)
	}
	return &next.verdict
}

// weigh takes into account what expired evidence says against the certificate.
func (e *knowledge) weigh(ocsp, lists *statement) {
	if lists.result.StaleRevoked {
		e.listed = latest(e.listed, lists.since)
	}
	isGood := func(w *statement) bool { return w.err == nil && w.result.Status == Good && !w.result.Stale }
	switch {
	case isGood(ocsp) && !ocsp.result.ThisUpdate.Before(e.listed), isGood(lists) && lists.result.ThisUpdate.After(e.isAgainst()):
		e.against, e.listed = time.Time{}, time.Time{}
	case !e.isAgainst().IsZero():
		for _, w := range []*statement{ocsp, lists} {
			if isGood(w) { // it is older
				*w = statement{err: ErrNotFresh}
			}
			w.result.StaleRevoked = w.result.Status != Revoked
		}
	}
}

// isAgainst returns the thisUpdate of the newest expired evidence that said permanently revoked.
func (e *knowledge) isAgainst() time.Time { return latest(e.against, e.listed) }

// keepUntil sets until when the verdict holds. A verdict that is about to change, because newer
// evidence is due or because it rests on StaleGrace, is not kept.
func (s *state) keepUntil(ocsp *statement, lists *listsStatement, now time.Time) {
	v := &s.verdict
	if !v.settled || v.due || v.result.Stale {
		return
	}
	until := now.Add(usedWithin) // in any case
	ask := until
	for _, w := range []*statement{ocsp, &lists.statement} {
		if w.result.Status != Revoked {
			until = earliest(until, w.result.UsableUntil)
		}
		if now.Before(w.result.RefreshAfter.Round(0)) {
			until, ask = earliest(until, w.result.RefreshAfter), earliest(ask, w.result.RefreshAfter)
		}
	}
	if s.failed.stands(now) {
		until, ask = earliest(until, s.failed.until), earliest(ask, s.failed.until)
	}
	s.until, s.ask = earliest(until, lists.changes).Round(0), ask
}

// stricter returns what stays known of two revocations by lists. Only a permanent or a newer one
// replaces a hold, and nothing replaces a permanent one.
func stricter(known, next *Result) *Result {
	if known != nil && (known.RevokedForGood() || !next.RevokedForGood() && !next.ThisUpdate.After(known.ThisUpdate)) {
		return known
	}
	return next
}

// accuse remembers when an expired response said permanently revoked.
func (r *record) accuse(expired *Result) {
	r.update(func(e *knowledge) bool {
		isNewer := expired.StaleRevoked && expired.ThisUpdate.After(e.against)
		if isNewer {
			e.against = expired.ThisUpdate
		}
		return isNewer
	})
}

// heldByList returns the hold that a list has put on the certificate, nil if there is none. Only
// newer evidence ends it, so lists are queried again although OCSP answers, and the other way
// round for heldByOCSP.
func (e *knowledge) heldByList() *Result {
	if e.revoked != nil && !e.revoked.RevokedForGood() {
		return e.revoked
	}
	return nil
}

func (e *knowledge) heldByOCSP() bool {
	return e.ocsp != nil && e.ocsp.Status == Revoked && !e.ocsp.RevokedForGood()
}

// isKnownHold reports whether the result is the known hold, which is returned for a response that
// does not lift it. The next responder may lift it.
func (e *knowledge) isKnownHold(answer *Result) bool {
	return e.heldByOCSP() && !answer.RevokedForGood() && !answer.ThisUpdate.After(e.ocsp.ThisUpdate)
}

// holdsRevocation reports whether a revocation would be forgotten with this.
func (s *state) holdsRevocation() bool {
	return s.ocsp != nil && s.ocsp.Status == Revoked || s.revoked != nil || s.verdict.result.Status == Revoked || !s.isAgainst().IsZero()
}

func (c *Checker) terms(now time.Time) VerifyOptions {
	o := c.config.Verify
	o.Now = now
	return o
}
