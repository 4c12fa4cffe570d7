package evidence_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Any CA can certify another one's key, with any key usage and key identifier. Such a certificate
// may add permissions, and must not take any away (RFC 5280, section 4.2.1.3: a certificate without
// the extension limits nothing).
func TestMergeIssuers_AddsPermissionsAndTakesNoneAway(t *testing.T) {
	const certs, lists, encipherment = x509.KeyUsageCertSign, x509.KeyUsageCRLSign, x509.KeyUsageKeyEncipherment
	key, root := newKey(t), makeCert(t, "Root", newKey(t), nil, asCA)
	ca := func(usage x509.KeyUsage, id string) *x509.Certificate {
		return makeCert(t, "Clients CA", key, root, asCA, keyUsage(usage), func(c *x509.Certificate) { c.SubjectKeyId = []byte(id) }).cert
	}
	for _, c := range []struct {
		name       string
		own, other *x509.Certificate
		usage      x509.KeyUsage
		limited    bool // there is a keyUsage extension
		id         string
		same       bool // own itself is returned
	}{
		{"the same", ca(certs|lists, "ca"), ca(certs|lists, "ca"), certs | lists, true, "ca", true},
		{"fewer usages", ca(certs|lists, "ca"), ca(certs, "ca"), certs | lists, true, "ca", true},
		{"another usage", ca(certs, "ca"), ca(lists, "ca"), certs | lists, true, "ca", false},
		{"a useless usage", ca(certs|lists, "ca"), ca(encipherment, "ca"), certs | lists | encipherment, true, "ca", false},
		{"no limit, in place of one", ca(certs, "ca"), ca(0, "ca"), 0, false, "ca", false},
		{"a limit, in place of none", ca(0, "ca"), ca(encipherment, "ca"), 0, false, "ca", true},
		{"no limit, twice", ca(0, "ca"), ca(0, "ca"), 0, false, "ca", true},
		{"another identifier", ca(certs|lists, "ca"), ca(certs|lists, "no"), certs | lists, true, "", false},
		{"another identifier of another length", ca(certs|lists, "ca"), ca(certs|lists, "another"), certs | lists, true, "", false},
		{"another identifier and another usage", ca(certs, "ca"), ca(lists, "no"), certs | lists, true, "", false},
		{"another identifier, and no limit in place of one", ca(certs, "ca"), ca(0, "no"), 0, false, "", false},
		{"another identifier, and no limit twice", ca(0, "ca"), ca(0, "no"), 0, false, "", false},
		{"another identifier, and a limit in place of none", ca(0, "ca"), ca(encipherment, "no"), 0, false, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := *c.own
			merged := evidence.MergeIssuers(c.own, c.other)
			assert.Equal(t, before, *c.own, "own is not changed")
			assert.Equal(t, c.same, merged == c.own)
			assert.Equal(t, c.usage, merged.KeyUsage)
			assert.Equal(t, c.limited, hasKeyUsage(merged))
			assert.Equal(t, c.id, string(merged.SubjectKeyId))
			assert.Equal(t, c.own.RawSubject, merged.RawSubject)
			assert.Equal(t, c.own.PublicKey, merged.PublicKey)
			again := evidence.MergeIssuers(merged, c.other)
			assert.Equal(t, *merged, *again, "nothing is left to add")
		})
	}
}

func hasKeyUsage(cert *x509.Certificate) bool {
	for _, e := range cert.Extensions {
		if e.Id.String() == "2.5.29.15" {
			return true
		}
	}
	return false
}

// Evidence that the CA's own key has signed counts whatever another certificate of the key says.
func TestMergeIssuers_KeepsGenuineEvidenceGood(t *testing.T) {
	s := newScene(t)
	hostile := makeCert(t, "Clients CA", s.ca.key, makeCert(t, "Root", newKey(t), nil, asCA), asCA, keyUsage(x509.KeyUsageKeyEncipherment),
		func(c *x509.Certificate) { c.SubjectKeyId = []byte("another") })
	for name, merged := range map[string]*x509.Certificate{
		"seen after the genuine one":  evidence.MergeIssuers(s.ca.cert, hostile.cert),
		"seen before the genuine one": evidence.MergeIssuers(hostile.cert, s.ca.cert),
	} {
		t.Run(name, func(t *testing.T) {
			l := s.list()
			l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(s.ca.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
			result, err := evidence.VerifyCRL(encode(t, l), s.client.cert, merged, at(now))
			expect(t, result, err, evidence.Good, nil)
			result, err = evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, merged, at(now))
			expect(t, result, err, evidence.Good, nil)
		})
	}
}
