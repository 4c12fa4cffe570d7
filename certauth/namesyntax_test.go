package certauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding T147: New accepted names that no certificate can have, which a Not then excluded in vain.
func TestNames_SyntaxIsReadAsDocumented(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	behind := func(p certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, p}
	}
	host := ca.Issue(t, "client", certauthtest.DNS("a_b-c.example"), certauthtest.Email("a.b+c_d@x.example")).Certificate
	runVerdicts(t, []verdict{
		{"underscore and hyphen in a host name", behind(certauth.DNSNames{"a_b-c.example"}), host, certauth.ReasonNone},
		{"plus, dot and underscore in a mailbox", behind(certauth.Emails{"a.b+c_d@x.example"}), host, certauth.ReasonNone},
	})
	const dotted = "the host has a dot at the end or an empty label, which no URI in a certificate may have"
	const upn = "has a leading or trailing space, or is not UTF-8"
	runMisconfigured(t, []misconfigured{
		{"finding T147: a URI whose host has a dot at the end", behind(certauth.URIs{"https://a.example./b"}), []string{`Policy.All[1].URIs[0]: "https://a.example./b": ` + dotted}},
		{"finding T147: a URI whose host has an empty label", behind(certauth.URIs{"https://a..example/b"}), []string{`Policy.All[1].URIs[0]: "https://a..example/b": ` + dotted}},
		{"finding T147: a trust domain that begins with a dot", behind(certauth.SPIFFEIDs{"spiffe://.example/b"}), []string{`Policy.All[1].SPIFFEIDs[0]: "spiffe://.example/b": ` + dotted}},
		{"finding T147: a principal name before a space", behind(certauth.UPNs{"eve@a.example "}), []string{`Policy.All[1].UPNs[0]: "eve@a.example ": ` + upn}},
		{"finding T147: a principal name in Latin-1", behind(certauth.UPNs{"j\xF6rg@a.example"}), []string{`Policy.All[1].UPNs[0]: "j\xf6rg@a.example": ` + upn}},
		{"finding T147: a common name in Latin-1", behind(certauth.CommonNames{"j\xF6rg"}), []string{`Policy.All[1].CommonNames[0]: "j\xf6rg" is not UTF-8`}},
		{"finding T147: the text of an extension in Latin-1", behind(certauth.Extension{OID: "1.2.3", Text: []string{"j\xF6rg"}}), []string{`Policy.All[1].Extension.Text[0]: "j\xf6rg" is not UTF-8`}},
		{"finding T147: longer than certificates are issued for", behind(certauth.Validity{MaxLifetime: time.Hour, MinRemaining: time.Hour}), []string{"Policy.All[1].Validity: MinRemaining is 1h0m0s and MaxLifetime 1h0m0s, so that every certificate is refused"}},
	})
	for name, policy := range map[string]certauth.Policy{
		"a URI whose host is an address": certauth.URIs{"https://[::ffff:1.2.3.4]:443/b"},
		"a URI without a host":           certauth.URIs{"urn:a..b"},
		"a principal name with a space":  certauth.UPNs{"eve m@a.example"},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: behind(policy)})
		assert.NoError(t, err, name)
	}
	for name, policy := range map[string]certauth.Policy{
		"two at signs in a principal name":   certauth.UPNs{"a@b@c"},
		"a space in a URI":                   certauth.URIs{"https://a.example/ b"},
		"a letter outside ASCII in a URI":    certauth.URIs{"https://a.example/ü"},
		"a serial number with a sign":        certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=CA", Serial: "+01"}}},
		"a negative serial number":           certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=CA", Serial: "-01"}}},
		"a mailbox that starts with a dot":   certauth.Emails{".a@x.example"},
		"a mailbox with a space":             certauth.Emails{"a b@x.example"},
		"a mailbox whose host has an at":     certauth.Emails{"a@b@x.example"},
		"an OID with an arc beyond 31 bits":  certauth.Extension{OID: "1.3.6.1.4.1.2147483648", Present: true},
		"an OID with a zero in front":        certauth.Extension{OID: "1.3.06", Present: true},
		"a host name with an empty label":    certauth.DNSNames{"a..example"},
		"a host name of 254 bytes":           certauth.DNSNames{longHost(254)},
		"a host name with a label of 64":     certauth.DNSNames{longLabel(64) + ".example"},
		"a host name that ends with a dot":   certauth.DNSNames{"a.example."},
		"a host name that begins with a dot": certauth.DNSNames{".a.example"},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: behind(policy)})
		assert.Error(t, err, name)
	}
	for name, policy := range map[string]certauth.Policy{
		"a host name of 253 bytes":       certauth.DNSNames{longHost(253)},
		"a host name with a label of 63": certauth.DNSNames{longLabel(63) + ".example"},
		"a serial number of 21 bytes":    certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=CA", Serial: "01ff000000000000000000000000000000000000ff"}}},
		"an OID with an arc of 31 bits":  certauth.Extension{OID: "1.3.6.1.4.1.2147483647", Present: true},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: behind(policy)})
		assert.NoError(t, err, name)
	}
}

func longLabel(n int) string {
	label := make([]byte, n)
	for i := range label {
		label[i] = 'a'
	}
	return string(label)
}

// longHost returns a host name of exactly n bytes in labels of at most 50.
func longHost(n int) string {
	host := ""
	for n > 51 {
		host += longLabel(50) + "."
		n -= 51
	}
	return host + longLabel(n)
}
