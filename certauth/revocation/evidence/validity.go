package evidence

import (
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// notZero returns a nextUpdate that is there, as one that is in any case long past for the first moment of
// the year 1, which would mean that there is none.
func notZero(nextUpdate time.Time) time.Time {
	if nextUpdate.IsZero() {
		return nextUpdate.Add(1)
	}
	return nextUpdate
}

// staleness is why evidence does not count.
type staleness uint8

const (
	fresh staleness = iota
	notBegun
	endsBeforeItBegins
	over
	tooOld
	endless // without the nextUpdate that it needs
)

// weight orders evidence before its status does: what is fresh, what has been, what is not yet valid.
func (why staleness) weight() int {
	switch why {
	case fresh:
		return 2
	case notBegun:
		return 0
	}
	return 1
}

// staleness is rule C4 and check 16, for evidence about a certificate at the time o.Now. Reasons
// that no option can change come first.
func (e Edition) staleness(of Source, isCA bool, o *VerifyOptions) staleness {
	skew, age := o.Tolerance(), o.Now.Sub(e.ThisUpdate)
	switch {
	case e.isAhead(o.Now, skew):
		return notBegun
	case e.hasNextUpdate() && e.NextUpdate.Before(e.ThisUpdate):
		return endsBeforeItBegins
	case e.IsOver(o.Now, skew):
		return over
	case age > o.maxAge(of, isCA):
		return tooOld
	case e.hasNextUpdate():
		return fresh
	case of == SourceCRL && !o.AllowNoNextUpdate, of == SourceOCSP && age > o.noNextUpdateMaxAge():
		return endless
	}
	return fresh
}

// staleError returns the error for a staleness: ErrNotFresh, or ErrFuture, which is one as well.
func (e Edition) staleError(why staleness, of Source, isCA bool, o *VerifyOptions) error {
	what := "the CRL"
	if of == SourceOCSP {
		what = "the answer"
	}
	issued := fmt.Sprintf("%s is %s old (thisUpdate %s)", what, span(o.Now.Sub(e.ThisUpdate)), instant(e.ThisUpdate))
	switch why {
	case notBegun:
		return fromFuture(what, e.ThisUpdate, o.Now)
	case endsBeforeItBegins:
		return fmt.Errorf("%w: nextUpdate of %s, %s, lies before its thisUpdate, %s", ErrNotFresh, what, instant(e.NextUpdate), instant(e.ThisUpdate))
	case over:
		if e.endsWithSigner {
			return advice.New(helpOver, fmt.Errorf("%w: %w", ErrNotFresh, ErrCRLIssuer), "%s, and the certificate of its signer expired, %s", issued, instant(e.NextUpdate))
		}
		return advice.New(helpOver, ErrNotFresh, "%s and expired at its nextUpdate, %s", issued, instant(e.NextUpdate))
	case tooOld:
		ends := "it has no nextUpdate"
		if e.hasNextUpdate() {
			ends = "it is valid until its nextUpdate, " + instant(e.NextUpdate)
		}
		return advice.New(helpAge+ageField(isCA), ErrNotFresh, "%s, %s allows %s; %s", issued, ageField(isCA), span(o.maxAge(of, isCA)), ends)
	case endless:
		if of == SourceCRL {
			return advice.New(helpNextUpdate, ErrNotFresh, "the CRL has no nextUpdate, and AllowNoNextUpdate is not set")
		}
		return advice.New(helpNoNext, ErrNotFresh, "%s and has no nextUpdate; NoNextUpdateMaxAge allows %s", issued, o.noNextUpdateMaxAge())
	}
	return nil
}

func fromFuture(what string, thisUpdate, now time.Time) error {
	return advice.New(helpClock, ErrFuture, "thisUpdate of %s, %s, lies ahead of the clock, %s", what, instant(thisUpdate), instant(now))
}

// usableUntil returns the earliest of the times that end the use of the evidence for a certificate
// that expires at notAfter.
func (e Edition) usableUntil(of Source, isCA bool, notAfter time.Time, o *VerifyOptions) time.Time {
	until := earlier(earlier(notAfter, e.NextUpdate), e.ThisUpdate.Add(o.maxAge(of, isCA)))
	if of == SourceOCSP && !e.hasNextUpdate() {
		until = earlier(until, e.ThisUpdate.Add(o.noNextUpdateMaxAge()))
	}
	return until
}

// earlier returns the earlier of two times, of which a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
