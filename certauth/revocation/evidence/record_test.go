package evidence_test

import (
	"crypto"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Group 6 of the security record: faults of other implementations.

// CVE-2024-2660 (Vault) and CVE-2026-24734 (Tomcat): a response was kept after its
// signature check failed.
func TestRevocation_BadSignatureYieldsNoStatus(t *testing.T) {
	s := newScene(t)
	for name, status := range map[string][]byte{
		"Good": ocsptest.StatusGood, "Unknown": ocsptest.StatusUnknown, "Revoked": ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1),
	} {
		r := s.good()
		r.Answers[0].Status = status
		r.Key = s.other.key
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		require.ErrorIs(t, err, evidence.ErrBadSignature, name)
		assert.Equal(t, evidence.Result{}, result, name)
	}
	l := s.list(entryFor(s.client))
	l.Key = s.other.key
	result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
	require.ErrorIs(t, err, evidence.ErrBadSignature)
	assert.Equal(t, evidence.Result{}, result)
}

// golang/go#40017.
func TestRevocation_ClientCannotVouchForItself(t *testing.T) {
	s := newScene(t)
	privileged := makeCert(t, "client", newKey(t), s.ca, asDelegate)
	sameKey := makeCert(t, "responder", s.client.key, s.ca, asDelegate)
	about := func(subject, signer *identity) []byte {
		r := s.by(signer)
		r.Answers = []ocsptest.Answer{s.answer(subject, ocsptest.StatusGood)}
		return encode(t, r)
	}
	for name, c := range map[string]struct{ subject, signer *identity }{
		"its own certificate":                       {s.client, s.client},
		"its own certificate, for OCSPSigning":      {privileged, privileged},
		"another certificate of its key":            {s.client, sameKey},
		"the certificate of a client that is a pal": {s.client, s.other},
	} {
		result, err := evidence.VerifyOCSP(about(c.subject, c.signer), c.subject.cert, s.ca.cert, at(now))
		require.ErrorIs(t, err, evidence.ErrResponderNotAuthorized, name)
		assert.Equal(t, evidence.Result{}, result, name)
	}
	// A certificate that is refused for itself is a responder for others.
	result, err := evidence.VerifyOCSP(about(s.client, privileged), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
}

func TestRevocation_WorstStatusWins(t *testing.T) {
	s := newScene(t)
	good := s.answer(s.client, ocsptest.StatusGood)
	revoked := s.answer(s.client, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1))
	for _, answers := range [][]ocsptest.Answer{{good, revoked}, {revoked, good}} {
		r := s.good()
		r.Answers = answers
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Revoked, nil)
	}
}

// NATS and gosnowflake: the serial number was never compared.
func TestRevocation_AnswerForAnotherSerialIsIgnored(t *testing.T) {
	s := newScene(t)
	r := s.good()
	r.Answers = []ocsptest.Answer{s.answer(s.other, ocsptest.StatusGood)}
	result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrNoMatch)
}

// caddy-revocation-validator: first parsed without an issuer, so no signature was checked.
func TestRevocation_UnsignedAnswerIsDropped(t *testing.T) {
	s := newScene(t)
	r := s.good()
	r.Algorithm = ocsptest.AlgorithmFor(s.ca.key)
	for name, signature := range map[string][]byte{"empty": {}, "zeros": make([]byte, 64), "an ECDSA pair of zeros": {0x30, 6, 2, 1, 0, 2, 1, 0}} {
		r.Algorithm.Signature = signature
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		require.ErrorIs(t, err, evidence.ErrBadSignature, name)
		assert.Equal(t, evidence.Result{}, result, name)
	}
	result, err := evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, nil, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrArgument)
}

// grpc-go and pomerium: nextUpdate was not checked.
func TestRevocation_ExpiredListIsNoEvidence(t *testing.T) {
	s := newScene(t)
	l := s.list()
	l.NextUpdate = ocsptest.UTCAt(now.Add(-skew - time.Second))
	result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrNotFresh)
}

// Vault and etcd: matched by serial number alone.
func TestRevocation_SerialOfAnotherIssuerIsIgnored(t *testing.T) {
	s := newScene(t)
	another := makeCert(t, "Other CA", newKey(t), s.root, asCA)
	l := s.list(entryFor(s.client)) // the number, on the list of another CA
	l.Issuer, l.Key, l.Extensions = another.cert.RawSubject, another.key, nil
	result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrCRLIssuer)
	r := s.good()
	foreign := s.answer(s.client, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1))
	foreign.ID = ocsptest.IDOf(crypto.SHA1, another.cert, s.client.cert.SerialNumber)
	r.Answers = append(r.Answers, foreign)
	result, err = evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	r.Answers[0].Status, r.Answers[1].Status = r.Answers[1].Status, r.Answers[0].Status
	result, err = evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Revoked, nil)
}

// notation-core-go and RUSTSEC-2026-0049.
func TestRevocation_SwappedShardIsRefused(t *testing.T) {
	s := newScene(t, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(shardB)), ocsptest.Point(uri(shardA)))))
	of := func(name string, entries ...ocsptest.Entry) []byte {
		l := s.withPoint(uri(name))
		l.Entries = append(l.Entries, entries...)
		return encode(t, l)
	}
	result, err := bothWays(t)(of(shardA, entryFor(s.client)), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Revoked, nil)
	result, err = bothWays(t)(of("http://crl.example/c.crl"), s.client.cert, s.ca.cert, at(now))
	expect(t, result, err, evidence.Unavailable, evidence.ErrCRLScope)
}

// openssl #32367 and others.
func TestRevocation_StaleAnswerIsNotGood(t *testing.T) {
	s := newScene(t)
	for name, age := range map[string]time.Duration{"a second": time.Second, "a year": 365 * day} {
		r := s.good()
		r.Answers[0].ThisUpdate = ocsptest.At(now.Add(-skew - age - time.Hour))
		r.Answers[0].NextUpdate = ocsptest.At(now.Add(-skew - age))
		r.ProducedAt = ocsptest.At(now.Add(-time.Minute)) // signing it again does not help
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		require.ErrorIs(t, err, evidence.ErrNotFresh, name)
		assert.Equal(t, evidence.Result{}, result, name)
	}
}

// CVE-2021-29653 (Vault): a revoked entry vanished from a later list.
func TestRevocation_RevokedSticks(t *testing.T) {
	s := newScene(t)
	revoked := s.good()
	revoked.Answers[0].Status = ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1)
	revoked.Answers[0].ThisUpdate = ocsptest.At(now.Add(-2 * time.Hour))
	known, err := evidence.VerifyOCSP(encode(t, revoked), s.client.cert, s.ca.cert, at(now))
	require.NoError(t, err)
	o := at(now)
	o.Previous = &known
	result, err := evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, s.ca.cert, o)
	require.NoError(t, err)
	assert.Equal(t, known, result, "a newer Good does not end it")
	result, err = bothWays(t)(encode(t, s.list()), s.client.cert, s.ca.cert, o)
	require.NoError(t, err)
	assert.Equal(t, known, result, "nor does a newer list without it")
	old := s.good()
	old.Answers[0].ThisUpdate = ocsptest.At(now.Add(-3 * time.Hour))
	result, err = evidence.VerifyOCSP(encode(t, old), s.client.cert, s.ca.cert, o)
	require.NoError(t, err)
	assert.Equal(t, known, result, "nor does a replayed older one")
}

// harper #2380 and Vault #25986.
func TestRevocation_ZeroStatusIsUnavailable(t *testing.T) {
	var result evidence.Result
	assert.Equal(t, evidence.Unavailable, result.Status)
	assert.NotEqual(t, evidence.Good, result.Status)
	assert.Equal(t, "unavailable", result.Status.String())
	assert.Equal(t, "unavailable", evidence.Status(200).String())
	assert.Equal(t, evidence.SourceNone, result.Source)
	for want, one := range map[string]fmt.Stringer{
		"good": evidence.Good, "revoked": evidence.Revoked, "unknown": evidence.Unknown,
		"none": evidence.SourceNone, "ocsp": evidence.SourceOCSP, "crl": evidence.SourceCRL,
	} {
		assert.Equal(t, want, one.String())
	}
	for status, want := range map[int]string{1: "malformedRequest", 2: "internalError", 3: "tryLater", 4: "not defined", 5: "sigRequired", 6: "unauthorized"} {
		assert.Equal(t, "revocation: responder refused: "+want, evidence.ResponderStatusError{Status: status}.Error())
	}
}
