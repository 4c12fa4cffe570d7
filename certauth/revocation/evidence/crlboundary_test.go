package evidence_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding C13: key identifiers determine the order of a CA's keys and signatures decide, so the
// number of signature checks is bounded.
func TestVerifyCRL_EightSignaturesAreTried(t *testing.T) {
	s := newScene(t)
	l := s.list()
	l.Extensions = []ocsptest.Extension{ocsptest.CRLNumber(7)} // without a key identifier to choose by
	var renewed []*identity
	for range 8 { // in addition to the issuer itself
		renewed = append(renewed, makeCert(t, "Clients CA", newKey(t), s.root, asCA))
	}
	o := at(now)
	for _, by := range renewed {
		o.CRLIssuers = append(o.CRLIssuers, by.cert)
	}
	for i, by := range renewed {
		l.Key = by.key
		status, want := evidence.Good, error(nil)
		if i == 7 {
			status, want = evidence.Unavailable, evidence.ErrBadSignature
		}
		result, err := evidence.VerifyCRL(encode(t, l), s.client.cert, s.ca.cert, o)
		expect(t, result, err, status, want)
	}
	// A candidate that is excluded before its signature is checked costs nothing.
	o.CRLIssuers = append([]*x509.Certificate{nil, makeCert(t, "Other CA", newKey(t), s.root, asCA).cert}, o.CRLIssuers...)
	l.Key = renewed[1].key
	result, err := evidence.VerifyCRL(encode(t, l), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
}

// RFC 5280, section 4.2.1.1: a key identifier may have any length, even one octet, and may be
// derived in any way. One that is not the issuer's excludes nothing if the signature verifies.
func TestVerifyCRL_KeyIdentifierThatDiffersExcludesNothing(t *testing.T) {
	for name, tc := range map[string]struct{ issuer, list []byte }{
		"one octet each":              {[]byte{1}, []byte{2}},
		"one octet in the list":       {[]byte{1, 2, 3, 4}, []byte{2}},
		"one octet of the issuer":     {[]byte{1}, []byte{1, 2, 3, 4}},
		"the beginning of the longer": {[]byte{1, 2}, []byte{1}},
	} {
		s := newScene(t)
		ca := makeCert(t, "Clients CA", s.ca.key, s.root, asCA, func(c *x509.Certificate) { c.SubjectKeyId = tc.issuer })
		l := s.list()
		for _, keyID := range [][]byte{tc.issuer, tc.list} {
			l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(keyID), ocsptest.CRLNumber(7)}
			result, err := evidence.VerifyCRL(encode(t, l), s.client.cert, ca.cert, at(now))
			require.NoError(t, err, name)
			assert.Equal(t, evidence.Good, result.Status, name)
		}
	}
}

// The doc of VerifyOptions: MaxAge is for end entities, MaxAgeCA for CA certificates. This applies
// to a delta as to its list.
func TestCRL_WithDelta_AgeIsJudgedByTheSubject(t *testing.T) {
	s := newScene(t)
	merged := withDelta(t, parse(t, s.ca, encode(t, s.list())), s, s.delta(7, 8))
	sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	o := at(now)
	o.MaxAgeCA = time.Minute // the list is an hour old, the delta half an hour
	result, err := merged.Lookup(s.client.cert, o)
	expect(t, result, err, evidence.Good, nil)
	assert.False(t, result.DeltaMissing)
	_, err = merged.Lookup(sub.cert, o)
	require.ErrorIs(t, err, evidence.ErrNotFresh)
	o = at(now)
	o.MaxAge = time.Minute
	result, err = merged.Lookup(sub.cert, o)
	expect(t, result, err, evidence.Good, nil)
	assert.False(t, result.DeltaMissing)
	_, err = merged.Lookup(s.client.cert, o)
	require.ErrorIs(t, err, evidence.ErrNotFresh)
}

// Stale evidence does not prove a hold, which may have ended; a permanent revocation does not end.
// A fresh delta proves both.
func TestCRL_WithDelta_StaleHoldIsNoStaleRevocation(t *testing.T) {
	s := newScene(t)
	for name, tc := range map[string]struct {
		reason ocsptest.Extension
		later  time.Duration // both end after a day and six hours
		want   bool
	}{
		"a hold, both have run out":                {hold, 2 * day, false},
		"a revocation for good, both have run out": {compromise, 2 * day, true},
	} {
		merged := withDelta(t, parse(t, s.ca, encode(t, s.list(entryFor(s.client, tc.reason)))), s, s.delta(7, 8))
		result, err := merged.Lookup(s.client.cert, at(now.Add(tc.later)))
		require.ErrorIs(t, err, evidence.ErrNotFresh, name)
		assert.Equal(t, tc.want, result.StaleRevoked, name)
	}
	for name, tc := range map[string]struct {
		reason ocsptest.Extension
	}{"a hold": {hold}, "a revocation": {compromise}} {
		d := s.delta(7, 8, entryFor(s.client, tc.reason))
		d.NextUpdate = ocsptest.UTCAt(now.Add(10 * day))
		merged := withDelta(t, parse(t, s.ca, encode(t, s.list())), s, d)
		result, err := merged.Lookup(s.client.cert, at(now.Add(2*day)))
		require.ErrorIs(t, err, evidence.ErrNotFresh, name)
		assert.True(t, result.StaleRevoked, "%s in a fresh delta, on an expired list", name)
	}
}

// The operator can read why a delta does not continue a list.
func TestCRL_WithDelta_MismatchSaysWhy(t *testing.T) {
	s := newScene(t, point(uri(shardA)))
	renewed := makeCert(t, "Clients CA", newKey(t), s.root, asCA)
	keyID := ocsptest.AuthorityKeyID(s.ca.cert.SubjectKeyId)
	numbers := []ocsptest.Extension{ocsptest.CRLNumber(8), ocsptest.DeltaIndicator(7)}
	for want, change := range map[string]func(base, delta *ocsptest.List){
		"the list has no number": func(base, _ *ocsptest.List) { base.Extensions = []ocsptest.Extension{keyID} },
		"another issuing distribution point": func(_, delta *ocsptest.List) {
			delta.Extensions = append(delta.Extensions, ocsptest.IssuingPoint(uri(shardA)))
		},
		"another authority key identifier": func(_, delta *ocsptest.List) { delta.Extensions = numbers },
		"signed by another key": func(base, delta *ocsptest.List) {
			base.Extensions, delta.Extensions, delta.Key = base.Extensions[1:], numbers, renewed.key
		},
		"it continues a later list": func(_, delta *ocsptest.List) { *delta = s.delta(8, 9) },
		"no newer than the list":    func(_, delta *ocsptest.List) { *delta = s.delta(6, 7) },
	} {
		base, delta := s.list(), s.delta(7, 8)
		change(&base, &delta)
		o := at(now)
		o.CRLIssuers = []*x509.Certificate{renewed.cert}
		_, err := parse(t, s.ca, encode(t, base)).WithDelta(encode(t, delta), s.ca.cert, o)
		require.ErrorIs(t, err, evidence.ErrDeltaMismatch, want)
		assert.ErrorContains(t, err, want)
	}
}

// A cache counts with Size, which includes all memory that is kept because of the list.
func TestCRL_SizeCountsWhatIsKept(t *testing.T) {
	s := newScene(t)
	size := func(extensions ...ocsptest.Extension) int {
		l := s.list()
		l.Extensions = append(l.Extensions, extensions...)
		return parse(t, s.ca, encode(t, l)).Size()
	}
	plain := size()
	assert.GreaterOrEqual(t, plain, 1024, "a list without entries still takes memory")
	url := "http://crl.example/" + strings.Repeat("x", 1000)
	assert.Equal(t, plain+len(url), size(ocsptest.FreshestCRL(ocsptest.Point(ocsptest.FullName(ocsptest.URI(url))))))
	assert.GreaterOrEqual(t, size(ocsptest.IssuingPoint(ocsptest.FullName(ocsptest.URI(url)))), plain+2*len(url), "the extension and its names")
}

// The first and the last printable ASCII character other than the space are permitted in a URL (RFC
// 3986, section 2.3).
func TestFreshestURLs_PrintableASCIIToBothEnds(t *testing.T) {
	s := newScene(t)
	l := s.list()
	const url = "http://crl.example/!~"
	l.Extensions = append(l.Extensions, ocsptest.FreshestCRL(ocsptest.Point(ocsptest.FullName(ocsptest.URI(url)))))
	assert.Equal(t, []string{url}, parse(t, s.ca, encode(t, l)).FreshestURLs())
}
