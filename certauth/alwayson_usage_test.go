package certauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// bits returns a critical key usage extension with exactly these bits, possibly none.
func bits(t testing.TB, usage x509.KeyUsage) certauthtest.Template {
	t.Helper()
	var value asn1.BitString
	for i := range 9 {
		if usage&(1<<i) != 0 {
			value.Bytes = append(value.Bytes, make([]byte, i/8+1-len(value.Bytes))...)
			value.Bytes[i/8] |= 0x80 >> (i % 8)
			value.BitLength = i + 1
		}
	}
	der := marshal(t, value)
	return func(c *x509.Certificate) {
		c.KeyUsage = 0
		ext(true, der, 2, 5, 29, 15)(c)
	}
}

// noPurpose adds an extended key usage with an empty list.
func noPurpose(c *x509.Certificate) {
	c.ExtKeyUsage = nil
	ext(false, []byte{0x30, 0}, 2, 5, 29, 37)(c)
}

// finding C5: the key usage of the leaf was never read, so a certificate for signing documents, for
// encryption or for certificates was accepted as a client's.
func TestUsage_LeafMustBeForSignaturesOrKeyAgreement(t *testing.T) {
	root := newRoot(t, "Root")
	for _, tc := range []struct {
		name string
		set  certauthtest.Template
		want certauth.Reason
	}{
		{"no key usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, certauth.ReasonNone},
		{"digitalSignature", bits(t, x509.KeyUsageDigitalSignature), certauth.ReasonNone},
		{"keyAgreement", bits(t, x509.KeyUsageKeyAgreement), certauth.ReasonNone},
		{"digitalSignature, keyEncipherment", bits(t, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment), certauth.ReasonNone},
		{"digitalSignature, nonRepudiation", bits(t, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment), certauth.ReasonNone},
		{"nonRepudiation", bits(t, x509.KeyUsageContentCommitment), certauth.ReasonUsageNotAllowed},
		{"keyEncipherment", bits(t, x509.KeyUsageKeyEncipherment), certauth.ReasonUsageNotAllowed},
		{"dataEncipherment", bits(t, x509.KeyUsageDataEncipherment), certauth.ReasonUsageNotAllowed},
		{"keyCertSign", bits(t, x509.KeyUsageCertSign), certauth.ReasonUsageNotAllowed},
		{"cRLSign", bits(t, x509.KeyUsageCRLSign), certauth.ReasonUsageNotAllowed},
		{"encipherOnly", bits(t, x509.KeyUsageEncipherOnly), certauth.ReasonUsageNotAllowed},
		{"decipherOnly", bits(t, x509.KeyUsageDecipherOnly), certauth.ReasonUsageNotAllowed},
		{"nonRepudiation, keyEncipherment, cRLSign", bits(t, x509.KeyUsageContentCommitment|x509.KeyUsageKeyEncipherment|x509.KeyUsageCRLSign), certauth.ReasonUsageNotAllowed},
		// finding C6: a key usage with no bit set was treated as absent.
		{"no bit", bits(t, 0), certauth.ReasonUsageNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leaf := root.newClient(t, tc.set).Certificate
			for name, policy := range underEveryAnchor(root, leaf) {
				t.Run(name, func(t *testing.T) { everyWay(t, tc.want, policy, leaf) })
			}
		})
	}
	t.Run("a real handshake", func(t *testing.T) {
		leaf := root.newClient(t, bits(t, x509.KeyUsageContentCommitment))
		auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: root.roots()})
		require.NoError(t, err)
		server := httptest.NewUnstartedServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
		server.StartTLS()
		t.Cleanup(server.Close)
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leaf.key}}
		t.Cleanup(transport.CloseIdleConnections)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	})
}

func underEveryAnchor(root *party, leaf *x509.Certificate) map[string]certauth.Policy {
	return map[string]certauth.Policy{
		"chain":       root.roots(),
		"thumbprint":  certauth.Thumbprints{thumbprint(leaf)},
		"public key":  certauth.PublicKeys{spkiPin(leaf)},
		"certificate": certauth.Certificates(leaf),
	}
}

// finding C6: the key usage of a CA was treated as absent if it had no bit set.
func TestUsage_CAMustBeForCertificates(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  certauthtest.Template
		want certauth.Reason
	}{
		{"no key usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, certauth.ReasonNone},
		{"keyCertSign", bits(t, x509.KeyUsageCertSign), certauth.ReasonNone},
		{"cRLSign", bits(t, x509.KeyUsageCRLSign), certauth.ReasonChainUntrusted},
		{"digitalSignature", bits(t, x509.KeyUsageDigitalSignature), certauth.ReasonChainUntrusted},
		{"no bit", bits(t, 0), certauth.ReasonChainUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := newRoot(t, "Root")
			issuing := root.newCA(t, "Issuing", tc.set)
			leaf := issuing.newClient(t)
			everyWay(t, tc.want, root.roots(), leaf.Certificate, issuing.Certificate)
			refused := everyWay(t, tc.want, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, leaf.Certificate)
			if refused != nil {
				assert.ErrorContains(t, refused, `key usage of CA certificate "CN=Issuing,O=Partner Ltd"`)
				assert.ErrorContains(t, refused, "want keyCertSign")
			}
			self := newRoot(t, "Own Root", tc.set)
			everyWay(t, tc.want, self.roots(), self.newClient(t).Certificate)
		})
	}
}

// finding C17: of a limit in a form that RFC 5280 does not define only a part was read, or nothing, so that a CA could do
// more than its certificate says. In the form of the first rows each limit refuses nothing here.
//
// RFC 5280, section 4.2: a critical extension with information that cannot be processed must be rejected; sections
// 4.2.1.9, 4.2.1.11 and 4.2.1.14 have the forms.
func TestUsage_LimitsOfACAMustBeReadable(t *testing.T) {
	const basic, policies, anyPolicy = 19, 36, 54
	for _, tc := range []struct {
		name  string
		id    int
		value []byte
		want  certauth.Reason
	}{
		{"basic constraints", basic, []byte{0x30, 3, 1, 1, 0xFF}, certauth.ReasonNone},
		{"basic constraints with a path length", basic, []byte{0x30, 6, 1, 1, 0xFF, 2, 1, 3}, certauth.ReasonNone},
		{"requireExplicitPolicy", policies, []byte{0x30, 3, 0x80, 1, 9}, certauth.ReasonNone},
		{"inhibitPolicyMapping", policies, []byte{0x30, 3, 0x81, 1, 0}, certauth.ReasonNone},
		{"both", policies, []byte{0x30, 6, 0x80, 1, 9, 0x81, 1, 0}, certauth.ReasonNone},
		{"inhibitAnyPolicy", anyPolicy, []byte{2, 1, 0}, certauth.ReasonNone},
		{"a large number", anyPolicy, []byte{2, 2, 0, 0x80}, certauth.ReasonNone},
		{"the largest number of one byte", policies, []byte{0x30, 3, 0x80, 1, 0x7F}, certauth.ReasonNone},

		{"a path length with another tag", basic, []byte{0x30, 6, 1, 1, 0xFF, 0x80, 1, 0}, certauth.ReasonChainUntrusted},
		{"a field behind the path length", basic, []byte{0x30, 9, 1, 1, 0xFF, 2, 1, 3, 2, 1, 0}, certauth.ReasonChainUntrusted},
		{"bytes behind basic constraints", basic, []byte{0x30, 3, 1, 1, 0xFF, 2, 1, 0}, certauth.ReasonChainUntrusted},
		{"one byte behind basic constraints", basic, []byte{0x30, 3, 1, 1, 0xFF, 0}, certauth.ReasonChainUntrusted},
		{"the smallest number of one byte", policies, []byte{0x30, 3, 0x80, 1, 0x80}, certauth.ReasonChainUntrusted},
		{"requireExplicitPolicy below zero", policies, []byte{0x30, 3, 0x80, 1, 0xFF}, certauth.ReasonChainUntrusted},
		{"explicit tags", policies, []byte{0x30, 5, 0xA0, 3, 2, 1, 0}, certauth.ReasonChainUntrusted},
		{"the opposite order", policies, []byte{0x30, 6, 0x81, 1, 9, 0x80, 1, 0}, certauth.ReasonChainUntrusted},
		{"a third field", policies, []byte{0x30, 6, 0x81, 1, 9, 0x82, 1, 0}, certauth.ReasonChainUntrusted},
		{"bytes behind policy constraints", policies, []byte{0x30, 3, 0x81, 1, 9, 0x80, 1, 0}, certauth.ReasonChainUntrusted},
		{"inhibitAnyPolicy below zero", anyPolicy, []byte{2, 1, 0xFF}, certauth.ReasonChainUntrusted},
		{"a byte behind inhibitAnyPolicy", anyPolicy, []byte{2, 1, 9, 0}, certauth.ReasonChainUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			limit := ext(true, tc.value, 2, 5, 29, tc.id)
			root := newRoot(t, "Root")
			issuing := root.newCA(t, "Issuing", limit)
			leaf := issuing.newClient(t)
			everyWay(t, tc.want, root.roots(), leaf.Certificate, issuing.Certificate)
			refused := everyWay(t, tc.want, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, leaf.Certificate)
			if refused != nil {
				assert.ErrorContains(t, refused, fmt.Sprintf(`extension 2.5.29.%d of CA certificate "CN=Issuing,O=Partner Ltd" does not have the form of RFC 5280`, tc.id))
			}
			self := newRoot(t, "Own Root", limit)
			everyWay(t, tc.want, self.roots(), self.newClient(t).Certificate)
			if tc.id == basic {
				return
			}
			own := root.newClient(t, limit).Certificate
			for name, policy := range underEveryAnchor(root, own) {
				want := tc.want
				if want != certauth.ReasonNone && name != "chain" {
					want = certauth.ReasonExtensionNotAllowed
				}
				t.Run(name, func(t *testing.T) { everyWay(t, want, policy, own) })
			}
		})
	}
}

// finding C7: an extended key usage with an empty list was treated as permitting every purpose.
func TestUsage_ExtendedKeyUsageThatListsNothingIsRefused(t *testing.T) {
	root := newRoot(t, "Root")
	leaf := root.newClient(t, noPurpose).Certificate
	for name, policy := range underEveryAnchor(root, leaf) {
		t.Run("the leaf, "+name, func(t *testing.T) {
			refused := everyWay(t, certauth.ReasonUsageNotAllowed, policy, leaf)
			assert.ErrorContains(t, refused, "extended key usage of the leaf lists nothing")
		})
	}
	t.Run("the leaf, StrictEKU", func(t *testing.T) {
		everyWay(t, certauth.ReasonUsageNotAllowed, certauth.Chain{Roots: certsFrom(root), StrictEKU: true}, leaf)
	})
	t.Run("an intermediate", func(t *testing.T) {
		issuing := root.newCA(t, "Issuing", noPurpose)
		below := issuing.newClient(t).Certificate
		everyWay(t, certauth.ReasonUsageNotAllowed, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, below)
		refused := everyWay(t, certauth.ReasonUsageNotAllowed, root.roots(), below, issuing.Certificate)
		assert.ErrorContains(t, refused, `extended key usage of CA certificate "CN=Issuing,O=Partner Ltd" lists nothing`)
	})
	t.Run("a root", func(t *testing.T) {
		own := newRoot(t, "Root", noPurpose)
		everyWay(t, certauth.ReasonUsageNotAllowed, own.roots(), own.newClient(t).Certificate)
	})
}

// finding C8: critical certificate policies with an unknown qualifier were accepted; according to
// RFC 5280, section 4.2.1.4, the certificate must be rejected.
func TestUsage_UnknownPolicyQualifierIsRefusedWhereCritical(t *testing.T) {
	policy, other := marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}), marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2})
	cps, notice := marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}), marshal(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2})
	text := tlv(t, asn1.ClassUniversal, asn1.TagIA5String, false, []byte("https://partner.example/cps"))
	with := func(qualifiers ...[]byte) []byte { return seq(t, seq(t, policy, seq(t, qualifiers...))) }
	for _, tc := range []struct {
		name     string
		critical bool
		value    []byte
		bad      bool
	}{
		{"no qualifier", true, seq(t, seq(t, policy)), false},
		{"CPS", true, with(seq(t, cps, text)), false},
		{"user notice", true, with(seq(t, notice, seq(t))), false},
		{"CPS and user notice", true, with(seq(t, cps, text), seq(t, notice, seq(t))), false},
		{"another", true, with(seq(t, other, text)), true},
		{"another after CPS", true, with(seq(t, cps, text), seq(t, other, text)), true},
		{"another in the second policy", true, seq(t, seq(t, marshal(t, asn1.ObjectIdentifier{1, 2, 3})), seq(t, policy, seq(t, seq(t, other, text)))), true},
		{"another, not critical", false, with(seq(t, other, text)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policies := ext(tc.critical, tc.value, 2, 5, 29, 32)
			root := newRoot(t, "Root")
			leaf := root.newClient(t, policies).Certificate
			for name, anchor := range underEveryAnchor(root, leaf) {
				want := certauth.ReasonNone
				switch {
				case tc.bad && name == "chain":
					want = certauth.ReasonChainUntrusted
				case tc.bad:
					want = certauth.ReasonExtensionNotAllowed
				}
				everyWay(t, want, anchor, leaf)
			}
			want := certauth.ReasonNone
			if tc.bad {
				want = certauth.ReasonChainUntrusted
			}
			issuing := root.newCA(t, "Issuing", policies)
			everyWay(t, want, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, issuing.newClient(t).Certificate)
		})
	}
}

// An extension is identified by its whole identifier.
func TestUsage_ExtensionsWithTheSameEndAreOthers(t *testing.T) {
	root := newRoot(t, "Root")
	for name, change := range map[string]certauthtest.Template{
		"of key usage":          func(c *x509.Certificate) { c.KeyUsage = 0; ext(false, []byte{5, 0}, 1, 3, 6, 15)(c) },
		"of extended key usage": func(c *x509.Certificate) { c.ExtKeyUsage = nil; ext(false, []byte{5, 0}, 1, 3, 6, 37)(c) },
	} {
		t.Run(name, func(t *testing.T) {
			everyWay(t, certauth.ReasonNone, root.roots(), root.newClient(t, change).Certificate)
		})
	}
}

// An extension with fewer arcs than the known ones is a different one.
func TestUsage_ExtensionWithAShortIdentifierIsAnother(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"1.3", "2.5.29", "2.5.37", "2.5.29.37.0"} {
		_, err := judge(t, w.chain(), w.issue(t, withExtension(id, []byte{5, 0})))
		assert.NoError(t, err, id)
	}
}

func TestUsage_RefusalSaysWhatToAskFor(t *testing.T) {
	root := newRoot(t, "Root")
	const wanted = "the partner needs a certificate with the extended key usage clientAuth"
	for _, tc := range []struct {
		name       string
		change     certauthtest.Template
		text, hint string // hint: "" means that of the Reason
	}{
		{"a server's", certauthtest.Usage(x509.ExtKeyUsageServerAuth), "want clientAuth", wanted + "; public CAs no longer issue any: until then AcceptServerAuth takes this one"},
		{"one for mail", certauthtest.Usage(x509.ExtKeyUsageEmailProtection), "want clientAuth", ""},
		{"one for documents and certificates", bits(t, x509.KeyUsageContentCommitment|x509.KeyUsageCertSign), "nonRepudiation, keyCertSign, want digitalSignature or keyAgreement", "the certificate has another purpose, such as encryption; the partner needs one with the key usage digitalSignature"},
	} {
		refused := everyWay(t, certauth.ReasonUsageNotAllowed, root.roots(), root.newClient(t, tc.change).Certificate)
		require.ErrorContains(t, refused, tc.text, tc.name)
		if tc.hint != "" {
			assert.Equal(t, tc.hint, refused.Hint, tc.name)
		} else {
			assert.NotContains(t, refused.Hint, "AcceptServerAuth", tc.name)
		}
	}
}
