package evidence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Cases 28 and 29, checks 17 and 18: the strictest usable answer.
func TestVerifyOCSP_StrictestAnswer(t *testing.T) {
	s := newScene(t)
	revokedAt := now.Add(-3 * day)
	of := func(status []byte) ocsptest.Answer { return s.answer(s.client, status) }
	good, unknown := of(ocsptest.StatusGood), of(ocsptest.StatusUnknown)
	revoked := of(ocsptest.StatusRevoked(ocsptest.At(revokedAt), 1))
	hold := of(ocsptest.StatusRevoked(ocsptest.At(revokedAt), 6))
	staleRevoked, staleHold, staleGood := revoked, hold, good
	for _, a := range []*ocsptest.Answer{&staleRevoked, &staleHold, &staleGood} {
		a.NextUpdate = ocsptest.At(now.Add(-skew - time.Second))
	}
	early := revoked
	early.ThisUpdate = ocsptest.At(now.Add(skew + time.Second))
	const none = 0
	for _, c := range []struct {
		name         string
		answers      []ocsptest.Answer
		status       evidence.Status
		err          error
		reason       int
		staleRevoked bool
	}{
		{"case 28 Good and Revoked", []ocsptest.Answer{good, revoked}, evidence.Revoked, nil, 1, false},
		{"case 29 Good and Unknown", []ocsptest.Answer{good, unknown}, evidence.Unknown, nil, -1, false},
		{"case 29 Unknown and Revoked", []ocsptest.Answer{unknown, revoked}, evidence.Revoked, nil, 1, false},
		{"case 29 all three", []ocsptest.Answer{good, unknown, revoked}, evidence.Revoked, nil, 1, false},
		{"case 29 fresh Good and stale Revoked", []ocsptest.Answer{good, staleRevoked}, evidence.Good, nil, -1, false},
		{"case 29 fresh Revoked and stale Good", []ocsptest.Answer{revoked, staleGood}, evidence.Revoked, nil, 1, false},
		{"case 28 Good, Revoked on hold", []ocsptest.Answer{good, hold}, evidence.Revoked, nil, 6, false},
		{"case 28 on hold and for good", []ocsptest.Answer{hold, revoked}, evidence.Revoked, nil, 1, false},
		{"case 99 stale Revoked alone", []ocsptest.Answer{staleRevoked}, evidence.Unavailable, evidence.ErrNotFresh, none, true},
		{"case 99 stale Revoked and stale Good", []ocsptest.Answer{staleRevoked, staleGood}, evidence.Unavailable, evidence.ErrNotFresh, none, true},
		{"case 99 stale hold", []ocsptest.Answer{staleHold}, evidence.Unavailable, evidence.ErrNotFresh, none, false},
		{"case 99 stale hold and stale Revoked", []ocsptest.Answer{staleHold, staleRevoked}, evidence.Unavailable, evidence.ErrNotFresh, none, true},
		{"case 99 stale Good", []ocsptest.Answer{staleGood}, evidence.Unavailable, evidence.ErrNotFresh, none, false},
		{"Revoked from the future", []ocsptest.Answer{early}, evidence.Unavailable, evidence.ErrFuture, none, false},
		{"fresh Good and Revoked from the future", []ocsptest.Answer{good, early}, evidence.Good, nil, -1, false},
		{"finding K80: stale Revoked and Revoked from the future", []ocsptest.Answer{staleRevoked, early}, evidence.Unavailable, evidence.ErrNotFresh, none, true},
	} {
		for _, order := range []string{"in this order", "in the other order"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				r := s.good()
				r.ProducedAt = ocsptest.At(now.Add(time.Second)) // not before the one from the future, allowing for skew
				r.Answers = slices.Clone(c.answers)
				if order != "in this order" {
					slices.Reverse(r.Answers)
				}
				result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
				expect(t, result, err, c.status, c.err)
				assert.Equal(t, c.reason, result.Reason)
				assert.Equal(t, c.staleRevoked, result.StaleRevoked)
				if c.staleRevoked {
					assert.Equal(t, now.Add(-time.Hour), result.ThisUpdate)
				}
			})
		}
	}
}

// Check 17: of equally strict answers the first counts, fresh or not.
func TestVerifyOCSP_FirstOfEquallyStrictAnswers(t *testing.T) {
	s := newScene(t)
	of := func(status []byte, age, next time.Duration) ocsptest.Answer {
		a := s.answer(s.client, status)
		a.ThisUpdate, a.NextUpdate = ocsptest.At(now.Add(-age)), ocsptest.At(now.Add(next))
		return a
	}
	const hour = time.Hour
	for name, newAnswer := range map[string]func(age time.Duration) ocsptest.Answer{
		"good":    func(age time.Duration) ocsptest.Answer { return of(ocsptest.StatusGood, age, hour) },
		"unknown": func(age time.Duration) ocsptest.Answer { return of(ocsptest.StatusUnknown, age, hour) },
		"on hold": func(age time.Duration) ocsptest.Answer {
			return of(ocsptest.StatusRevoked(ocsptest.At(now), 6), age, hour)
		},
		"revoked": func(age time.Duration) ocsptest.Answer {
			return of(ocsptest.StatusRevoked(ocsptest.At(now), 1), age, hour)
		},
		"good, expired": func(age time.Duration) ocsptest.Answer { return of(ocsptest.StatusGood, age, -hour) },
		"revoked, expired": func(age time.Duration) ocsptest.Answer {
			return of(ocsptest.StatusRevoked(ocsptest.At(now), 1), age, -hour)
		},
	} {
		for first, second := range map[time.Duration]time.Duration{3 * hour: 2 * hour, 2 * hour: 3 * hour} {
			t.Run(fmt.Sprintf("%s, the first %s old", name, first), func(t *testing.T) {
				r := s.good()
				r.Answers = []ocsptest.Answer{newAnswer(first), newAnswer(second)}
				result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
				if err != nil {
					require.ErrorIs(t, err, evidence.ErrNotFresh)
					assert.ErrorContains(t, err, "thisUpdate "+now.Add(-first).Format(time.RFC3339))
					return
				}
				assert.True(t, result.ThisUpdate.Equal(now.Add(-first)), "%s", result.ThisUpdate)
			})
		}
	}
}
