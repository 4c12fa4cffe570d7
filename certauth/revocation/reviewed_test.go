package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K24: while one of the operator's lists had never been read, a tracked chain was answered
// by OCSP alone, and the same chain was refused when looked up.
func TestReviewed_AKnownChainWaitsForTheListsAsWell(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const slow = "http://lists.partner.example/all.crl"
		w.net.serve(slow, hanging)
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: slow}}, certs(w.ca)
		})
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotReady)
		found, err := checker.CheckChain(t.Context(), w.chain(w.client))
		require.ErrorIs(t, err, revocation.ErrNotReady)
		assert.Equal(t, isUnavailable.String(), found.Status.String())
	})
}

// finding K25: an expired Good was used in StaleGrace although no source could be asked: after
// Close, and for a caller that disconnected before the responder could answer.
func TestReviewed_GraceNeedsASourceThatWasAsked(t *testing.T) {
	for _, evidence := range []struct {
		name   string
		config func(*revocation.Config)
	}{{"OCSP", ocspOnly}, {"a CRL", crlOnly}} {
		setUp := func(t *testing.T) (*wired, *revocation.Checker) {
			w := wire(t)
			checker := w.checker(t, evidence.config, staleGrace)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(24*time.Hour + skew + time.Second)
			return w, checker
		}
		inBubble(t, evidence.name+", after Close", func(t *testing.T) {
			w, checker := setUp(t)
			require.NoError(t, checker.Close())
			w.says(t, checker, w.client, isUnavailable, revocation.ErrClosed)
		})
		inBubble(t, evidence.name+", a caller who is gone", func(t *testing.T) {
			w, checker := setUp(t)
			w.net.serve(ocspURL, hanging)
			w.net.serve(crlURL, hanging)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			found, err := checker.CheckChain(ctx, w.chain(w.client))
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		})
		inBubble(t, evidence.name+", Close while it is asked", func(t *testing.T) {
			w, checker := setUp(t)
			w.net.serve(ocspURL, hanging)
			w.net.serve(crlURL, hanging)
			var all sync.WaitGroup
			all.Go(func() {
				found, err := checker.CheckChain(t.Context(), w.chain(w.client))
				assert.ErrorIs(t, err, revocation.ErrClosed)
				assert.Equal(t, isUnavailable.String(), found.Status.String())
			})
			synctest.Wait()
			require.NoError(t, checker.Close())
			all.Wait()
		})
		inBubble(t, evidence.name+", nobody answers for as long as the caller waits", func(t *testing.T) {
			w, checker := setUp(t)
			w.net.serve(ocspURL, hanging)
			w.net.serve(crlURL, hanging)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			found, err := checker.CheckChain(ctx, w.chain(w.client))
			require.NoError(t, err)
			assert.True(t, found.Stale)
		})
	}
}

// finding K25, the other side: a caller that would be refused because another request is asking at
// the moment is within StaleGrace as well.
func TestReviewed_GraceLastsWhileAnotherAsks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly, staleGrace)
		another := w.issue(t, "another")
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, another, isGood, nil)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.clock.advance(24 * time.Hour)
		for range 6 {
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(6 * time.Minute)
		}
		require.NotEmpty(t, checker.Stats().OpenBreakers)
		w.net.serve(ocspURL, hanging)
		var all sync.WaitGroup
		all.Go(func() { _, _ = w.check(t, checker) }) // tries again
		synctest.Wait()
		began := time.Now()
		found, err := checker.CheckChain(t.Context(), w.chain(another))
		require.NoError(t, err)
		assert.True(t, found.Stale)
		assert.Less(t, time.Since(began), 5*time.Second, "the request was not sent")
		all.Wait()
	})
}

// finding K26: a SoftFail Checker that was closed while a responder was asked accepted, as if the
// responder had not answered.
func TestReviewed_CloseIsNoOutage(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, hanging)
			w.net.serve(crlURL, hanging)
			checker := w.checker(t, config, softFail)
			var all sync.WaitGroup
			all.Go(func() {
				found, err := checker.CheckChain(t.Context(), w.chain(w.client))
				assert.ErrorIs(t, err, revocation.ErrClosed)
				assert.Equal(t, isUnavailable.String(), found.Status.String())
			})
			synctest.Wait()
			require.NoError(t, checker.Close())
			all.Wait()
		})
	}
}

// finding K26: so was a request that had joined the attempt of Refresh, which waits until an earlier one
// has ended.
func TestReviewed_CloseIsNoOutageForWhoJoinedRefresh(t *testing.T) {
	inBubble(t, "joined", func(t *testing.T) {
		w := wire(t)
		end := make(chan struct{})
		w.net.serve(ocspURL, func(context.Context, revocation.Request) (revocation.Response, error) {
			<-end
			return revocation.Response{}, revocation.ErrTransport
		})
		checker := w.checker(t, ocspOnly, softFail)
		var all sync.WaitGroup
		inTheBackground := func(do func()) {
			all.Go(do)
			synctest.Wait()
		}
		inTheBackground(func() { _, _ = checker.CheckChain(t.Context(), w.chain(w.client)) })
		inTheBackground(func() { assert.Error(t, checker.Refresh(t.Context())) })
		inTheBackground(func() {
			found, err := checker.CheckChain(t.Context(), w.chain(w.client))
			assert.ErrorIs(t, err, revocation.ErrClosed)
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		})
		inTheBackground(func() { assert.NoError(t, checker.Close()) })
		close(end)
		all.Wait()
	})
}

// finding K27: an expired list was displaced by an older one that had also expired, so an attacker
// between the service and the distribution point could restore, in StaleGrace, what a CA said
// before a revocation.
func TestReviewed_ExpiredListIsNotDisplacedByAnOlderOne(t *testing.T) {
	const otherURL = "http://crl.partner.example/other.crl"
	for _, unloaded := range []bool{false, true} {
		inBubble(t, fmt.Sprintf("unloaded in between: %v", unloaded), func(t *testing.T) {
			w := wire(t)
			older := encode(t, w.listAt(now.Add(-3*time.Hour), now.Add(4*time.Hour)))
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*time.Hour), entryFor(w.client)))))
			w.net.serve(otherURL, body(w.fat(t, 80<<10, 7)))
			checker := w.checker(t, crlOnly, staleGrace, func(c *revocation.Config) { c.MaxListMemory = 84 << 10 })
			w.says(t, checker, w.issue(t, "another"), isGood, nil)
			if unloaded {
				w.clock.advance(2 * time.Hour)
				w.says(t, checker, w.issue(t, "elsewhere", noPoints, point(uri(otherURL))), isGood, nil)
				require.Equal(t, uint64(1), checker.Stats().ListsUnloaded)
			}
			w.net.serve(crlURL, body(older))
			w.clock.advance(7 * time.Hour)                                         // both have run out
			_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "a third"))) // asks, for it is good in both
			synctest.Wait()
			found, _ := w.check(t, checker)
			assert.NotEqual(t, isGood.String(), found.Status.String())
		})
	}
}

// finding K28: a hold in one list outweighed a newer list that does not name the certificate any
// more, for as long as the older one was in memory.
func TestReviewed_ANewerListLiftsTheHoldOfAnother(t *testing.T) {
	hold := ocsptest.ReasonCode(onHold)
	for _, c := range []struct {
		name         string
		file, remote time.Duration // age
		held         string
		want         certauth.RevocationStatus
	}{
		{"the file has the hold and is older", 10 * time.Hour, time.Hour, "file", isGood},
		{"the file has the hold and is newer", time.Hour, 10 * time.Hour, "file", isRevoked},
		{"the other has the hold and is older", time.Hour, 10 * time.Hour, "remote", isGood},
		{"the other has the hold and is newer", 10 * time.Hour, time.Hour, "remote", isRevoked},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			list := func(which string, age time.Duration) []byte {
				if which == c.held {
					return encode(t, w.listAt(now.Add(-age), now.Add(day), entryFor(w.client, hold)))
				}
				return encode(t, w.listAt(now.Add(-age), now.Add(day)))
			}
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, list("file", c.file))
			w.net.serve(crlURL, body(list("remote", c.remote)))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{{File: path}}, certs(w.ca) })
			require.NoError(t, checker.Refresh(t.Context()))
			_, _ = w.check(t, checker)
			require.NoError(t, checker.Refresh(t.Context())) // both are in memory
			synctest.Wait()
			require.Equal(t, 1, w.net.count(crlURL))
			w.says(t, checker, w.client, c.want, nil)
		})
	}
}

// finding K29: the operator's files were read one after another with their deltas, so one partner's
// list with a hanging delta kept another partner's file unread.
func TestReviewed_ADeltaThatHangsKeepsNoFileOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile := w.partner(t, "hostile")
		w.net.serve("http://delta.hostile.example", hanging)
		dir := t.TempDir()
		first, second := filepath.Join(dir, "a.crl"), filepath.Join(dir, "b.crl")
		write(t, first, w.fatOf(t, hostile.ca, manyEntries(3, 20)))
		write(t, second, encode(t, w.listAt(now, now.Add(day))))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{File: first}, {File: second}}, certs(hostile.ca, w.ca)
		})
		began := time.Now()
		client := w.issue(t, "client", noPoints)
		found, err := checker.CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		assert.Equal(t, isGood.String(), found.Status.String())
		assert.LessOrEqual(t, time.Since(began), time.Second)
		write(t, second, encode(t, w.listAt(now.Add(time.Minute), now.Add(day), entryFor(client))))
		w.clock.advance(2 * time.Minute)
		w.says(t, checker, client, isRevoked, nil)
	})
}

// slowShelf is a slow Store that counts concurrent reads.
type slowShelf struct {
	*shelf
	now, most atomic.Int64
}

func (s *slowShelf) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if strings.HasPrefix(key, "c") {
		n := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	return s.shelf.Get(ctx, key)
}

// finding K30: lists that come from a Store were not counted before all of them had been read.
func TestReviewed_ListsFromAStoreAreReadOneByOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), &slowShelf{shelf: newShelf()}
		w.net.serve("http://crl.partner.example/many/", body(encode(t, w.listAt(now, now.Add(day)))))
		checker := w.checker(t, crlOnly, stored(s))
		var all sync.WaitGroup
		for n := range 50 {
			client := w.issue(t, "client", noPoints, point(uri(fmt.Sprintf("http://crl.partner.example/many/%d", n))))
			all.Go(func() {
				found, err := checker.CheckChain(t.Context(), w.chain(client))
				assert.NoError(t, err)
				assert.Equal(t, isGood.String(), found.Status.String())
			})
		}
		all.Wait()
		assert.LessOrEqual(t, s.most.Load(), int64(1))
	})
}

// finding K32: a certificate without a source stayed without one, although one of the operator's
// lists was later found to be of its CA.
func TestReviewed_SourceOfACertificateIsFoundLaterAsWell(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		signer := makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign))
		client := w.issue(t, "client", unpointed)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.signedBy(signer, entryFor(client))))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers, c.AllowNoSource = []revocation.List{{File: path}}, certs(signer), true
		})
		short := []*x509.Certificate{client.cert, w.ca.cert} // the CA is an anchor itself
		_, err := checker.CheckChain(t.Context(), short)
		require.NoError(t, err)
		w.says(t, checker, client, isRevoked, nil)
	})
}

// finding K31: after a failed check whether a hold was lifted, the next check was made a quarter of
// an hour later, although the list was available again after seconds.
func TestReviewed_AFailedLookAtAHoldIsMadeAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(5*day), entryFor(w.client, ocsptest.ReasonCode(onHold))))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isRevoked, nil)
		w.clock.advance(16 * time.Minute)
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.says(t, checker, w.client, isRevoked, nil) // asks in the background, in vain
		asked := w.net.count(crlURL)
		w.says(t, checker, w.client, isRevoked, nil)
		require.Equal(t, asked, w.net.count(crlURL), "left alone for five seconds")
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(10*time.Minute), now.Add(5*day)))))
		w.clock.advance(time.Minute)
		w.says(t, checker, w.client, isRevoked, nil) // asks again
		w.says(t, checker, w.client, isGood, nil)
	})
}
