package evidence

import (
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// The steps that help.
const (
	helpSHA1       = "ask the CA to sign with SHA-256; until then Verify.AllowSHA1 accepts SHA-1"
	helpRSA        = "ask the CA for a larger key; Verify.MinRSABits is the least that is accepted"
	helpV1         = "ask the CA for CRLs of version 2; until then Verify.AllowV1CRL accepts these"
	helpEmpty      = "ask the CA to leave an empty revokedCertificates out; until then Verify.AllowEmptyRevokedList accepts it"
	helpNextUpdate = "ask the CA for CRLs with a nextUpdate; until then Verify.AllowNoNextUpdate accepts these within MaxAge"
	helpClock      = "check this host's clock, then the CA's"
	helpOver       = "ask the CA, or whoever copies its evidence, for a newer one: this has run out"
	helpScope      = "configure the CRL of this CA that is not limited to a distribution point, or have the CA write the distribution point into its certificates"
)

// helpAge is the step for evidence that is too old by our own bound alone.
func helpAge(isCA bool) string {
	return "if the CA issues evidence no more often, raise Verify." + ageField(isCA)
}

func ageField(isCA bool) string {
	if isCA {
		return "MaxAgeCA"
	}
	return "MaxAge"
}

// span writes how long something is or was, in days if that says it better.
func span(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Second).String()
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// validity is what decides whether evidence is fresh.
type validity struct {
	what                   string // "the CRL" or "the answer"
	thisUpdate, nextUpdate time.Time
	hasNextUpdate          bool
	isCA                   bool
	most                   time.Duration // of the default MaxAge
}

// whyNotFresh says what is wrong with the times of evidence that is not fresh, rule C4 and
// check 16. What an option cannot mend comes first.
func (o *VerifyOptions) whyNotFresh(v validity) error {
	age := o.Now.Sub(v.thisUpdate)
	issued := fmt.Sprintf("%s is %s old (thisUpdate %s)", v.what, span(age), instant(v.thisUpdate))
	limit, bounded := o.maxAge(v.isCA, v.most)
	switch {
	case v.thisUpdate.After(o.Now.Add(o.Tolerance())):
		return advice.New(helpClock, ErrFuture, "thisUpdate of %s, %s, lies ahead of the clock, %s", v.what, instant(v.thisUpdate), instant(o.Now))
	case v.hasNextUpdate && v.nextUpdate.Before(v.thisUpdate):
		return fmt.Errorf("%w: nextUpdate of %s, %s, lies before its thisUpdate, %s", ErrNotFresh, v.what, instant(v.nextUpdate), instant(v.thisUpdate))
	case v.hasNextUpdate && o.Now.After(v.nextUpdate.Add(o.Tolerance())):
		return advice.New(helpOver, ErrNotFresh, "%s and ran out at its nextUpdate, %s", issued, instant(v.nextUpdate))
	case bounded && age > limit && v.hasNextUpdate:
		return advice.New(helpAge(v.isCA), ErrNotFresh, "%s, %s allows %s; it runs until its nextUpdate, %s",
			issued, ageField(v.isCA), span(limit), instant(v.nextUpdate))
	case bounded && age > limit:
		return advice.New(helpAge(v.isCA), ErrNotFresh, "%s, %s allows %s; it has no nextUpdate", issued, ageField(v.isCA), span(limit))
	}
	return nil
}
