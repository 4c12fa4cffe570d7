package evidence_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 31 to 36 and 39: times, to the second.
func TestVerifyOCSP_Times(t *testing.T) {
	const second = time.Second
	s := newScene(t)
	times := func(this, next, produced time.Time) []byte {
		r := s.good()
		r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(this), nil
		if !next.IsZero() {
			r.Answers[0].NextUpdate = ocsptest.At(next)
		}
		r.ProducedAt = ocsptest.At(produced)
		return encode(t, r)
	}
	raw := func(this, next, produced []byte) []byte {
		r := s.good()
		if this != nil {
			r.Answers[0].ThisUpdate = this
		}
		if next != nil {
			r.Answers[0].NextUpdate = next
		}
		if produced != nil {
			r.ProducedAt = produced
		}
		return encode(t, r)
	}
	revokedAt := func(text []byte) []byte {
		r := s.good()
		r.Answers[0].Status = ocsptest.StatusRevoked(text, 1)
		return encode(t, r)
	}
	next, never := now.Add(day), time.Time{}
	age := func(d time.Duration) []byte { return times(now.Add(-d), next, now.Add(-time.Minute)) }
	maxAge := func(d time.Duration) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) { o.MaxAge = d }
	}
	noNext := func(d time.Duration) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) { o.NoNextUpdateMaxAge = d }
	}
	exact := func(o *evidence.VerifyOptions) { o.Skew = -1 }
	const good, revoked, unavailable = evidence.Good, evidence.Revoked, evidence.Unavailable
	stale, malformed := evidence.ErrNotFresh, evidence.ErrMalformed
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 31 thisUpdate ahead by skew minus a second", times(now.Add(skew-second), next, now.Add(skew)), nil, good, nil},
		{"case 31 thisUpdate ahead by skew", times(now.Add(skew), next, now.Add(skew)), nil, good, nil},
		{"case 31 thisUpdate ahead by skew and a second", times(now.Add(skew+second), next, now.Add(skew)), nil, unavailable, stale},
		{"case 31 thisUpdate ahead by a second, without skew", times(now.Add(second), next, now), exact, unavailable, evidence.ErrProducedAt},
		{"case 31 thisUpdate now, without skew", times(now, next, now), exact, good, nil},
		{"case 32 nextUpdate over by skew minus a second", times(now.Add(-day), now.Add(-skew+second), now.Add(-day)), nil, good, nil},
		{"case 32 nextUpdate over by skew", times(now.Add(-day), now.Add(-skew), now.Add(-day)), nil, good, nil},
		{"case 32 nextUpdate over by skew and a second", times(now.Add(-day), now.Add(-skew-second), now.Add(-day)), nil, unavailable, stale},
		{"case 32 nextUpdate now, without skew", times(now.Add(-day), now, now.Add(-day)), exact, good, nil},
		{"case 32 nextUpdate over by a second, without skew", times(now.Add(-day), now.Add(-second), now.Add(-day)), exact, unavailable, stale},
		{"case 33 nextUpdate a second before thisUpdate", times(now, now.Add(-second), now), nil, unavailable, stale},
		{"case 33 nextUpdate equal to thisUpdate", times(now, now, now), nil, good, nil},
		{"case 33 nextUpdate in the year 1, where Go's zero time lies", raw(nil, ocsptest.Text("00010101000000Z"), nil), nil, unavailable, stale},
		{"case 34 no nextUpdate, 59 minutes old", times(now.Add(-59*time.Minute), never, now), nil, good, nil},
		{"case 34 no nextUpdate, an hour old", times(now.Add(-time.Hour), never, now), nil, good, nil},
		{"case 34 no nextUpdate, an hour and a second old", times(now.Add(-time.Hour-second), never, now), nil, unavailable, stale},
		{"case 34 no nextUpdate, 61 minutes old", times(now.Add(-61*time.Minute), never, now), nil, unavailable, stale},
		{"case 34 no nextUpdate, within the option", times(now.Add(-7*day), never, now), noNext(7 * day), good, nil},
		{"case 34 no nextUpdate, outside the option", times(now.Add(-7*day-second), never, now), noNext(7 * day), unavailable, stale},
		{"case 34 no nextUpdate, no bound but MaxAge", times(now.Add(-9*day), never, now), noNext(-1), good, nil},
		{"case 34 no nextUpdate, over MaxAge", times(now.Add(-11*day), never, now), noNext(-1), unavailable, stale},
		{"case 36 as old as MaxAge", age(10 * day), nil, good, nil},
		{"case 36 a second older than MaxAge", age(10*day + second), nil, unavailable, stale},
		{"case 36 older than MaxAge and skew", age(10*day + skew + second), nil, unavailable, stale},
		{"case 36 as old as a MaxAge of an hour", age(time.Hour), maxAge(time.Hour), good, nil},
		{"case 36 a second older, without skew", age(time.Hour + second), func(o *evidence.VerifyOptions) { o.MaxAge, o.Skew = time.Hour, -1 }, unavailable, stale},
		{"case 36 no MaxAge", age(300 * day), maxAge(-1), good, nil},
		{"case 39 thisUpdate in the year 0", raw(ocsptest.Text("00000101000000Z"), nil, nil), nil, unavailable, stale},
		{"case 39 thisUpdate in the year 1", raw(ocsptest.Text("00010101000000Z"), nil, nil), nil, unavailable, stale},
		{"case 39 nextUpdate in 9999", raw(nil, ocsptest.Text("99991231235959Z"), nil), nil, good, nil},
		{"case 39 nextUpdate in 9999, older than MaxAge", raw(ocsptest.At(now.Add(-11*day)), ocsptest.Text("99991231235959Z"), nil), nil, unavailable, stale},
		{"case 39 revoked in the year 0", revokedAt(ocsptest.Text("00000101000000Z")), nil, revoked, nil},
	})
	for name, text := range map[string]string{
		"fractional seconds": "20260302110000.5Z", "a fraction of zeros": "20260302110000.0Z", "a numeric offset": "20260302110000+0000",
		"minute precision": "202603021100Z", "no zone": "20260302110000", "a small z": "20260302110000z", "the 30th of February": "20260230110000Z",
		"hour 24": "20260302240000Z", "second 60": "20260302110060Z", "a space": " 0260302110000Z", "a plus sign": "+0260302110000Z", "nothing": "",
		"a comma for a digit": "2026030211000,Z",
	} {
		element := ocsptest.Text(text)
		run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
			{"case 39 thisUpdate with " + name, raw(element, nil, nil), nil, unavailable, malformed},
			{"case 39 nextUpdate with " + name, raw(nil, element, nil), nil, unavailable, malformed},
			{"case 39 producedAt with " + name, raw(nil, nil, element), nil, unavailable, malformed},
			{"case 39 revocationTime with " + name, revokedAt(element), nil, unavailable, malformed},
		})
	}
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 39 a UTCTime", raw(ocsptest.UTCAt(now), nil, nil), nil, unavailable, malformed},
	})
}

// Case 35: when the response was signed.
func TestVerifyOCSP_ProducedAt(t *testing.T) {
	const second = time.Second
	// The certificate's own dates are close, so that only they are exceeded.
	from, to := now.Add(-3*time.Hour), now.Add(3*time.Hour)
	s := newScene(t, valid(from, to))
	type moments struct{ this, next, produced, verified time.Time }
	build := func(m moments) []byte {
		r := s.good()
		r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(m.this), ocsptest.At(m.next)
		r.ProducedAt = ocsptest.At(m.produced)
		return encode(t, r)
	}
	const good, unavailable = evidence.Good, evidence.Unavailable
	wrong := evidence.ErrProducedAt
	cases := make([]evidenceCase, 0, 16)
	for _, c := range []struct {
		name string
		moments
		ok bool
	}{
		{"skew before NotBefore", moments{from.Add(-skew), now.Add(day), from.Add(-skew), now}, true},
		{"skew and a second before NotBefore", moments{from.Add(-skew - second), now.Add(day), from.Add(-skew - second), now}, false},
		{"skew after NotAfter", moments{now, now.Add(2 * day), to.Add(skew), now.Add(day)}, true},
		{"skew and a second after NotAfter", moments{now, now.Add(2 * day), to.Add(skew + second), now.Add(day)}, false},
		{"ahead by skew", moments{now, now.Add(day), now.Add(skew), now}, true},
		{"ahead by skew and a second", moments{now, now.Add(day), now.Add(skew + second), now}, false},
		{"skew before thisUpdate", moments{now, now.Add(day), now.Add(-skew), now}, true},
		{"skew and a second before thisUpdate", moments{now, now.Add(day), now.Add(-skew - second), now}, false},
	} {
		verified := c.verified
		one := evidenceCase{"case 35 " + c.name, build(c.moments), func(o *evidence.VerifyOptions) { o.Now = verified }, good, nil}
		if !c.ok {
			one.status, one.err = unavailable, wrong
		}
		cases = append(cases, one)
	}
	run(t, evidence.VerifyOCSP, s.client, s.ca, cases)
}

// Case 36 for a CA certificate, which has its own limit.
func TestVerifyOCSP_MaxAgeOfCACertificates(t *testing.T) {
	s := newScene(t)
	s.client = makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	age := func(d time.Duration) []byte {
		r := s.good()
		r.Answers[0].ThisUpdate = ocsptest.At(now.Add(-d))
		return encode(t, r)
	}
	terms := func(end, ca time.Duration) func(*evidence.VerifyOptions) {
		return func(o *evidence.VerifyOptions) { o.MaxAge, o.MaxAgeCA = end, ca }
	}
	const good, unavailable = evidence.Good, evidence.Unavailable
	run(t, evidence.VerifyOCSP, s.client, s.ca, []evidenceCase{
		{"case 36 400 days", age(400 * day), nil, good, nil},
		{"case 36 400 days and a second", age(400*day + time.Second), nil, unavailable, evidence.ErrNotFresh},
		{"case 36 401 days", age(401 * day), nil, unavailable, evidence.ErrNotFresh},
		{"case 36 MaxAge does not bind it", age(11 * day), terms(time.Hour, 0), good, nil},
		{"case 36 MaxAgeCA does", age(11 * day), terms(0, 10*day), unavailable, evidence.ErrNotFresh},
	})
}

// An answer without nextUpdate is used until the nearer of its two limits, MaxAge and
// NoNextUpdateMaxAge; a negative one is no limit, and then the end of the certificate is the limit.
func TestVerifyOCSP_UseWithoutNextUpdateEndsAtTheNearerBound(t *testing.T) {
	s := newScene(t)
	const minute, none = time.Minute, time.Duration(-1)
	for _, c := range []struct {
		name           string
		maxAge, noNext time.Duration
		ends           time.Duration // after thisUpdate; 0: with the certificate
	}{
		{"the defaults, ten days and an hour", 0, 0, time.Hour},
		{"NoNextUpdateMaxAge is nearer", 40 * minute, 20 * minute, 20 * minute},
		{"MaxAge is nearer", 20 * minute, 40 * minute, 20 * minute},
		{"both are the same", 20 * minute, 20 * minute, 20 * minute},
		{"no MaxAge", none, 20 * minute, 20 * minute},
		{"no NoNextUpdateMaxAge", 20 * minute, none, 20 * minute},
		{"neither", none, none, 0},
	} {
		r := s.good()
		r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(now.Add(-10*minute)), nil
		r.ProducedAt = r.Answers[0].ThisUpdate
		o := at(now)
		o.MaxAge, o.NoNextUpdateMaxAge = c.maxAge, c.noNext
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
		require.NoError(t, err, c.name)
		want := s.client.cert.NotAfter
		if c.ends != 0 {
			want = now.Add(c.ends - 10*minute)
		}
		assert.True(t, result.UsableUntil.Equal(want), "%s: %v, want %v", c.name, result.UsableUntil, want)
	}
}
