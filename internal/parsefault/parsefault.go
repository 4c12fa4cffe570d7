// Package parsefault says what is wrong with a certificate that crypto/x509 does not read, and
// what its CA has to do about it. Operators look at the front end or at the file otherwise,
// where nothing is wrong.
package parsefault

import (
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// helps are the steps that help, by what the error of x509.ParseCertificate holds. The first
// that fits counts. What is in no row may not be a certificate at all.
var helps = []struct{ says, help string }{
	{"negative serial number", "serial numbers are positive (RFC 5280, section 4.1.2.2)"},
	{"invalid RDNSequence", "a name holds characters or a string type that are not allowed there (RFC 5280, section 4.1.2.4); UTF8String takes all"},
	{"unsupported elliptic curve", "the key has to be on P-256, P-384 or P-521, or be RSA or Ed25519"},
	{"subject key identifier incorrectly marked critical", "that extension must not be critical (RFC 5280, section 4.2.1.2)"},
	{"authority key identifier incorrectly marked critical", "that extension must not be critical (RFC 5280, section 4.2.1.1)"},
	{"authority info access incorrectly marked critical", "that extension must not be critical (RFC 5280, section 4.2.2.1)"},
	{"duplicate extension", "an extension may stand there once (RFC 5280, section 4.2)"},
	{"inner and outer signature", "both signature algorithms have to be the same (RFC 5280, section 4.1.1.2)"},
	{"RSA", "the RSA key has to be encoded as RFC 3279, section 2.3.1, has it"},
	{"ECDSA", "the elliptic curve has to be named (RFC 5480, section 2.1.1)"},
	{"Ed25519", "the Ed25519 key has to be encoded as RFC 8410 has it"},
	{"DSA", "the key has to be RSA, ECDSA or Ed25519"},
	{"subject alternative name", "the alternative names have to be written as RFC 5280, section 4.2.1.6, has it"},
	{"SAN ", "the alternative names have to be written as RFC 5280, section 4.2.1.6, has it"},
	{"cannot parse URI", "the alternative names have to be written as RFC 5280, section 4.2.1.6, has it"},
	{"cannot parse IP address", "an IP address has 4 or 16 bytes (RFC 5280, section 4.2.1.6)"},
	{"basic constraints", "the basic constraints have to be written as RFC 5280, section 4.2.1.9, has it"},
	{"key usage", "the key usages have to be written as RFC 5280, section 4.2.1, has it"},
	{"policies", "the certificate policies have to be written as RFC 5280, section 4.2.1.4, has it"},
	{"policy", "the certificate policies have to be written as RFC 5280, section 4.2.1.4, has it"},
	{"onstraint", "the name constraints have to be written as RFC 5280, section 4.2.1.10, has it"},
	{"CRL distribution point", "the distribution points have to be written as RFC 5280, section 4.2.1.13, has it"},
	{"authority info access", "the access descriptions have to be written as RFC 5280, section 4.2.2.1, has it"},
	{"key identifier", "the key identifiers have to be written as RFC 5280, section 4.2.1, has it"},
	{"UTCTime", "the dates have to be written as RFC 5280, section 4.1.2.5, has it"},
	{"GeneralizedTime", "the dates have to be written as RFC 5280, section 4.1.2.5, has it"},
	{"time format", "the dates have to be written as RFC 5280, section 4.1.2.5, has it"},
	{"invalid version", "the certificate has to be of X.509 version 3"},
}

// Help returns the requirement that the certificate misses, for an error of
// x509.ParseCertificate. It is empty where it is not certain that the bytes are meant to be a
// certificate.
func Help(err error) string {
	text := err.Error()
	for _, h := range helps {
		if strings.Contains(text, h.says) {
			return h.help
		}
	}
	return ""
}

// Subject returns the subject of a certificate that crypto/x509 does not read, quoted and
// bounded for a log. It is empty where there is none to be read.
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
	return logtext.Quote(name.String())
}
