package evidence_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A list does not apply to certificates of a CA with the same name and another key.
func TestAttack_LookupOfACertificateOfANamesake(t *testing.T) {
	s := newScene(t)
	list := parse(t, s.ca, encode(t, s.list()))
	namesake := makeCert(t, "Clients CA", newKey(t), s.root, asCA)
	require.Equal(t, s.ca.cert.RawSubject, namesake.cert.RawSubject)
	result, err := list.Lookup(makeCert(t, "foreign", newKey(t), namesake, asClient).cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrIssuerMismatch)
	result, err = list.Lookup(makeCert(t, "ours", newKey(t), s.ca, asClient).cert, at(now))
	expect(t, result, err, evidence.Good, nil)
}

// RFC 6960, section 4.2.2.2.1: ocsp-nocheck should not be critical; if it is, it is still
// understood.
func TestVerifyOCSP_CriticalNoCheck(t *testing.T) {
	s := newScene(t)
	with := func(extensions ...pkix.Extension) *identity {
		return s.delegate(t, func(c *x509.Certificate) { c.ExtraExtensions = extensions })
	}
	noCheck := pkix.Extension{Id: ocsptest.OIDNoCheck, Critical: true, Value: []byte{5, 0}}
	result, err := evidence.VerifyOCSP(encode(t, s.by(with(noCheck))), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	foreign := pkix.Extension{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	result, err = evidence.VerifyOCSP(encode(t, s.by(with(noCheck, foreign))), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrResponderNotAuthorized)
}

// No certificate is a witness for itself, not even a responder that the operator trusts.
func TestAttack_TrustedResponderVouchesNotForItself(t *testing.T) {
	s := newScene(t)
	o := at(now)
	o.TrustedResponders = certs(s.client, s.other)
	result, err := evidence.VerifyOCSP(encode(t, s.by(s.client)), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Unavailable, evidence.ErrResponderNotAuthorized)
	result, err = evidence.VerifyOCSP(encode(t, s.by(s.other)), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
}

// A certificate with which a CA once signed its lists does not sign them after it has expired.
func TestAttack_ExpiredSignerOfLists(t *testing.T) {
	for name, c := range map[string]struct {
		until  time.Time
		status evidence.Status
		err    error
	}{
		"within the skew": {now.Add(-skew), evidence.Good, nil},
		"a second later":  {now.Add(-skew - time.Second), evidence.Unavailable, evidence.ErrCRLIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			signer := makeCert(t, "Clients CA", newKey(t), s.root, asCA, valid(now.Add(-100*day), c.until))
			l := s.list()
			l.Key = signer.key
			l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(signer.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
			o := at(now)
			o.CRLIssuers = certs(signer)
			result, err := evidence.VerifyCRL(encode(t, l), s.client.cert, s.ca.cert, o)
			expect(t, result, err, c.status, c.err)
		})
	}
}

// unsignedList returns a list without a valid signature, with one extension with this identifier.
func (s *scene) unsignedList(name []byte, oid []byte) []byte {
	one := ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.TagOID, oid), ocsptest.Element(ocsptest.TagBoolean, []byte{0xFF}), ocsptest.Element(ocsptest.TagOctetString, []byte{5, 0}))
	algorithm := ocsptest.AlgorithmFor(s.ca.key).Identifier
	tbs := ocsptest.Element(ocsptest.TagSequence, []byte{2, 1, 1}, algorithm, name, ocsptest.UTCAt(now), ocsptest.UTCAt(now.Add(day)),
		ocsptest.Element(ocsptest.Explicit(0), ocsptest.Element(ocsptest.TagSequence, one)))
	return ocsptest.Element(ocsptest.TagSequence, tbs, algorithm, ocsptest.Element(ocsptest.TagBitString, []byte{0, 1}))
}

// Unsigned data must not take more memory than it has bytes, in particular not in texts.
func TestAttack_UnsignedEvidenceTakesLittleMemory(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	s := newScene(t)
	const size = 4 << 20
	ones := bytes.Repeat([]byte{1}, size)
	longName := ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(0x31, ocsptest.Element(ocsptest.TagSequence, []byte{6, 3, 0x55, 4, 3}, ocsptest.Element(0x0C, ones))))
	oid := ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.TagOID, ones[:60_000]), []byte{4, 0})
	for _, c := range []struct {
		name  string
		judge func() error
	}{
		{"a long identifier in a list", func() error {
			_, err := evidence.ParseCRL(s.unsignedList(s.ca.cert.RawSubject, ones), s.ca.cert, at(now))
			return err
		}},
		{"a long name in a list", func() error {
			_, err := evidence.ParseCRL(s.unsignedList(longName, []byte{0x55, 29, 20}), s.ca.cert, at(now))
			return err
		}},
		{"a long identifier in an answer", func() error {
			answer := ocsptest.Element(ocsptest.TagSequence, []byte{10, 1, 0}, ocsptest.Element(ocsptest.Explicit(0), oid))
			_, err := evidence.VerifyOCSP(answer, s.client.cert, s.ca.cert, at(now))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			err := c.judge()
			runtime.ReadMemStats(&after)
			require.ErrorIs(t, err, evidence.ErrMalformed)
			assert.Less(t, len(err.Error()), 1024)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*size), "most of which is for making the list")
		})
	}
}

// The longest identifier that is read has 64 octets.
func TestParseCRL_LengthOfIdentifiers(t *testing.T) {
	s := newScene(t)
	for n, want := range map[int]error{64: evidence.ErrCriticalExtension, 65: evidence.ErrMalformed} {
		_, err := evidence.ParseCRL(s.unsignedList(s.ca.cert.RawSubject, bytes.Repeat([]byte{1}, n)), s.ca.cert, at(now))
		require.ErrorIs(t, err, want, "%d", n)
	}
}
