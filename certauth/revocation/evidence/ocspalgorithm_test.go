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
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Case 18: algorithms and keys, of a response and of a delegate's certificate.
func TestVerifyOCSP_Algorithms(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	ec, rsa2048, rsa1024 := newKey(t), rsaKey(t, 2048), rsaKey(t, 1024)
	withIdentifier := func(a ocsptest.Algorithm, identifier []byte) ocsptest.Algorithm {
		a.Identifier = identifier
		return a
	}
	rsaOID := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	ecOID := asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	mldsa65 := ocsptest.Algorithm{Identifier: ocsptest.Identifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}, nil), Signature: make([]byte, 3309)}
	sha1 := func(o *evidence.VerifyOptions) { o.AllowSHA1 = true }
	const good, unavailable = evidence.Good, evidence.Unavailable
	weak, notByThisKey := evidence.ErrWeakAlgorithm, evidence.ErrBadSignature
	if mldsa.Key == x509.UnknownPublicKeyAlgorithm { // before Go 1.27
		notByThisKey = weak
	}
	for _, c := range []struct {
		name      string
		key       crypto.Signer
		algorithm ocsptest.Algorithm
		terms     func(*evidence.VerifyOptions)
		status    evidence.Status
		err       error
	}{
		{"RSA with SHA-256", rsa2048, ocsptest.RSA(crypto.SHA256), nil, good, nil},
		{"RSA with SHA-384", rsa2048, ocsptest.RSA(crypto.SHA384), nil, good, nil},
		{"RSA with SHA-512", rsa2048, ocsptest.RSA(crypto.SHA512), nil, good, nil},
		{"RSA with SHA-256 and no parameters", rsa2048, withIdentifier(ocsptest.RSA(crypto.SHA256), ocsptest.Identifier(rsaOID, nil)), nil, good, nil},
		{
			"RSA with SHA-256 and an OCTET STRING as parameters", rsa2048,
			withIdentifier(ocsptest.RSA(crypto.SHA256), ocsptest.Identifier(rsaOID, []byte{4, 0})), nil, unavailable, weak,
		},
		{"RSA with SHA-1", rsa2048, ocsptest.RSA(crypto.SHA1), nil, unavailable, weak},
		{"RSA with SHA-1, allowed", rsa2048, ocsptest.RSA(crypto.SHA1), sha1, good, nil},
		{"RSA with MD5", rsa2048, ocsptest.RSA(crypto.MD5), nil, unavailable, weak},
		{"RSA with MD5, SHA-1 allowed", rsa2048, ocsptest.RSA(crypto.MD5), sha1, unavailable, weak},
		{"RSA of 1024 bits", rsa1024, ocsptest.RSA(crypto.SHA256), nil, unavailable, weak},
		{"RSA of 1024 bits, allowed", rsa1024, ocsptest.RSA(crypto.SHA256), func(o *evidence.VerifyOptions) { o.MinRSABits = 1024 }, good, nil},
		{
			"RSA of 1024 bits, 1025 required", rsa1024, ocsptest.RSA(crypto.SHA256),
			func(o *evidence.VerifyOptions) { o.MinRSABits = 1025 }, unavailable, weak,
		},
		{"PSS with SHA-256", rsa2048, ocsptest.PSS(crypto.SHA256, crypto.SHA256, 32), nil, good, nil},
		{"PSS with SHA-384", rsa2048, ocsptest.PSS(crypto.SHA384, crypto.SHA384, 48), nil, good, nil},
		{"PSS with SHA-512", rsa2048, ocsptest.PSS(crypto.SHA512, crypto.SHA512, 64), nil, good, nil},
		{"PSS with SHA-1", rsa2048, ocsptest.PSS(crypto.SHA1, crypto.SHA1, 20), nil, unavailable, weak},
		{"PSS with a salt a byte too short", rsa2048, ocsptest.PSS(crypto.SHA256, crypto.SHA256, 31), nil, unavailable, weak},
		{"PSS with another mask hash", rsa2048, ocsptest.PSS(crypto.SHA256, crypto.SHA384, 32), nil, unavailable, weak},
		{"ECDSA P-256 with SHA-256", ec, ocsptest.ECDSA(crypto.SHA256), nil, good, nil},
		{"ECDSA P-384", p384, ocsptest.ECDSA(crypto.SHA384), nil, good, nil},
		{"ECDSA P-521", p521, ocsptest.ECDSA(crypto.SHA512), nil, good, nil},
		{"ECDSA P-224", p224, ocsptest.ECDSA(crypto.SHA256), nil, unavailable, weak},
		{"ECDSA with SHA-1", ec, ocsptest.ECDSA(crypto.SHA1), nil, unavailable, weak},
		{"ECDSA with SHA-1, allowed", ec, ocsptest.ECDSA(crypto.SHA1), sha1, good, nil},
		{"ECDSA with NULL parameters", ec, withIdentifier(ocsptest.ECDSA(crypto.SHA256), ocsptest.Identifier(ecOID, []byte{5, 0})), nil, unavailable, weak},
		{"Ed25519", ed, ocsptest.Ed25519(), nil, good, nil},
		{"ML-DSA, by a key of P-256", ec, mldsa65, nil, unavailable, notByThisKey},
	} {
		t.Run("case 18 "+c.name, func(t *testing.T) {
			s := newScene(t)
			s.ca = &identity{cert: makeCert(t, "Clients CA", c.key, makeCert(t, "Root", newKey(t), nil, asCA), asCA).cert, key: c.key}
			s.client = makeCert(t, "client", newKey(t), s.ca, asClient)
			r := s.good()
			r.Algorithm = c.algorithm
			o := at(now)
			if c.terms != nil {
				c.terms(&o)
			}
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
			expect(t, result, err, c.status, c.err)
		})
	}
	for name, key := range map[string]*rsa.PublicKey{
		"more than 8192 bits":         {N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537},
		"a larger exponent than most": {N: new(big.Int).SetBit(big.NewInt(1), 2047, 1), E: 65539},
	} {
		s := newScene(t)
		huge := publicOnly{key}
		s.ca = &identity{cert: makeCert(t, "Clients CA", huge, s.root, asCA).cert, key: s.ca.key}
		s.client.cert = makeCert(t, "client", newKey(t), s.root, asClient).cert
		s.client.cert.RawIssuer = s.ca.cert.RawSubject // its own signature is not checked
		r := s.good()
		r.Algorithm = ocsptest.RSA(crypto.SHA256)
		r.Algorithm.Signature = make([]byte, 1025)
		t.Run("case 18 an issuer with "+name, func(t *testing.T) {
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, unavailable, weak)
			assert.Empty(t, advice.In(err), "a larger key does not help")
		})
	}
	t.Run("case 18 a delegate of RSA 1024 bits", func(t *testing.T) {
		s := newScene(t)
		d := makeCert(t, "responder", rsa1024, s.ca, asDelegate)
		result, err := evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, unavailable, weak)
		assert.Contains(t, advice.In(err), "Verify.MinRSABits")
	})
	t.Run("case 18 a delegate whose certificate is signed with SHA-1", func(t *testing.T) {
		s := sceneWithCAKey(t, rsa2048)
		d := resigned(t, s.delegate(t), s.ca)
		result, err := evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, unavailable, weak)
		o := at(now)
		o.AllowSHA1 = true
		result, err = evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, o)
		expect(t, result, err, good, nil)
	})
	t.Run("case 18 an issuer of RSA 1024 bits that certified the delegate", func(t *testing.T) {
		s := sceneWithCAKey(t, rsa1024)
		result, err := evidence.VerifyOCSP(encode(t, s.by(s.delegate(t))), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, unavailable, weak)
	})
}

// Case 18: ML-DSA (FIPS 204) is accepted if this release of Go supports it. Otherwise the refusal
// says that Go 1.27 does, and that nothing is wrong with the certificate; no other algorithm is
// refused in these words.
func TestVerifyOCSP_MLDSAIsRefusedWithAReasonWhereGoHasNone(t *testing.T) {
	supported := mldsa.Key != x509.UnknownPublicKeyAlgorithm
	mldsa65, dsa, null := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 2}, []byte{5, 0}
	by := func(oid asn1.ObjectIdentifier, parameters []byte) ocsptest.Algorithm {
		return ocsptest.Algorithm{Identifier: ocsptest.Identifier(oid, parameters), Signature: make([]byte, 3309)}
	}
	s := newScene(t)
	text, err := os.ReadFile("../../../testdata/mldsa/rfc9881-65.pem")
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	example, err := x509.ParseCertificate(block.Bytes) // with a key of ML-DSA-65, signed by it
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	delegateSigned := func(with ocsptest.Algorithm) []byte {
		d := s.delegate(t)
		var parts []asn1.RawValue
		_, err := asn1.Unmarshal(d.cert.RawTBSCertificate, &parts)
		require.NoError(t, err)
		parts[2] = asn1.RawValue{FullBytes: with.Identifier} // version, serialNumber, signature
		tbs, err := asn1.Marshal(parts)
		require.NoError(t, err)
		r := s.by(d)
		r.Certificates = [][]byte{encode(t, ocsptest.List{TBS: tbs, Algorithm: with})}
		return encode(t, r)
	}
	signed := func(with ocsptest.Algorithm) []byte {
		r := s.good()
		r.Algorithm = with
		return encode(t, r)
	}
	for _, c := range []struct {
		name    string
		der     []byte
		trusted *x509.Certificate
		says    string
		err     error // where Go supports ML-DSA
	}{
		{"the response", signed(by(mldsa65, nil)), nil, "signed with ML-DSA-65 (FIPS 204)", evidence.ErrBadSignature},
		{"a delegate's certificate", delegateSigned(by(mldsa65, nil)), nil, "certificate signed with ML-DSA-65 (FIPS 204)", evidence.ErrResponderNotAuthorized},
		{"the key of a trusted responder", encode(t, s.by(&identity{cert: example, key: s.ca.key})), example, "key of ML-DSA-65 (FIPS 204)", evidence.ErrBadSignature},
		// RFC 9881, section 2: the parameters are absent.
		{"the response, with NULL parameters", signed(by(mldsa65, null)), nil, "", evidence.ErrWeakAlgorithm},
		{"the response, DSA", signed(by(dsa, nil)), nil, "", evidence.ErrWeakAlgorithm},
		{"a delegate's certificate, DSA", delegateSigned(by(dsa, nil)), nil, "", evidence.ErrWeakAlgorithm},
		{"the key of a delegate, P-224", encode(t, s.by(makeCert(t, "responder", p224, s.ca, asDelegate))), nil, "", evidence.ErrWeakAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := at(now)
			o.TrustedResponders = []*x509.Certificate{c.trusted}
			result, err := evidence.VerifyOCSP(c.der, s.client.cert, s.ca.cert, o)
			if supported || c.says == "" {
				expect(t, result, err, evidence.Unavailable, c.err)
				assert.NotContains(t, err.Error(), "(FIPS 204)")
				assert.Empty(t, advice.In(err))
				return
			}
			expect(t, result, err, evidence.Unavailable, evidence.ErrWeakAlgorithm)
			assert.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, "Go 1.27 and later support it")
			assert.Contains(t, advice.In(err), "nothing is wrong with the certificate")
		})
	}
	_, err = evidence.VerifyOCSP(signed(by(dsa, nil)), s.client.cert, s.ca.cert, at(now))
	assert.ErrorContains(t, err, "signature algorithm SHA-256 with DSA (2.16.840.1.101.3.4.3.2)", "the name in RFC 5758, section 3.1")
}

// RFC 5758, section 3.2, has no parameters for ECDSA, but crypto/x509 does not read them, so such a
// certificate counts in a chain. Then it counts as a responder's, too.
func TestVerifyOCSP_ADelegateWhoseSignatureHasNullParameters(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t)
	var parts []asn1.RawValue
	_, err := asn1.Unmarshal(d.cert.RawTBSCertificate, &parts)
	require.NoError(t, err)
	with := ocsptest.AlgorithmFor(s.ca.key)
	var oid []asn1.RawValue
	_, err = asn1.Unmarshal(with.Identifier, &oid)
	require.NoError(t, err)
	require.Len(t, oid, 1, "ECDSA")
	with.Identifier = ocsptest.Element(ocsptest.TagSequence, oid[0].FullBytes, asn1.NullBytes)
	parts[2] = asn1.RawValue{FullBytes: with.Identifier} // version, serialNumber, signature
	tbs, err := asn1.Marshal(parts)
	require.NoError(t, err)
	r := s.by(d)
	r.Certificates = [][]byte{encode(t, ocsptest.List{TBS: tbs, Key: s.ca.key, Algorithm: with})}
	result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
}

// resigned returns the certificate signed again by an RSA issuer with SHA-1, which
// x509.CreateCertificate does not do.
func resigned(t testing.TB, of, issuer *identity) *identity {
	t.Helper()
	was, is := ocsptest.RSA(crypto.SHA256).Identifier, ocsptest.RSA(crypto.SHA1).Identifier
	l := ocsptest.List{TBS: replaceOnce(t, of.cert.RawTBSCertificate, was, is), Key: issuer.key, Algorithm: ocsptest.RSA(crypto.SHA1)}
	cert, err := x509.ParseCertificate(encode(t, l))
	require.NoError(t, err)
	return &identity{cert: cert, key: of.key, issuer: issuer}
}

// publicOnly is a key that is certified but never signs.
type publicOnly struct{ key crypto.PublicKey }

func (p publicOnly) Public() crypto.PublicKey { return p.key }

func (publicOnly) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("no private key")
}
