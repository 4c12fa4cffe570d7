package revocation_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K114: each of Config.Lists has an outage of its own, so that one of a host with twenty of them
// wrote forty records.
func TestChecker_AnOutageOfAHostOfManyListsHasTwoRecords(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, log, seen := wire(t), &lines{}, &witness{}
		var lists []revocation.List
		for n := range 20 {
			lists = append(lists, revocation.List{URL: fmt.Sprintf("http://crl.partner.example/%d.crl", n)})
		}
		checker := w.operated(t, revocation.List{}, logging(log), func(c *revocation.Config) { c.Lists, c.Observe = lists, seen.observe })
		for round, state := range []string{"begins to fail", "answers again", "begins to fail", "answers again"} {
			answer := failing(revocation.ErrTransport)
			if round%2 == 1 {
				answer = body(encode(t, w.listAt(w.clock.now(), w.clock.now().Add(day))))
			}
			w.net.serve("http://crl.partner.example/", answer)
			err := checker.Refresh(t.Context())
			require.Equal(t, round%2 == 0, err != nil, "%v", err)
			assert.Equal(t, round/2+1, strings.Count(log.text(), state))
			outages := 0
			for _, e := range seen.take() {
				if !e.Since.IsZero() {
					outages++
				}
			}
			assert.Equal(t, len(lists), outages, "metrics are by list")
			w.clock.advance(2 * time.Minute)
		}
	})
}

// finding K195: a caller whose certificate names several URLs of the host that fails was counted once for
// each of them.
func TestChecker_AnOutageCountsACallerOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const pki = "http://pki.partner.example"
		w, seen := wire(t), &witness{}
		w.net.serve(pki, failing(revocation.ErrTransport))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.Observe = seen.observe })
		client := w.issue(t, "client", at1(pki+"/ocsp"), func(c *x509.Certificate) {
			c.CRLDistributionPoints = []string{pki + "/all.crl", pki + "/copy.crl"}
		})
		for range 3 {
			w.says(t, checker, client, isUnavailable, revocation.ErrTransport)
		}
		w.net.serve(pki, w.responder(t, ocsptest.StatusGood))
		w.clock.advance(time.Minute)
		w.says(t, checker, client, isGood, nil)
		events := slices.DeleteFunc(seen.take(), func(e revocation.Event) bool { return !e.Over })
		require.Len(t, events, 1)
		assert.Equal(t, 3, events[0].Refused)
	})
}
