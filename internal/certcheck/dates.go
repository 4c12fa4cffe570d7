package certcheck

import (
	"crypto/x509"
	"time"
)

// Outside reports whether now is outside the certificate's validity, with the given clock skew.
func Outside(cert *x509.Certificate, now time.Time, skew time.Duration) bool {
	return now.Add(skew).Before(cert.NotBefore) || now.Add(-skew).After(cert.NotAfter)
}

// Dates returns the refusal of a certificate that is outside its validity. Both ends are part of
// it (RFC 5280, section 4.1.2.5). who names the certificate.
func Dates(who string, cert *x509.Certificate, now time.Time, skew time.Duration) *Refusal {
	if now.Add(skew).Before(cert.NotBefore) {
		return Refuse(NotYetValid, "%s is valid from %s, now is %s", who, stamp(cert.NotBefore), stamp(now))
	}
	if now.Add(-skew).After(cert.NotAfter) {
		return Refuse(Expired, "%s was valid until %s, now is %s", who, stamp(cert.NotAfter), stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
