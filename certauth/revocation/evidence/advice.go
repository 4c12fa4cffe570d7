package evidence

import (
	"fmt"
	"time"
)

// What the operator can do.
const (
	helpNoNext     = "ask the CA for answers with a nextUpdate, or raise Verify.NoNextUpdateMaxAge"
	helpSHA1       = "ask the CA to sign with SHA-256; until then Verify.AllowSHA1 accepts SHA-1"
	helpRSA        = "ask the CA for a larger key; Verify.MinRSABits is the least that is accepted"
	helpV1         = "ask the CA for CRLs of version 2; until then Verify.AllowV1CRL accepts these"
	helpEmpty      = "ask the CA to leave an empty revokedCertificates out; until then Verify.AllowEmptyRevokedList accepts it"
	helpNextUpdate = "ask the CA for CRLs with a nextUpdate; until then Verify.AllowNoNextUpdate accepts these within MaxAge"
	helpClock      = "check this host's clock, then the CA's"
	helpOver       = "ask the CA, or whoever copies its evidence, for a newer one: this one has expired"
	helpScope      = "configure the CRL of this CA that is not limited to a distribution point, or have the CA write the distribution point into its certificates"
)

// helpAge is the advice for evidence that is too old only by our own bound.
func helpAge(isCA bool) string {
	return "if the CA issues evidence no more often, raise Verify." + ageField(isCA)
}

func ageField(isCA bool) string {
	if isCA {
		return "MaxAgeCA"
	}
	return "MaxAge"
}

// span formats a duration, from two days on in days.
func span(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Second).String()
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
