package evidence_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// RFC 4055, section 3.1: the parameters of RSASSA-PSS and their defaults. The signatures are
// genuine; only the response's description of them differs.
func TestVerifyOCSP_PSSParametersAreReadToTheEnd(t *testing.T) {
	key := rsaKey(t, 2048)
	pssOID, mgf1 := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	sha256OID, sha384OID := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	null := []byte{5, 0}
	sha := ocsptest.Identifier(sha256OID, null)
	explicit := func(n byte, content ...[]byte) []byte { return ocsptest.Element(ocsptest.Explicit(n), content...) }
	sequence := func(content ...[]byte) []byte { return ocsptest.Element(ocsptest.TagSequence, content...) }
	number := func(n int64) []byte { return ocsptest.Integer(big.NewInt(n)) }
	hash, mask, salt := explicit(0, sha), explicit(1, ocsptest.Identifier(mgf1, sha)), explicit(2, number(32))
	mask0, twice := explicit(1, ocsptest.Identifier(mgf1, ocsptest.Identifier(sha256OID, nil))), slices.Concat(sha, sha)
	sha512OID := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	both := func(oid asn1.ObjectIdentifier, salt []byte) []byte {
		one := ocsptest.Identifier(oid, null)
		return sequence(explicit(0, one), explicit(1, ocsptest.Identifier(mgf1, one)), salt)
	}
	weak := evidence.ErrWeakAlgorithm
	for name, tc := range map[string]struct {
		parameters []byte
		err        error
	}{
		"all three":                               {sequence(hash, mask, salt), nil},
		"hashes without parameters":               {sequence(explicit(0, ocsptest.Identifier(sha256OID, nil)), mask0, salt), nil},
		"none at all":                             {nil, weak},
		"NULL":                                    {null, weak},
		"the defaults, which are SHA-1":           {sequence(), weak},
		"no hash, which is SHA-1":                 {sequence(mask, salt), weak},
		"no mask, which is MGF1 with SHA-1":       {sequence(hash, salt), weak},
		"no salt, which is 20 bytes":              {sequence(hash, mask), weak},
		"a SET in place of the SEQUENCE":          {ocsptest.Element(0x31, hash, mask, salt), weak},
		"a fourth element, trailerField 1":        {sequence(hash, mask, salt, explicit(3, number(1))), weak},
		"an element after the salt":               {sequence(hash, mask, salt, number(1)), weak},
		"two hashes":                              {sequence(explicit(0, twice), mask, salt), weak},
		"a number in place of the hash":           {sequence(explicit(0, number(1)), mask, salt), weak},
		"two masks":                               {sequence(hash, explicit(1, ocsptest.Identifier(mgf1, sha), sha), salt), weak},
		"a number in place of the mask":           {sequence(hash, explicit(1, number(1)), salt), weak},
		"a mask function that is not MGF1":        {sequence(hash, explicit(1, ocsptest.Identifier(sha384OID, sha)), salt), weak},
		"a mask function without a hash":          {sequence(hash, explicit(1, ocsptest.Identifier(mgf1, nil)), salt), weak},
		"a mask function with a number":           {sequence(hash, explicit(1, ocsptest.Identifier(mgf1, number(1))), salt), weak},
		"another hash in the mask":                {sequence(hash, explicit(1, ocsptest.Identifier(mgf1, ocsptest.Identifier(sha384OID, null))), salt), weak},
		"two salts":                               {sequence(hash, mask, explicit(2, number(32), number(32))), weak},
		"a salt that is no number":                {sequence(hash, mask, explicit(2, null)), weak},
		"an empty salt":                           {sequence(hash, mask, explicit(2)), weak},
		"a salt of 33 bytes, in words":            {sequence(hash, mask, explicit(2, number(33))), weak},
		"parameters of the hash that are no NULL": {sequence(explicit(0, ocsptest.Identifier(sha256OID, number(1))), mask, salt), weak},
		"parameters of the mask's hash, no NULL":  {sequence(hash, explicit(1, ocsptest.Identifier(mgf1, ocsptest.Identifier(sha256OID, number(1)))), salt), weak},
		"SHA-256 with the salt of SHA-384":        {sequence(hash, mask, explicit(2, number(48))), weak},
		"SHA-256 with the salt of SHA-512":        {sequence(hash, mask, explicit(2, number(64))), weak},
		"SHA-384 with the salt of SHA-256":        {both(sha384OID, salt), weak},
		"SHA-512 with the salt of SHA-256":        {both(sha512OID, salt), weak},
	} {
		t.Run(name, func(t *testing.T) {
			s := sceneWithCAKey(t, key)
			r := s.good()
			r.Algorithm = ocsptest.Algorithm{
				Identifier: ocsptest.Identifier(pssOID, tc.parameters),
				Options:    &rsa.PSSOptions{SaltLength: 32, Hash: crypto.SHA256},
			}
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			expectGoodUnless(t, result, err, tc.err)
		})
	}
}

// RFC 5758, section 3.2, and RFC 8410, section 3: these algorithms have no parameters, with
// SHA-1 allowed or not.
func TestVerifyOCSP_AlgorithmsWithoutParametersHaveNone(t *testing.T) {
	null := []byte{5, 0}
	for name, tc := range map[string]struct {
		algorithm ocsptest.Algorithm
		oid       asn1.ObjectIdentifier
	}{
		"ECDSA with SHA-1":   {ocsptest.ECDSA(crypto.SHA1), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}},
		"ECDSA with SHA-256": {ocsptest.ECDSA(crypto.SHA256), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
		"ECDSA with SHA-384": {ocsptest.ECDSA(crypto.SHA384), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}},
		"ECDSA with SHA-512": {ocsptest.ECDSA(crypto.SHA512), asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			s := sceneWithCAKey(t, newKey(t))
			o := at(now)
			o.AllowSHA1 = true
			r := s.good()
			r.Algorithm = tc.algorithm
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
			expect(t, result, err, evidence.Good, nil)
			r.Algorithm.Identifier = ocsptest.Identifier(tc.oid, null)
			result, err = evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
			expect(t, result, err, evidence.Unavailable, evidence.ErrWeakAlgorithm)
			assert.NotContains(t, err.Error(), "AllowSHA1", "finding K81: it is set, and does not help")
		})
	}
}

// An AlgorithmIdentifier is an identifier followed by at most one element (RFC 5280, section
// 4.1.1.2).
func TestVerifyOCSP_AlgorithmIdentifierOfThreeElementsIsRefused(t *testing.T) {
	s := sceneWithCAKey(t, rsaKey(t, 2048))
	r := s.good()
	r.Algorithm = ocsptest.RSA(crypto.SHA256)
	oid := ocsptest.OID(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11})
	for name, identifier := range map[string][]byte{
		"two NULLs":             ocsptest.Element(ocsptest.TagSequence, oid, []byte{5, 0, 5, 0}),
		"half an element after": ocsptest.Element(ocsptest.TagSequence, oid, []byte{5}),
		"no identifier":         ocsptest.Element(ocsptest.TagSequence, []byte{5, 0}),
	} {
		t.Run(name, func(t *testing.T) {
			r.Algorithm.Identifier = identifier
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Unavailable, evidence.ErrMalformed)
		})
	}
}

// RFC 6960, section 4.2.2.2: the issuer's signature on its certificate makes a delegate, with any
// of the algorithms that a response may have.
func TestVerifyOCSP_DelegatesCertifiedByEachAlgorithm(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	curve := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		require.NoError(t, err)
		return key
	}
	key := rsaKey(t, 2048)
	for _, tc := range []struct {
		key crypto.Signer
		by  x509.SignatureAlgorithm
	}{
		{key, x509.SHA256WithRSA},
		{key, x509.SHA384WithRSA},
		{key, x509.SHA512WithRSA},
		{key, x509.SHA256WithRSAPSS},
		{key, x509.SHA384WithRSAPSS},
		{key, x509.SHA512WithRSAPSS},
		{curve(elliptic.P256()), x509.ECDSAWithSHA256},
		{curve(elliptic.P384()), x509.ECDSAWithSHA384},
		{curve(elliptic.P521()), x509.ECDSAWithSHA512},
		{ed, x509.PureEd25519},
	} {
		t.Run(tc.by.String(), func(t *testing.T) {
			s := sceneWithCAKey(t, tc.key)
			d := makeCert(t, "responder", newKey(t), s.ca, asDelegate, func(c *x509.Certificate) { c.SignatureAlgorithm = tc.by })
			result, err := evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Good, nil)
		})
	}
	t.Run("ECDSA with SHA-1", func(t *testing.T) {
		s := newScene(t)
		of := makeCert(t, "responder", newKey(t), s.ca, asDelegate)
		var parts []asn1.RawValue
		_, err := asn1.Unmarshal(of.cert.RawTBSCertificate, &parts)
		require.NoError(t, err)
		parts[2] = asn1.RawValue{FullBytes: ocsptest.ECDSA(crypto.SHA1).Identifier} // version, serialNumber, signature
		tbs, err := asn1.Marshal(parts)
		require.NoError(t, err)
		l := ocsptest.List{TBS: tbs, Key: s.ca.key, Algorithm: ocsptest.ECDSA(crypto.SHA1)}
		cert, err := x509.ParseCertificate(encode(t, l))
		require.NoError(t, err)
		d := &identity{cert: cert, key: of.key, issuer: s.ca}
		o := at(now)
		result, err := evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Unavailable, evidence.ErrWeakAlgorithm)
		o.AllowSHA1 = true
		result, err = evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Good, nil)
	})
}

// The largest usable key has 8192 bits, and its signature is checked.
func TestVerifyOCSP_IssuerOfExactly8192BitsIsUsed(t *testing.T) {
	s := newScene(t)
	modulus := new(big.Int).SetBit(big.NewInt(1), 8191, 1)
	large := publicOnly{&rsa.PublicKey{N: modulus, E: 65537}}
	s.ca = &identity{cert: makeCert(t, "Clients CA", large, s.root, asCA).cert, key: s.ca.key}
	s.client.cert = makeCert(t, "client", newKey(t), s.root, asClient).cert
	s.client.cert.RawIssuer = s.ca.cert.RawSubject // its own signature is not checked
	r := s.good()
	r.Algorithm = ocsptest.RSA(crypto.SHA256)
	r.Algorithm.Signature = make([]byte, 1024)
	result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrBadSignature)
}
