package evidence_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// now is the time at which all evidence here is verified.
var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

const (
	skew = evidence.DefaultSkew
	day  = 24 * time.Hour
)

var serials atomic.Int64

// identity is a certificate and its key.
type identity struct {
	cert   *x509.Certificate
	key    crypto.Signer
	issuer *identity
}

type change func(*x509.Certificate)

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

var rsaKeys sync.Map

// rsaKey is slow, so there is one key of each size.
func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	if key, ok := rsaKeys.Load(bits); ok {
		return key.(crypto.Signer)
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	rsaKeys.Store(bits, key)
	return key
}

// makeCert issues a certificate, self-signed if issuer is nil.
func makeCert(t testing.TB, name string, key crypto.Signer, issuer *identity, changes ...change) *identity {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x1000_0000 + serials.Add(1)), // the same number of octets for all, with the first bit clear
		Subject:      pkix.Name{Organization: []string{"Contoso"}, CommonName: name},
		NotBefore:    now.Add(-30 * day), NotAfter: now.Add(60 * day),
	}
	for _, c := range changes {
		c(template)
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &identity{cert: cert, key: key, issuer: issuer}
}

func asCA(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	c.NotBefore, c.NotAfter = now.Add(-1000*day), now.Add(1000*day)
}

func asDelegate(c *x509.Certificate) {
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	c.ExtraExtensions = []pkix.Extension{{Id: ocsptest.OIDNoCheck, Value: []byte{5, 0}}}
}

func asClient(c *x509.Certificate) {
	c.KeyUsage = x509.KeyUsageDigitalSignature
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
}

func usages(list ...x509.ExtKeyUsage) change {
	return func(c *x509.Certificate) { c.ExtKeyUsage = list }
}

func keyUsage(usage x509.KeyUsage) change {
	return func(c *x509.Certificate) { c.KeyUsage = usage }
}

func valid(from, to time.Time) change {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

func noExtras(c *x509.Certificate) { c.ExtraExtensions = nil }

func extra(e ocsptest.Extension) change {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: e.OID, Critical: e.Critical, Value: e.Value})
	}
}

// scene is a root, a CA below it, and two of its clients.
type scene struct {
	root, ca, client, other *identity
}

func newScene(t testing.TB, clientChanges ...change) *scene {
	t.Helper()
	return sceneWithCAKey(t, newKey(t), clientChanges...)
}

func sceneWithCAKey(t testing.TB, key crypto.Signer, clientChanges ...change) *scene {
	t.Helper()
	s := &scene{root: makeCert(t, "Root", newKey(t), nil, asCA)}
	s.ca = makeCert(t, "Clients CA", key, s.root, asCA)
	s.client = makeCert(t, "client", newKey(t), s.ca, append([]change{asClient}, clientChanges...)...)
	s.other = makeCert(t, "other", newKey(t), s.ca, asClient)
	return s
}

// answer returns a fresh answer about the certificate.
func (s *scene) answer(about *identity, status []byte) ocsptest.Answer {
	return ocsptest.Answer{
		ID: ocsptest.IDOf(crypto.SHA1, s.ca.cert, about.cert.SerialNumber), Status: status,
		ThisUpdate: ocsptest.At(now.Add(-time.Hour)), NextUpdate: ocsptest.At(now.Add(23 * time.Hour)),
	}
}

// good returns the response from which every case starts: signed by the CA, without mistakes.
func (s *scene) good() ocsptest.Response {
	return ocsptest.Response{
		Responder: ocsptest.ByName(s.ca.cert.RawSubject), ProducedAt: ocsptest.At(now.Add(-30 * time.Minute)),
		Answers: []ocsptest.Answer{s.answer(s.client, ocsptest.StatusGood)}, Key: s.ca.key,
	}
}

// by returns good, signed by a certificate that is embedded.
func (s *scene) by(signer *identity) ocsptest.Response {
	r := s.good()
	r.Responder, r.Key, r.Certificates = ocsptest.ByName(signer.cert.RawSubject), signer.key, [][]byte{signer.cert.Raw}
	return r
}

// delegate returns a responder that the CA certified.
func (s *scene) delegate(t testing.TB, changes ...change) *identity {
	t.Helper()
	return makeCert(t, "responder", newKey(t), s.ca, append([]change{asDelegate}, changes...)...)
}

// list returns the CRL from which every case starts: it contains the other client, not ours.
func (s *scene) list(entries ...ocsptest.Entry) ocsptest.List {
	return ocsptest.List{
		Issuer: s.ca.cert.RawSubject, ThisUpdate: ocsptest.UTCAt(now.Add(-time.Hour)), NextUpdate: ocsptest.UTCAt(now.Add(day)),
		Entries: append([]ocsptest.Entry{entryFor(s.other)}, entries...), Key: s.ca.key,
		Extensions: []ocsptest.Extension{ocsptest.AuthorityKeyID(s.ca.cert.SubjectKeyId), ocsptest.CRLNumber(7)},
	}
}

func entryFor(about *identity, extensions ...ocsptest.Extension) ocsptest.Entry {
	return ocsptest.Entry{
		Serial: ocsptest.Integer(about.cert.SerialNumber), RevokedAt: ocsptest.UTCAt(now.Add(-2 * day)), Extensions: extensions,
	}
}

type encoder interface{ Encode() ([]byte, error) }

func encode(t testing.TB, e encoder) []byte {
	t.Helper()
	der, err := e.Encode()
	require.NoError(t, err)
	return der
}

func at(t time.Time) evidence.VerifyOptions { return evidence.VerifyOptions{Now: t} }

type verifier func(der []byte, cert, issuer *x509.Certificate, o evidence.VerifyOptions) (evidence.Result, error)

// expect checks one outcome: a status without an error, or an error without a status and without
// any of the evidence.
func expect(t *testing.T, result evidence.Result, err error, status evidence.Status, sentinel error) {
	t.Helper()
	assert.Equal(t, status.String(), result.Status.String())
	if status != evidence.Unavailable {
		require.NoError(t, err)
		assert.NotEmpty(t, result.Responder)
		assert.False(t, result.UsableUntil.IsZero(), "UsableUntil")
		return
	}
	require.ErrorIs(t, err, sentinel)
	rest := result
	if rest.StaleRevoked { // in addition to ErrNotFresh
		rest.StaleRevoked, rest.ThisUpdate = false, time.Time{}
	}
	rest.Source, rest.ReasonsCovered = evidence.SourceNone, 0
	assert.Equal(t, evidence.Result{}, rest, "a part of the refused evidence remained")
	assert.False(t, result.StaleRevoked && sentinel != evidence.ErrNotFresh, "StaleRevoked together with another error") //nolint:errorlint // the sentinel of the table
}

// expectGoodUnless is expect for evidence that says good unless it is refused.
func expectGoodUnless(t *testing.T, result evidence.Result, err, refused error) {
	t.Helper()
	status := evidence.Good
	if refused != nil {
		status = evidence.Unavailable
	}
	expect(t, result, err, status, refused)
}

// evidenceCase is one fault in otherwise correct evidence.
type evidenceCase struct {
	name   string
	der    []byte
	terms  func(*evidence.VerifyOptions)
	status evidence.Status
	err    error
}

func run(t *testing.T, verify verifier, cert, issuer *identity, cases []evidenceCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := at(now)
			if c.terms != nil {
				c.terms(&o)
			}
			result, err := verify(c.der, cert.cert, issuer.cert, o)
			expect(t, result, err, c.status, c.err)
		})
	}
}

// replaceOnce replaces the only occurrence of old by the same number of bytes.
func replaceOnce(t testing.TB, in, old, replacement []byte) []byte {
	t.Helper()
	require.Equal(t, 1, bytes.Count(in, old))
	require.Len(t, replacement, len(old))
	return bytes.Replace(in, old, replacement, 1)
}

// version1 returns a certificate of version 1, which x509.CreateCertificate does not make.
func version1(t testing.TB, s *scene) *identity {
	t.Helper()
	key := newKey(t)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	algorithm := ocsptest.AlgorithmFor(s.ca.key)
	validity := ocsptest.Element(ocsptest.TagSequence, ocsptest.UTCAt(now.Add(-day)), ocsptest.UTCAt(now.Add(day)))
	tbs := ocsptest.Element(ocsptest.TagSequence, ocsptest.Integer(big.NewInt(5000)), algorithm.Identifier, s.ca.cert.RawSubject, validity,
		s.client.cert.RawSubject, spki)
	cert, err := x509.ParseCertificate(encode(t, ocsptest.List{TBS: tbs, Key: s.ca.key}))
	require.NoError(t, err)
	require.Equal(t, 1, cert.Version)
	return &identity{cert: cert, key: key, issuer: s.ca}
}

// indexOnce returns the index of the only occurrence.
func indexOnce(t testing.TB, in, what []byte) int {
	t.Helper()
	require.Equal(t, 1, bytes.Count(in, what))
	return bytes.Index(in, what)
}

// fixedScene is the same in every process, except for the signatures, because a fuzzer passes
// inputs from one process to the next, and stores them.
func fixedScene(t testing.TB, clientChanges ...change) (*scene, *identity) {
	t.Helper()
	n := byte(0)
	next := func() (crypto.Signer, change) {
		n++
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{n}, 32))
		require.NoError(t, err)
		serial := int64(n)
		return key, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x4000 + serial) }
	}
	s := &scene{}
	issue := func(name string, by *identity, changes ...change) *identity {
		key, serial := next()
		return makeCert(t, name, key, by, append(changes, serial)...)
	}
	s.root = issue("Root", nil, asCA)
	s.ca = issue("Clients CA", s.root, asCA)
	s.client = issue("client", s.ca, append([]change{asClient}, clientChanges...)...)
	s.other = issue("other", s.ca, asClient)
	return s, issue("responder", s.ca, asDelegate)
}

func certs(of ...*identity) (all []*x509.Certificate) {
	for _, one := range of {
		all = append(all, one.cert)
	}
	return all
}

// directory encodes a GeneralName with a directory name.
func directory(name []byte) []byte { return ocsptest.Element(ocsptest.Explicit(4), name) }
