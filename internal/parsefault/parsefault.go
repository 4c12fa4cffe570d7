// Package parsefault explains why crypto/x509 cannot read a certificate, and what its CA must
// change. Without the explanation operators would look for the fault in the front end or the
// file.
package parsefault

import (
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// helps maps texts in errors of x509.ParseCertificate to the requirement that the certificate
// misses. The first match counts. If no row matches, the data may not be a certificate at all.
var helps = []struct{ says, help string }{
	{"negative serial number", "serial numbers must be positive (RFC 5280, section 4.1.2.2)"},
	{"invalid RDNSequence", "a name contains characters or a string type that are not allowed there (RFC 5280, section 4.1.2.4); UTF8String permits all"},
	{"unsupported elliptic curve", "the key must be on P-256, P-384 or P-521, or be RSA or Ed25519"},
	{"subject key identifier incorrectly marked critical", "that extension must not be critical (RFC 5280, section 4.2.1.2)"},
	{"authority key identifier incorrectly marked critical", "that extension must not be critical (RFC 5280, section 4.2.1.1)"},
	{"authority info access incorrectly marked critical", "that extension must not be critical (RFC 5280, section 4.2.2.1)"},
	{"duplicate extension", "an extension may occur only once (RFC 5280, section 4.2)"},
	{"inner and outer signature", "both signature algorithms must be the same (RFC 5280, section 4.1.1.2)"},
	{"RSA", "the RSA key must be encoded as RFC 3279, section 2.3.1 requires"},
	{"ECDSA", "the elliptic curve must be given by name (RFC 5480, section 2.1.1)"},
	{"Ed25519", "the Ed25519 key must be encoded as RFC 8410 requires"},
	{"DSA", "the key must be RSA, ECDSA or Ed25519"},
	{"subject alternative name", "the alternative names must be encoded as RFC 5280, section 4.2.1.6 requires"},
	{"SAN ", "the alternative names must be encoded as RFC 5280, section 4.2.1.6 requires"},
	{"cannot parse URI", "the alternative names must be encoded as RFC 5280, section 4.2.1.6 requires"},
	{"cannot parse IP address", "an IP address has 4 or 16 bytes (RFC 5280, section 4.2.1.6)"},
	{"basic constraints", "the basic constraints must be encoded as RFC 5280, section 4.2.1.9 requires"},
	{"key usage", "the key usages must be encoded as RFC 5280, section 4.2.1 requires"},
	{"policies", "the certificate policies must be encoded as RFC 5280, section 4.2.1.4 requires"},
	{"policy", "the certificate policies must be encoded as RFC 5280, section 4.2.1.4 requires"},
	{"onstraint", "the name constraints must be encoded as RFC 5280, section 4.2.1.10 requires"},
	{"CRL distribution point", "the distribution points must be encoded as RFC 5280, section 4.2.1.13 requires"},
	{"authority info access", "the access descriptions must be encoded as RFC 5280, section 4.2.2.1 requires"},
	{"key identifier", "the key identifiers must be encoded as RFC 5280, section 4.2.1 requires"},
	{"UTCTime", "the dates must be encoded as RFC 5280, section 4.1.2.5 requires"},
	{"GeneralizedTime", "the dates must be encoded as RFC 5280, section 4.1.2.5 requires"},
	{"time format", "the dates must be encoded as RFC 5280, section 4.1.2.5 requires"},
	{"invalid version", "the certificate must be of X.509 version 3"},
}

// Help returns the requirement that the certificate misses, for an error of
// x509.ParseCertificate. It is empty if it is not certain that the data is meant to be a
// certificate.
func Help(err error) string {
	text, _, _ := strings.Cut(err.Error(), `"`) // what crypto/x509 quotes is the sender's text
	for _, h := range helps {
		if strings.Contains(text, h.says) {
			return h.help
		}
	}
	return ""
}

// Subject returns the subject of a certificate that crypto/x509 cannot read, quoted and bounded
// for a log. It is empty if the subject cannot be read either.
func Subject(certificate []byte) string {
	whole, _, _ := der.Read(certificate)
	if whole.Tag != der.Sequence {
		return ""
	}
	tbs, _, _ := der.Read(whole.Content)
	if tbs.Tag != der.Sequence {
		return ""
	}
	rest := tbs.Content
	if first, behind, _ := der.Read(rest); first.Tag == der.Context|der.Constructed { // version
		rest = behind
	}
	var field der.Element
	var ok bool
	for range 5 { // serial number, algorithm, issuer, validity, subject
		if field, rest, ok = der.Read(rest); !ok {
			return ""
		}
	}
	name, err := dn.Parse(field.Full)
	if err != nil {
		return ""
	}
	return logtext.Quote(name.Brief(2 * logtext.MaxQuoted)) // enough to recognise a key that begins in the part that is shown
}
