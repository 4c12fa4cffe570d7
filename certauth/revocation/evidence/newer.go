package evidence

import (
	"math/big"
	"time"
)

// standing is the place of evidence among others of its kind.
type standing struct {
	number     *big.Int // of a CRL, nil if it has none
	thisUpdate time.Time
}

// Following is what the result is worth after what is known, by the rules of
// VerifyOptions.Previous.
func (r *Result) Following(previous *Result) (Result, error) {
	return rollBack(*r, r.standing(), previous)
}

func (r *Result) standing() standing { return standing{r.CRLNumber, r.ThisUpdate} }

// compare is rule C9: the larger cRLNumber is newer, and without two numbers that differ
// the later thisUpdate.
func (s standing) compare(other standing) int {
	if s.number != nil && other.number != nil {
		if order := s.number.Cmp(other.number); order != 0 {
			return order
		}
	}
	return s.thisUpdate.Compare(other.thisUpdate)
}

// rollBack is check 19 and rule C9: what is known already is never replaced by something
// older, and a revocation for good never ends. Where something revoked is known it stays
// the answer; older evidence against anything else is an error. at is how new the evidence
// is, which for most is what the result says.
func rollBack(result Result, at standing, previous *Result) (Result, error) {
	if previous == nil || previous.Status == Unavailable || result.RevokedForGood() {
		return result, nil
	}
	order := at.compare(previous.standing())
	switch {
	case previous.RevokedForGood(), previous.Status == Revoked && (order <= 0 || result.Status != Good && result.Status != Revoked):
		return *previous, nil // a hold ends by a newer Good alone
	case order < 0:
		return Result{}, ErrRollback
	}
	return result, nil
}

// RevokedForGood reports a revocation that nothing lifts: any but certificateHold.
func (r *Result) RevokedForGood() bool {
	return r.Status == Revoked && r.Reason != ReasonCertificateHold
}
