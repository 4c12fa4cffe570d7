package certauth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

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
