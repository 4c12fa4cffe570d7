package revocation_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A CA may write the URL of another CA's responder into its certificates. The responder's answers
// to questions about foreign certificates must not prevent the other CA's clients from asking.
func TestAttack_BackOffOfOneCAIsNotThatOfAnother(t *testing.T) {
	for name, failure := range map[string]handler{
		"500":           failing(fetch.HTTPStatusError{Status: 500, RetryAfter: time.Hour}),
		"429":           failing(fetch.HTTPStatusError{Status: 429, RetryAfter: time.Hour}),
		"internalError": refusing(t, 2),
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
			checker := w.checker(t, leafOnly)
			for range 8 {
				w.net.serve(honest.url(), failure)
				_, err := hostile.check(t, checker, hostile.client(t, at1(honest.url())))
				require.Error(t, err)
				w.net.serve(honest.url(), honest.answers(t, ocsptest.StatusGood))
				found, err := honest.check(t, checker, honest.client(t))
				require.NoError(t, err)
				assert.Equal(t, isGood.String(), found.Status.String())
				w.clock.advance(10 * time.Minute)
			}
		})
	}
}

// https to a port for http never gets an answer, so anybody could open the breaker of a healthy
// host with it.
func TestAttack_TheWrongSchemeOpensNoBreaker(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		w.net.serve(honest.url(), honest.answers(t, ocsptest.StatusGood))
		w.net.serve("https://ocsp.honest.example:80", failing(revocation.ErrTransport))
		checker := w.checker(t, leafOnly)
		for i := range 6 {
			_, err := hostile.check(t, checker, hostile.client(t, at1(fmt.Sprintf("https://ocsp.honest.example:80/%d", i))))
			require.Error(t, err)
		}
		found, err := honest.check(t, checker, honest.client(t))
		require.NoError(t, err)
		assert.Equal(t, isGood.String(), found.Status.String())
	})
}

// A URL that is refused before anything is sent says nothing about its host.
func TestAttack_BlockedURLClosesNoBreaker(t *testing.T) {
	for name, refusal := range map[string]error{"URL": revocation.ErrBlockedURL, "address": revocation.ErrBlockedAddress} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, ocspOnly)
			w.openBreaker(t, checker, revocation.ErrTransport)
			w.clock.advance(6 * time.Second)
			w.net.serve(ocspURL+"/blocked", failing(refusal))
			w.says(t, checker, w.issue(t, "blocked", at1(ocspURL+"/blocked")), isUnavailable, refusal)
			assert.NotEmpty(t, checker.Stats().OpenBreakers)
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.says(t, checker, w.issue(t, "after"), isGood, nil)
			assert.Empty(t, checker.Stats().OpenBreakers, "the probe must not be used up")
		})
	}
}

// Requests that wait for a hanging host do not fill the queue for other hosts.
func TestAttack_QueueOfOneHostIsNotThatOfOthers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		w.net.serve(hostile.url(), hanging)
		gate := make(chan struct{})
		w.net.serve(honest.url(), gated(gate, honest.answers(t, ocsptest.StatusGood)))
		checker := w.checker(t, leafOnly)
		var all sync.WaitGroup
		for range 100 {
			client := hostile.client(t)
			all.Go(func() { _, _ = hostile.check(t, checker, client) })
		}
		synctest.Wait()
		for range 12 { // four at once, eight in the queue
			client := honest.client(t)
			all.Go(func() {
				_, err := honest.check(t, checker, client)
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		close(gate)
		all.Wait()
		require.NoError(t, checker.Close())
	})
}

// finding K67: at most eight of Config.Lists were fetched at once, four from one host, so that as many
// lists of one partner whose hosts hang kept the list of another one unread for half a minute after
// each start, and its clients were refused.
func TestAttack_ManyHangingListsDoNotDelayAnotherList(t *testing.T) {
	for name, url := range map[string]string{
		"at one host": "http://slow.example/%d.crl", "at many hosts": "http://slow%d.example/all.crl",
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			w.net.serve("http://slow", hangingFor(fetch.DefaultCRLTimeout))
			w.net.serve("http://honest.example", body(encode(t, w.list())))
			var lists []revocation.List
			for i := range 30 {
				lists = append(lists, revocation.List{URL: fmt.Sprintf(url, i)})
			}
			lists[15].URL = "http://honest.example/ca.crl"
			checker := w.operated(t, revocation.List{}, func(c *revocation.Config) { c.Lists = lists })
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}
