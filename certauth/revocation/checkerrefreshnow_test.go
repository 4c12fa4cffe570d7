package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Refresh joined a fetch in progress, so its result had been requested before the call.
func TestChecker_RefreshDoesNotTakePartInAnEarlierFetch(t *testing.T) {
	for name, url := range map[string]string{"OCSP": ocspURL, "CRL": crlURL} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			config := ocspOnly
			before, after := w.responder(t, ocsptest.StatusGood), w.responder(t, revokedAt(now, keyCompromise))
			if url == crlURL {
				config = crlOnly
				before, after = body(encode(t, w.list())), body(encode(t, w.listAt(now, now.Add(day), entryFor(w.client))))
			}
			gate := make(chan struct{})
			w.net.serve(url, gated(gate, before))
			checker := w.checker(t, config)
			asked := make(chan error, 2)
			go func() {
				_, err := w.check(t, checker)
				asked <- err
			}()
			synctest.Wait()
			w.net.serve(url, after)
			go func() { asked <- checker.Refresh(t.Context()) }()
			synctest.Wait()
			close(gate)
			require.NoError(t, <-asked)
			require.NoError(t, <-asked)
			w.says(t, checker, w.client, isRevoked, nil)
			assert.Equal(t, 2, w.net.count(url))
		})
	}
}

// Refresh fetched a CRL once for each 256 certificates that name it.
func TestChecker_RefreshFetchesAListOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, crlOnly)
		for i := range 600 {
			w.says(t, checker, w.issue(t, fmt.Sprint("client ", i)), isGood, nil)
		}
		require.Equal(t, 1, w.net.count(crlURL))
		require.NoError(t, checker.Refresh(t.Context()))
		assert.Equal(t, 2, w.net.count(crlURL))
		require.NoError(t, checker.Refresh(t.Context()))
		assert.Equal(t, 3, w.net.count(crlURL))
		w.outage()
		w.clock.advance(time.Minute)
		_ = checker.Refresh(t.Context()) // the stored result is sufficient
		assert.Equal(t, 4, w.net.count(crlURL), "also if it fails")
	})
}

// The same for the operator's lists.
func TestChecker_RefreshReadsTheOperatorsListsAgain(t *testing.T) {
	const url = "http://lists.partner.example/all.crl"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		gate := make(chan struct{})
		w.net.serve(url, gated(gate, body(encode(t, w.list()))))
		checker := w.operated(t, revocation.List{URL: url})
		asked := make(chan error, 2)
		go func() { asked <- checker.Preload(context.WithoutCancel(t.Context())) }()
		synctest.Wait()
		w.net.serve(url, body(encode(t, w.listAt(now, now.Add(day), entryFor(w.client)))))
		go func() { asked <- checker.Refresh(t.Context()) }()
		synctest.Wait()
		close(gate)
		require.NoError(t, <-asked)
		require.NoError(t, <-asked)
		w.says(t, checker, w.client, isRevoked, nil)
		assert.Equal(t, 2, w.net.count(url))
	})
}

// finding K61: while one of the operator's lists could not be fetched, Refresh queried nothing
// about certificates, so that the revocation for which it was called was not noticed.
func TestChecker_RefreshAsksAboutCertificatesWhileAListHangs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const url = "http://lists.partner.example/all.crl"
		w.net.serve(url, body(encode(t, w.rootList())))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: url}}, certs(w.root)
		})
		var clients []*identity
		for range 20 {
			client := w.issue(t, "client")
			w.says(t, checker, client, isGood, nil)
			clients = append(clients, client)
		}
		w.net.serve(url, hanging)
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.ErrorIs(t, checker.Refresh(ctx), context.DeadlineExceeded)
		for _, client := range clients {
			w.says(t, checker, client, isRevoked, nil)
		}
	})
}

// finding K65: a partner with many clients whose responder hangs kept Refresh from asking about
// the certificates of other partners.
func TestChecker_RefreshAsksForEveryPartnerAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		slow := w.partner(t, "slow")
		w.net.serve(slow.url(), slow.answers(t, ocsptest.StatusGood))
		checker := w.checker(t, leafOnly)
		for _, one := range slow.callers(t, slow.ca, 600, func(c *x509.Certificate) { c.OCSPServer = []string{slow.url()} }) {
			_, err := checker.CheckChain(t.Context(), one.chain)
			require.NoError(t, err)
		}
		var clients []*identity
		for range 20 {
			client := w.issue(t, "client")
			w.says(t, checker, client, isGood, nil)
			clients = append(clients, client)
		}
		w.net.serve(slow.url(), hanging)
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.ErrorIs(t, checker.Refresh(ctx), context.DeadlineExceeded)
		for _, client := range clients {
			w.says(t, checker, client, isRevoked, nil)
		}
	})
}

// finding K86: Refresh joined an attempt that a request had begun after the call, although that one
// accepts what the Store has, so that the responder was not queried and a revocation not noticed.
func TestChecker_RefreshDoesNotJoinAnAttemptOfARequest(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, kept := wire(t), newShelf()
		called, goOn, read := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var holdsRefresh, holdsStore atomic.Bool
		clock := func() time.Time {
			if holdsRefresh.CompareAndSwap(true, false) {
				close(called)
				<-goOn
			}
			return w.clock.now()
		}
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		checker := w.checker(t, ocspOnly, stored(kept), func(c *revocation.Config) { c.Now = clock })
		w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.says(t, w.checker(t, ocspOnly, stored(kept)), w.client, isGood, nil) // of another instance, which stores it
		w.net.serve(ocspURL, w.dated(t, revokedAt(now, keyCompromise), now.Add(time.Second), now.Add(day)))
		w.clock.advance(time.Minute)
		kept.get = func(context.Context) error {
			if holdsStore.CompareAndSwap(true, false) {
				<-read
			}
			return nil
		}

		holdsRefresh.Store(true)
		refreshed := make(chan error, 1)
		go func() { refreshed <- checker.Refresh(t.Context()) }()
		<-called
		holdsStore.Store(true)
		checked := make(chan error, 1)
		go func() {
			_, err := w.check(t, checker)
			checked <- err
		}()
		synctest.Wait() // the request waits for the Store
		close(goOn)
		synctest.Wait()
		close(read)
		require.NoError(t, <-refreshed)
		require.NoError(t, <-checked)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}
