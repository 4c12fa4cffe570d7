package evidence

import (
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// validity is what evidence says about how long it counts.
type validity struct {
	thisUpdate, nextUpdate time.Time
	hasNextUpdate          bool
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

// staleness is rule C4 and check 16, for evidence about a certificate at the moment o.Now. What no
// option can mend comes first.
func (v *validity) staleness(of Source, isCA bool, o *VerifyOptions) staleness {
	skew, age := o.Tolerance(), o.Now.Sub(v.thisUpdate)
	limit, bounded := o.maxAge(of, isCA)
	switch {
	case v.thisUpdate.After(o.Now.Add(skew)):
		return notBegun
	case v.hasNextUpdate && v.nextUpdate.Before(v.thisUpdate):
		return endsBeforeItBegins
	case v.hasNextUpdate && o.Now.After(v.nextUpdate.Add(skew)):
		return over
	case bounded && age > limit:
		return tooOld
	case v.hasNextUpdate:
		return fresh
	case of == SourceCRL && !o.AllowNoNextUpdate, of == SourceOCSP && o.NoNextUpdateMaxAge >= 0 && age > o.noNextUpdateMaxAge():
		return endless
	}
	return fresh
}

// staleError puts the staleness into words: ErrNotFresh, and ErrFuture for what has not begun.
func (v *validity) staleError(why staleness, of Source, isCA bool, o *VerifyOptions) error {
	what := "the CRL"
	if of == SourceOCSP {
		what = "the answer"
	}
	issued := fmt.Sprintf("%s is %s old (thisUpdate %s)", what, span(o.Now.Sub(v.thisUpdate)), instant(v.thisUpdate))
	switch why {
	case notBegun:
		return fromFuture(what, v.thisUpdate, o.Now)
	case endsBeforeItBegins:
		return fmt.Errorf("%w: nextUpdate of %s, %s, lies before its thisUpdate, %s", ErrNotFresh, what, instant(v.nextUpdate), instant(v.thisUpdate))
	case over:
		return advice.New(helpOver, ErrNotFresh, "%s and ran out at its nextUpdate, %s", issued, instant(v.nextUpdate))
	case tooOld:
		ends := "it has no nextUpdate"
		if v.hasNextUpdate {
			ends = "it runs until its nextUpdate, " + instant(v.nextUpdate)
		}
		limit, _ := o.maxAge(of, isCA)
		return advice.New(helpAge(isCA), ErrNotFresh, "%s, %s allows %s; %s", issued, ageField(isCA), span(limit), ends)
	case endless:
		if of == SourceCRL {
			return advice.New(helpNextUpdate, ErrNotFresh, "the CRL has no nextUpdate, and AllowNoNextUpdate is not set")
		}
		return advice.New(helpNoNext, ErrNotFresh, "%s and has no nextUpdate; NoNextUpdateMaxAge allows %s", issued, o.noNextUpdateMaxAge())
	case fresh:
	}
	return nil
}

func fromFuture(what string, thisUpdate, now time.Time) error {
	return advice.New(helpClock, ErrFuture, "thisUpdate of %s, %s, lies ahead of the clock, %s", what, instant(thisUpdate), instant(now))
}

// usableUntil is the earliest of the times that end the evidence for a certificate, whose own
// end is notAfter.
func (v *validity) usableUntil(of Source, isCA bool, notAfter time.Time, o *VerifyOptions) time.Time {
	until := notAfter
	bound := func(end time.Time) {
		if end.Before(until) {
			until = end
		}
	}
	switch {
	case v.hasNextUpdate:
		bound(v.nextUpdate)
	case of == SourceOCSP && o.NoNextUpdateMaxAge >= 0:
		bound(v.thisUpdate.Add(o.noNextUpdateMaxAge()))
	}
	if limit, bounded := o.maxAge(of, isCA); bounded {
		bound(v.thisUpdate.Add(limit))
	}
	return until
}
