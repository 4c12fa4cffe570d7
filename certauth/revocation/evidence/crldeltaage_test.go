package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A delta that revokes and is older than MaxAge permits is not ignored, and the refusal names the
// option that limits its age: MaxAge for a client, MaxAgeCA for a CA.
func TestCRL_WithDelta_TooOldDeltaThatRevokesNamesItsOption(t *testing.T) {
	s := newScene(t)
	sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	l := s.list()
	l.ThisUpdate = ocsptest.UTCAt(now.Add(-time.Minute))
	list := withDelta(t, parse(t, s.ca, encode(t, l)), s, s.delta(7, 8, entryFor(s.client), entryFor(sub))) // half an hour old
	for _, c := range []struct {
		name  string
		who   *identity
		terms func(*evidence.VerifyOptions)
		says  string
	}{
		{"a client", s.client, func(o *evidence.VerifyOptions) { o.MaxAge = 10 * time.Minute }, "MaxAge allows 10m0s"},
		{"a CA", sub, func(o *evidence.VerifyOptions) { o.MaxAgeCA = 10 * time.Minute }, "MaxAgeCA allows 10m0s"},
	} {
		o := at(now)
		c.terms(&o)
		result, err := list.Lookup(c.who.cert, o)
		require.ErrorIs(t, err, evidence.ErrNotFresh, c.name)
		assert.ErrorContains(t, err, c.says, c.name)
		assert.Equal(t, evidence.Unavailable.String(), result.Status.String(), c.name)
		assert.True(t, result.StaleRevoked, c.name)
	}
}

// A list that names its delta does not lack it once the delta is applied.
func TestCRL_WithDelta_DeltaThatTheListNamesIsNotMissing(t *testing.T) {
	s := newScene(t)
	l := s.list()
	l.Extensions = append(l.Extensions, ocsptest.Extension{OID: ocsptest.OIDFreshestCRL, Value: ocsptest.Element(ocsptest.TagSequence, ocsptest.Point(uri("http://crl.partner.example/clients-delta.crl")))})
	list := parse(t, s.ca, encode(t, l))
	result, err := list.Lookup(s.client.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	assert.True(t, result.DeltaMissing, "alone")
	result, err = withDelta(t, list, s, s.delta(7, 8)).Lookup(s.client.cert, at(now))
	expect(t, result, err, evidence.Good, nil)
	assert.False(t, result.DeltaMissing, "with its delta")
}
