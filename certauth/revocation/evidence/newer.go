package evidence

import (
	"math/big"
	"time"
)

// standing is the position of evidence in the sequence of evidence of its kind.
type standing struct {
	number     *big.Int // of a CRL, nil if it has none
	thisUpdate time.Time
}

// Following combines the result with a previous one, by the rules of VerifyOptions.Previous. If the
// previous one is a revocation that continues to count, it is returned; otherwise a result that is
// older than the previous one gives [ErrRollback].
func (r *Result) Following(previous *Result) (Result, error) {
	return rollBack(*r, r.standing(), previous)
}

func (r *Result) standing() standing { return standing{r.CRLNumber, r.ThisUpdate} }

// compare is rule C9: the evidence with the larger cRLNumber is newer; if there are no two
// different numbers, the one with the later thisUpdate.
func (s standing) compare(other standing) int {
	if s.number != nil && other.number != nil {
		if order := s.number.Cmp(other.number); order != 0 {
			return order
		}
	}
	return s.thisUpdate.Compare(other.thisUpdate)
}

// rollBack is check 19 and rule C9: known evidence is never replaced by older evidence, and a
// permanent revocation never ends. If the known status is a revocation it remains the answer; in
// other cases older evidence is an error. at is the position of the evidence, which usually
// follows from the result.
func rollBack(result Result, at standing, previous *Result) (Result, error) {
	if previous == nil || previous.Status == Unavailable || result.RevokedForGood() {
		return result, nil
	}
	order := at.compare(previous.standing())
	switch {
	case previous.RevokedForGood(), previous.Status == Revoked && (order <= 0 || result.Status != Good && result.Status != Revoked):
		return *previous, nil // only a newer Good ends a hold
	case order < 0:
		return Result{}, ErrRollback
	}
	return result, nil
}

// RevokedForGood reports whether the status is a revocation that cannot be lifted: any but
// certificateHold.
func (r *Result) RevokedForGood() bool {
	return r.Status == Revoked && r.Reason != ReasonCertificateHold
}
