package revocation_test

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// unpointed makes a certificate of the scene name no source; further changes follow it.
func unpointed(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, nil }

// responderAt returns an authority information access extension with one OCSP responder.
func responderAt(location []byte) change {
	ocsp := ocsptest.OID(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1})
	return extra(ocsptest.Extension{
		OID:   asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1},
		Value: ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.TagSequence, ocsp, location)),
	})
}

const ldapURL = "ldap:///CN=Contoso%20CA,CN=pki,CN=CDP,CN=Public%20Key%20Services,CN=Services,CN=Configuration,DC=contoso,DC=com?certificateRevocationList?base"

// unusablePointers are pointers to sources that are not used, as CAs write them; says is the text
// about each that the refusal must contain.
func unusablePointers(s *scene) []struct {
	name string
	with change
	says string
} {
	at := func(uri string) change { return point(ocsptest.FullName(ocsptest.URI(uri))) }
	indirect := ocsptest.Element(ocsptest.Explicit(2), directory(s.other.cert.RawSubject)) // neither of the CAs
	return []struct {
		name string
		with change
		says string
	}{
		{"a CRL by ldap, the default of AD CS", at(ldapURL), `scheme "ldap"`},
		{"a CRL whose URL has a raw space", at("http://pki.example/CertEnroll/Contoso Issuing CA.crl"), "byte 0x20"},
		{"a CRL whose URL ends in a newline", at("http://pki.example/ca.crl\n"), "byte 0x0a"},
		{"a CRL whose URL begins with a space", at(" http://pki.example/ca.crl"), "byte 0x20"},
		{"a CRL whose URL has a letter beyond ASCII", at("http://pki.example/geschäft.crl"), "byte 0xc3"},
		{"a CRL by ftp", at("ftp://pki.example/ca.crl"), `scheme "ftp"`},
		{"a CRL in a file", at("file:////server/share/ca.crl"), `scheme "file"`},
		{"a CRL whose URL has no scheme", at("pki.example/ca.crl"), "no scheme"},
		{"a CRL whose URL has a colon and no scheme", at("pki.example/ca.crl?a:b"), "no scheme"},
		{"a CRL whose URL has no host", at("http:///ca.crl"), "cannot be read as a URL"},
		{"a CRL in a directory", point(ocsptest.FullName(directory(s.root.cert.RawSubject))), "directory name"},
		{"a CRL of another issuer", point(uri("http://pki.example/all.crl"), indirect), "indirect CRLs are not supported"},
		{"another CRL issuer alone", point(indirect), "indirect CRLs are not supported"},
		{"a CRL by a mail address", point(ocsptest.FullName(ocsptest.Element(ocsptest.Context(1), []byte("crl@pki.example")))), "not a URL"},
		{"a delta CRL alone, by ldap", extra(freshest(ldapURL)), `scheme "ldap"`},
		{"a responder without a scheme", responderAt(ocsptest.URI("ocsp.pki.example")), "no scheme"},
		{"a responder behind a space", responderAt(ocsptest.URI(" http://ocsp.pki.example")), "byte 0x20"},
		{"a responder by ldap", responderAt(ocsptest.URI("ldap://ocsp.pki.example")), `scheme "ldap"`},
		{"a responder by an empty URL", responderAt(ocsptest.URI("")), "no scheme"},
		{"a responder by a directory name", responderAt(directory(s.root.cert.RawSubject)), "directory name"},
		{"an old Netscape URL", extra(ocsptest.Extension{OID: asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, 3}, Value: []byte("\x16\x01x")}), "Netscape"},
	}
}

// finding C1: AllowNoSource accepted a revoked certificate whose CA publishes in a place that the
// library does not use, and the log of the strict Config said that the certificate named no source.
func TestChecker_CertificateWithAnUnusablePointerNamesASource(t *testing.T) {
	for _, c := range unusablePointers(newScene(t)) {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			client := w.issue(t, "client", unpointed, c.with)
			sub := makeCert(t, "Sub CA", newKey(t), w.root, asCA, c.with)
			below := makeCert(t, "client", newKey(t), sub, asClient)
			for name, allowed := range map[string]func(*revocation.Config){"AllowNoSource": allowNoSource, "strict": func(*revocation.Config) {}} {
				for where, chain := range map[string][]*x509.Certificate{
					"the client's own": certs(client, w.ca, w.root), "its CA's": certs(below, sub, w.root),
				} {
					found, err := w.checker(t, allowed, func(config *revocation.Config) {
						config.Scope = revocation.ChainExceptAnchor
					}).CheckChain(t.Context(), chain)
					if where == "its CA's" && name == "strict" {
						assert.ErrorContains(t, err, "names no OCSP responder and no CRL", "the client itself names nobody")
						continue
					}
					require.ErrorIs(t, err, revocation.ErrNoSource, "%s, %s", name, where)
					assert.Equal(t, isUnavailable.String(), found.Status.String())
					assert.ErrorContains(t, err, c.says)
					var refused *certauth.Error
					require.ErrorAs(t, err, &refused)
					assert.Equal(t, certauth.ReasonRevocationUnavailable, refused.Reason)
					assert.Contains(t, refused.Hint, "Config.Lists")
					assert.NotContains(t, refused.Hint, "AllowNoSource")
				}
			}
			assert.Zero(t, w.net.total()-w.net.count(rootsURL), "no source was asked about the client")
		})
	}
	t.Run("a certificate that names nobody is accepted", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "client", unpointed, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://pki.example/ca.cer"} })
		found, err := w.checker(t, leafOnly, allowNoSource).CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		assert.Equal(t, isWaived.String(), found.Status.String())
	})
	t.Run("an unusable pointer beside a usable one changes nothing", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "client", unpointed, point(ocsptest.FullName(ocsptest.URI(ldapURL), ocsptest.URI(crlURL))))
		w.net.serve(crlURL, body(encode(t, w.list(entryFor(client)))))
		found, err := w.checker(t, leafOnly, allowNoSource).CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		assert.Equal(t, isRevoked.String(), found.Status.String())
	})
}
