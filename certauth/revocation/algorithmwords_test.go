package revocation_test

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// AllowSHA1 is named only if it helps: it permits neither MD5 nor DSA.
func TestVerifyOCSP_RefusedAlgorithmIsNamedWithItsOption(t *testing.T) {
	unsigned := func(oid ...int) ocsptest.Algorithm {
		return ocsptest.Algorithm{Identifier: ocsptest.Identifier(asn1.ObjectIdentifier(oid), nil), Signature: make([]byte, 64)}
	}
	for _, c := range []struct {
		name      string
		key       crypto.Signer
		algorithm ocsptest.Algorithm
		says      string
		option    bool
	}{
		{"RSA with SHA-1", rsaKey(t, 2048), ocsptest.RSA(crypto.SHA1), "SHA-1", true},
		{"ECDSA with SHA-1", newKey(t), ocsptest.ECDSA(crypto.SHA1), "SHA-1", true},
		{"RSA with MD5", rsaKey(t, 2048), ocsptest.RSA(crypto.MD5), "MD5 with RSA (1.2.840.113549.1.1.4)", false},
		{"DSA", newKey(t), unsigned(1, 2, 840, 10040, 4, 3), "SHA-1 with DSA (1.2.840.10040.4.3)", false},
		{"one that nobody knows", newKey(t), unsigned(1, 2, 3, 4), "signature algorithm 1.2.3.4", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := sceneWithCAKey(t, c.key)
			r := s.good()
			r.Algorithm = c.algorithm
			_, err := revocation.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			require.ErrorIs(t, err, evidence.ErrWeakAlgorithm)
			assert.ErrorContains(t, err, c.says)
			if c.option {
				assert.ErrorContains(t, err, "AllowSHA1")
			} else {
				assert.NotContains(t, err.Error(), "AllowSHA1")
			}
		})
	}
}

// A delegate's certificate that is signed with MD5 is refused for that reason, whatever AllowSHA1
// is, because such a signature is never checked.
func TestVerifyOCSP_DelegateSignedWithMD5(t *testing.T) {
	s := sceneWithCAKey(t, rsaKey(t, 2048))
	d := s.delegate(t)
	l := ocsptest.List{
		TBS: replaceOnce(t, d.cert.RawTBSCertificate, ocsptest.RSA(crypto.SHA256).Identifier, ocsptest.RSA(crypto.MD5).Identifier),
		Key: s.ca.key, Algorithm: ocsptest.RSA(crypto.MD5),
	}
	cert, err := x509.ParseCertificate(encode(t, l))
	require.NoError(t, err)
	for _, sha1 := range []bool{false, true} {
		o := at(now)
		o.AllowSHA1 = sha1
		result, err := revocation.VerifyOCSP(encode(t, s.by(&identity{cert: cert, key: d.key, issuer: s.ca})), s.client.cert, s.ca.cert, o)
		expect(t, result, err, revocation.Unavailable, evidence.ErrWeakAlgorithm)
	}
}
