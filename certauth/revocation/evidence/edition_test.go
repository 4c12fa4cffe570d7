package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// RFC 5280, section 5.1.2.5: a list is used until its nextUpdate. A list with a delta is used until
// the nextUpdate that comes first.
func TestEdition_OfAListWithItsDelta(t *testing.T) {
	s := newScene(t)
	for _, base := range []time.Duration{time.Hour, day} {
		list := s.list()
		list.NextUpdate = ocsptest.UTCAt(now.Add(base))
		delta := s.delta(7, 8) // until six hours from now
		edition := withDelta(t, parse(t, s.ca, encode(t, list)), s, delta).Edition()
		assert.True(t, edition.NextUpdate.Equal(now.Add(min(base, 6*time.Hour))), "%v", edition.NextUpdate)
		assert.True(t, edition.ThisUpdate.Equal(now.Add(-30*time.Minute)), "%v", edition.ThisUpdate)
	}
}

// Before its thisUpdate a list has not begun, and after its nextUpdate it is over, in both cases by
// more than the skew.
func TestEdition_CurrentBetweenItsTimes(t *testing.T) {
	s := newScene(t)
	edition, isDelta, err := evidence.ReadEdition(encode(t, s.list())) // from an hour ago to a day from now
	require.NoError(t, err)
	assert.False(t, isDelta)
	const skew = 5 * time.Minute
	for after, want := range map[time.Duration]error{
		-time.Hour - skew - time.Second: evidence.ErrFuture,
		-time.Hour - skew:               nil,
		day + skew:                      nil,
		day + skew + time.Second:        evidence.ErrNotFresh,
	} {
		assert.ErrorIs(t, edition.Current(now.Add(after), skew), want, "%v from now", after)
	}
}

// Content that cannot be read is no list, and no delta.
func TestLook_OfWhatIsNoList(t *testing.T) {
	s := newScene(t)
	list, delta := encode(t, s.list()), encode(t, s.delta(7, 8))
	_, isDelta, err := evidence.ReadEdition(delta)
	require.NoError(t, err)
	assert.True(t, isDelta)
	for name, content := range map[string][]byte{
		"nothing":           nil,
		"text":              []byte("-----BEGIN X509 CRL-----\nAAAA"),
		"half a list":       list[:len(list)/2],
		"half a delta":      delta[:len(delta)/2],
		"a delta and bytes": append(delta[:len(delta):len(delta)], 0),
	} {
		_, isDelta, err := evidence.ReadEdition(content)
		assert.Error(t, err, name)
		assert.False(t, isDelta, name)
	}
}

// A list may be older for certificates of CAs, which are revoked less often.
func TestCRL_IsFreshForTheKindOfCertificate(t *testing.T) {
	s := newScene(t)
	list := s.list()
	list.NextUpdate = ocsptest.UTCAt(now.Add(90 * day))
	parsed := parse(t, s.ca, encode(t, list)) // an hour old
	for _, c := range []struct {
		isCA  bool
		after time.Duration
		want  bool
	}{
		{false, 10*day - time.Hour, true},
		{false, 11 * day, false},
		{true, 11 * day, true},
		{true, 31 * day, false},
	} {
		o := evidence.VerifyOptions{Now: now.Add(c.after), MaxAge: 10 * day, MaxAgeCA: 30 * day}
		assert.Equal(t, c.want, parsed.IsFresh(c.isCA, &o), "%+v", c)
	}
}

// RFC 5280, section 5.2.5: a list may cover only a part of its CA's certificates.
func TestCRL_CoversWhatItsScopeSays(t *testing.T) {
	s := newScene(t)
	client := subjectOf(t, s.client) // without distribution points
	require.NoError(t, parse(t, s.ca, encode(t, s.list())).Covers(&client))
	assert.ErrorIs(t, parse(t, s.ca, encode(t, s.withPoint(uri(shardA)))).Covers(&client), evidence.ErrCRLScope)
}
