package revocation

import (
	"errors"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// errNothing says that nothing is remembered; it never leaves the package.
var errNothing = errors.New("revocation: no evidence yet")

// statement is what one source says about a certificate now. err says why it says nothing.
type statement struct {
	result Result
	err    error
	since  time.Time // thisUpdate of the evidence with StaleRevoked: an older Good does not count
}

// verdict is the answer about a certificate, and what must be done for a better one.
type verdict struct {
	result Result
	err    error // why the status is Unavailable
	// settled reports that the answer counts: a query cannot change it, or was just tried.
	settled bool
	// due reports that newer evidence should be fetched, for which no request needs to wait.
	due bool
}

// exempted is the verdict on a certificate that needs no evidence.
var exempted = verdict{result: Result{Status: NotApplicable, Reason: evidence.ReasonUnspecified}, settled: true}

// verdictOn is the whole decision: what the sources of a certificate say together at one time. It
// depends only on its arguments, not on the order in which evidence arrived.
//
// A revocation known from any source decides, whatever is preferred. The second choice, and
// expired evidence within StaleGrace, counts as it is only once the first choice was queried and
// gave nothing.
func verdictOn(sources Sources, ocsp, lists statement, failed *setback, now time.Time) verdict {
	if sources == CRLOnly {
		ocsp = statement{err: errNothing}
	}
	if sources == OCSPOnly {
		lists = statement{err: errNothing}
	}
	waits := failed.stands(now)
	if revoked := eitherRevoked(&ocsp.result, &lists.result); revoked != nil {
		return verdict{result: *revoked, settled: true, due: isDue(revoked, now) && !waits}
	}
	first, second := &ocsp, &lists
	if sources == PreferCRL || sources == CRLOnly {
		first, second = second, first
	}
	v := verdict{err: first.err}
	v.result = prefer(first, second)
	against := ocsp.result.StaleRevoked || lists.result.StaleRevoked
	if v.result.Stale && against { // an expired Good does not outweigh it
		v.result, v.err = Result{}, ErrNotFresh
	}
	switch {
	case first.result.Status == Good && !first.result.Stale:
		v.settled, v.due, v.err = true, isDue(&v.result, now) && !waits, nil
	case v.result.Status == Unavailable:
		if failed != nil {
			v.err = failed.err
		}
		v.result, v.settled = Result{StaleRevoked: against}, waits
	case v.result.Status == Good && !v.result.Stale: // the second choice
		v.settled, v.due, v.err = waits || failed.isRecent(now), !waits, nil
	default:
		v.settled, v.due, v.err = waits, !waits, nil
	}
	return v
}

func eitherRevoked(ocsp, lists *Result) *Result {
	switch {
	case ocsp.RevokedForGood():
		return ocsp
	case lists.RevokedForGood():
		return lists
	case ocsp.Status == Revoked && !lifts(lists, ocsp):
		return ocsp // a hold, which only something newer can lift
	case lists.Status == Revoked && !lifts(ocsp, lists):
		return lists
	}
	return nil
}

// lifts reports whether a Good of the other kind of source ends a hold: it is newer and has not expired. A
// responder says by a hold since 1970 that the CA never issued the certificate (RFC 6960, section 2.2),
// which a list cannot disprove.
func lifts(r, hold *Result) bool {
	return r.Status == Good && !r.Stale && r.ThisUpdate.After(hold.ThisUpdate) && !hold.RevokedAt.Equal(time.Unix(0, 0))
}

// prefer returns a current Good, or else an Unknown, or else a Good within StaleGrace, each from
// the first of the two that says so.
func prefer(first, second *statement) Result {
	for _, w := range []*statement{first, second} {
		if w.err == nil && w.result.Status == Good && !w.result.Stale {
			return w.result
		}
	}
	for _, status := range []Status{Unknown, Good} {
		for _, w := range []*statement{first, second} {
			if w.err == nil && w.result.Status == status {
				return w.result
			}
		}
	}
	return Result{}
}

// statementOfOCSP is what the newest verified response says now.
func statementOfOCSP(known *Result, now time.Time, skew, grace time.Duration) statement {
	switch {
	case known == nil:
		return statement{err: errNothing}
	case known.Status == Revoked:
		return statement{result: *known}
	case known.ThisUpdate.After(now.Add(skew)): // the clock was put back
		return statement{err: ErrNotFresh}
	case now.Before(known.UsableUntil.Round(0)):
		return statement{result: *known}
	case known.Status == Good && now.Before(known.UsableUntil.Round(0).Add(grace)):
		stale := *known
		stale.Stale = true
		return statement{result: stale}
	}
	return statement{err: ErrNotFresh}
}

// setback is why there is no evidence, and until when no other attempt is made.
type setback struct {
	err   error
	at    time.Time // when the attempt ended
	until time.Time
}

// stands reports whether it is too early for another attempt.
func (f *setback) stands(now time.Time) bool {
	return f != nil && !hasCome(f.until, now, 2*mostPause)
}

// isRecent reports whether a source was queried in vain a short time ago.
func (f *setback) isRecent(now time.Time) bool {
	return f != nil && !hasCome(f.at.Add(overdueAfter), now, overdueAfter)
}
