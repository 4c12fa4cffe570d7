package revocation_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Only a newer Good ends a hold.
func TestAttack_UnknownEndsNoHold(t *testing.T) {
	t.Run("in VerifyOCSP", func(t *testing.T) {
		s := newScene(t)
		r := s.good()
		r.Answers[0].Status = ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), onHold)
		held, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, held, err, evidence.Revoked, nil)
		r = s.good()
		r.Answers[0].Status, r.Answers[0].ThisUpdate = ocsptest.StatusUnknown, ocsptest.At(now.Add(-45*time.Minute))
		o := at(now)
		o.Previous = &held
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Revoked, nil)
	})
	inBubble(t, "in a Checker that accepts Unknown", func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-day), onHold), now.Add(-time.Hour), now.Add(day)))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		checker := w.checker(t, leafOnly, softFail, func(c *revocation.Config) { c.AllowUnknown = true })
		w.says(t, checker, w.client, isRevoked, nil)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusUnknown, now.Add(time.Minute), now.Add(5*day)))
		w.goesOn(t, checker, w.client, 15)
		w.says(t, checker, w.client, isRevoked, nil)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(45*time.Hour), now.Add(5*day)))
		w.goesOn(t, checker, w.client, 2)
		w.says(t, checker, w.client, isGood, nil)
	})
}

// Failed lists leave only a few words of memory behind.
func TestAttack_FailedListsAreNotKept(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		bad := w.unsignedList(w.ca.cert.RawSubject, bytes.Repeat([]byte{1}, 1<<20))
		checker := w.checker(t, crlOnly)
		heap := func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		for i := range 20 {
			url := fmt.Sprintf("http://crl.partner.example/shard%d.crl", i)
			w.net.serve(url, body(bad))
			_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, fmt.Sprint(i), noPoints, point(uri(url)))))
			require.ErrorIs(t, err, evidence.ErrMalformed)
		}
		assert.Less(t, heap()-before, int64(4<<20))
		runtime.KeepAlive(bad)
	})
}

// The same at the place that the certificate names, where a list for the wrong point is refused
// before it is stored.
func TestChecker_ListOfTheCAsOwnName(t *testing.T) {
	w := wire(t)
	l := w.withPoint(ocsptest.FullName(directory(w.ca.cert.RawSubject)))
	w.net.serve(crlURL, body(encode(t, l)))
	found, err := w.check(t, w.checker(t, crlOnly))
	require.NoError(t, err)
	assert.Equal(t, isGood.String(), found.Status.String())
	local := w.operated(t, revocation.List{File: fileOf(t, encode(t, l))})
	for _, client := range []*identity{w.client, w.issue(t, "client", unpointed)} {
		found, err = local.CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		assert.Equal(t, isGood.String(), found.Status.String())
	}
}
