package revocation

import (
	"errors"
	"time"
)

// errNothing says that nothing is remembered; it never leaves the package.
var errNothing = errors.New("revocation: no evidence yet")

// judge says what the remembered evidence says now. settled is false where asking could
// change that and nobody has just tried; refresh is true where newer evidence is due,
// which nobody has to wait for.
//
// A revocation that any source knows decides, whatever is preferred.
func (c *Checker) judge(r *record, now time.Time) (result Result, settled, refresh bool, err error) {
	if r.exempt != "" {
		return Result{Status: NotApplicable, Reason: ReasonUnspecified}, true, false, nil
	}
	if r.noSource != nil {
		return Result{}, true, false, r.noSource
	}
	var ocsp, lists Result
	ocspErr, listErr := errNothing, errNothing
	if r.sources != CRLOnly {
		ocsp, ocspErr = c.fromOCSP(r, now)
	}
	if r.sources != OCSPOnly {
		lists, listErr = c.fromLists(r, now)
	}
	tried := r.failed.Load()
	waits := tried.stands(now)
	if revoked, is := eitherRevoked(&ocsp, &lists); is {
		return *revoked, true, !now.Before(revoked.RefreshAfter) && !waits, nil
	}
	var preferred *Result
	switch r.sources {
	case OCSPOnly, PreferOCSP:
		result, err, preferred = prefer(&ocsp, &lists, ocspErr, listErr), ocspErr, &ocsp
	case CRLOnly, PreferCRL:
		result, err, preferred = prefer(&lists, &ocsp, listErr, ocspErr), listErr, &lists
	case RequireBoth:
		result, err = both(&ocsp, &lists, ocspErr, listErr)
		preferred = &result
	default:
		return Result{}, true, false, ErrArgument
	}
	against := lists.StaleRevoked || tried != nil && tried.staleRevoked
	if result.Stale && against { // what has run out and says good does not outweigh it
		result, err = Result{}, ErrNotFresh
	}
	due := isDue(&result, now) && !waits
	if preferred.Status == Good && !preferred.Stale {
		return result, true, due, nil
	}
	if result.Status == Unavailable {
		if tried != nil {
			err = tried.err
		}
		return Result{StaleRevoked: against}, waits, false, err
	}
	result.StaleRevoked = against && result.Status == Unknown
	// The second choice, or what is stale: only once the first choice has failed.
	return result, waits || tried != nil && result.Status == Good, !waits, nil
}

func eitherRevoked(ocsp, lists *Result) (*Result, bool) {
	switch {
	case ocsp.revokedForGood():
		return ocsp, true
	case lists.revokedForGood():
		return lists, true
	case ocsp.Status == Revoked && !lists.lifts(ocsp):
		return ocsp, true // a hold, which only something newer can lift
	case lists.Status == Revoked && !ocsp.lifts(lists):
		return lists, true
	}
	return nil, false
}

// lifts reports whether a Good ends a hold: it is newer and has not run out.
func (r *Result) lifts(hold *Result) bool {
	return r.Status == Good && !r.Stale && r.ThisUpdate.After(hold.ThisUpdate)
}

// prefer takes a Good from the first, else from the second, else what the first says.
// Unknown is what remains if nobody says Good.
func prefer(first, second *Result, firstErr, secondErr error) Result {
	switch {
	case firstErr == nil && first.Status == Good && !first.Stale:
		return *first
	case secondErr == nil && second.Status == Good && !second.Stale:
		return *second
	case firstErr == nil && first.Status == Unknown, secondErr == nil && second.Status == Unknown:
		if first.Status == Unknown {
			return *first
		}
		return *second
	case firstErr == nil && first.Status == Good:
		return *first
	case secondErr == nil && second.Status == Good:
		return *second
	}
	return Result{}
}

func both(ocsp, lists *Result, ocspErr, listErr error) (Result, error) {
	switch {
	case ocspErr == nil && ocsp.Status == Unknown:
		return *ocsp, nil
	case ocspErr != nil:
		return Result{}, ocspErr
	case listErr != nil:
		return Result{}, listErr
	case ocsp.Status != Good || lists.Status != Good:
		return Result{}, errNothing
	}
	result := *ocsp
	result.UsableUntil, result.RefreshAfter = earliest(ocsp.UsableUntil, lists.UsableUntil), earliest(ocsp.RefreshAfter, lists.RefreshAfter)
	result.Stale, result.DeltaMissing = ocsp.Stale || lists.Stale, lists.DeltaMissing
	return result, nil
}

// fromOCSP is the remembered answer, if it still counts.
func (c *Checker) fromOCSP(r *record, now time.Time) (Result, error) {
	known := r.ocsp.Load()
	if known == nil {
		return Result{}, errNothing
	}
	switch {
	case known.Status == Revoked:
		return *known, nil
	case known.ThisUpdate.After(now.Add(c.skew)): // the clock was put back
		return Result{}, ErrNotFresh
	case now.Before(known.UsableUntil):
		return *known, nil
	case known.Status == Good && now.Before(known.UsableUntil.Add(c.config.StaleGrace)):
		stale := *known
		stale.Stale = true
		return stale, nil
	}
	return Result{}, ErrNotFresh
}

// terms are the options of verification now.
func (c *Checker) terms(now time.Time) VerifyOptions {
	o := c.config.Verify
	o.Now = now
	return o
}
