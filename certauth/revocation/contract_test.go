package revocation_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
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

// finding K1: a failed attempt of any age counted as one that was just made, so evidence that had
// expired, or the second choice, was accepted without a request.
func TestContract_AFailureOfLongAgoIsNoAttempt(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(*revocation.Config)
		first  func(*testing.T, *wired)
		pause  time.Duration
	}{
		{"StaleGrace", both(ocspOnly, staleGrace), func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now, now.Add(24*time.Hour)))
		}, 29 * time.Hour},
		{"the second choice", leafOnly, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
			w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(5*day)))))
		}, 20 * time.Hour},
		{"evidence that has not run out, after a pause", ocspOnly, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now, now.Add(5*day)))
		}, 8 * time.Hour},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			c.first(t, w)
			checker := w.checker(t, c.config)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(70 * time.Minute)
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
			w.says(t, checker, w.client, isGood, nil) // and a background refresh fails
			w.clock.advance(c.pause)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// finding K4: two issuing CAs of one partner, with two slow hosts each, took all places to fetch
// in.
func TestContract_APartnerWithManyCAsHasOneShare(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		w.net.serve(honest.url(), honest.answers(t, ocsptest.StatusGood))
		w.net.serve("http://slow", hanging)
		checker := w.checker(t, leafOnly)
		var all sync.WaitGroup
		for n := range 30 {
			ca := makeCert(t, fmt.Sprintf("hostile CA %d", n), newKey(t), hostile.root, asCA)
			for i := range 8 {
				client := makeCert(t, "hostile client", newKey(t), ca, asClient, func(c *x509.Certificate) {
					c.OCSPServer = []string{fmt.Sprintf("http://slow%d.example/%d", n*8+i, i)}
				})
				all.Go(func() {
					_, _ = checker.CheckChain(t.Context(), []*x509.Certificate{client.cert, ca.cert, hostile.root.cert})
				})
			}
		}
		synctest.Wait()
		began := time.Now()
		for range 100 {
			found, err := honest.check(t, checker, honest.client(t))
			require.NoError(t, err)
			require.Equal(t, isGood, found.Status)
		}
		assert.Zero(t, time.Since(began))
		all.Wait()
	})
}

// finding K5: the URLs of Config.Lists were read one after another, and nothing counted before the
// first read of all had ended: a slow URL kept the client of a file out.
func TestContract_ASlowURLKeepsNoFileOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "list.crl")
		write(t, path, encode(t, w.listAt(now, now.Add(day))))
		lists := []revocation.List{{File: path}}
		for i := range 5 {
			url := fmt.Sprintf("http://slow%d.example/list.crl", i)
			w.net.serve(url, hanging)
			lists = append(lists, revocation.List{URL: url})
		}
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers, c.IgnoreCertificateURLs = lists, certs(w.ca, w.root), true
		})
		began := time.Now()
		found, err := w.check(t, checker)
		require.NoError(t, err)
		assert.Equal(t, isGood, found.Status)
		assert.LessOrEqual(t, time.Since(began), time.Second)
		assert.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
	})
}

// finding K8: under SoftFail, evidence that is only too old and says revoked denied if it came from
// the network, and was waived if it came from the store.
func TestContract_AnExpiredRevokedFromTheStoreDenies(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), newShelf()
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now, now.Add(day)))
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isGood, nil)
		response, err := w.dated(t, revokedAt(now, keyCompromise), now, now.Add(time.Hour))(t.Context(), w.net.last())
		require.NoError(t, err)
		s.all(response.Body)
		w.clock.advance(5 * time.Hour)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		found, err := w.check(t, w.checker(t, ocspOnly, softFail, stored(s)))
		require.Error(t, err)
		assert.Equal(t, isUnavailable, found.Status)
	})
}

// finding K9: a hold from a CRL was not checked every quarter of an hour.
func TestContract_AHoldFromACRLIsAskedAbout(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hold := ocsptest.ReasonCode(onHold)
		w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(5*day), entryFor(w.client, hold)))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isRevoked, nil)
		w.clock.advance(10 * time.Minute)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(10*time.Minute), now.Add(5*day)))))
		w.says(t, checker, w.client, isRevoked, nil)
		w.clock.advance(6 * time.Minute)
		w.says(t, checker, w.client, isRevoked, nil) // asks in the background
		w.says(t, checker, w.client, isGood, nil)
	})
}

// finding K10: Ready was nil while a file of a directory could not be read.
func TestContract_ReadyNamesWhatIsNotInMemory(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "good.crl"), encode(t, w.listAt(now, now.Add(day))))
		write(t, filepath.Join(dir, "broken.crl"), []byte("not a list"))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{Dir: dir}}, certs(w.ca, w.root)
		})
		require.Error(t, checker.Preload(t.Context()))
		err := checker.Ready()
		require.ErrorIs(t, err, revocation.ErrNotReady)
		assert.ErrorContains(t, err, "broken.crl")
		write(t, filepath.Join(dir, "broken.crl"), encode(t, w.rootList()))
		w.clock.advance(time.Minute)
		require.NoError(t, checker.Preload(t.Context()))
		assert.NoError(t, checker.Ready())
	})
}

// finding K11: a newer Revoked that was found in the store while an older Good was being stored was
// verified and discarded.
func TestContract_ANewerRevokedInTheStoreCounts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), newShelf()
		var looks atomic.Int64
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(day)))
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isGood, nil)
		newer, err := w.dated(t, revokedAt(now, keyCompromise), now, now.Add(day))(t.Context(), w.net.last())
		require.NoError(t, err)
		late := newShelf()
		late.kept = map[string][]byte{}
		late.get = func(context.Context) error {
			if looks.Add(1) == 2 { // another instance has written since the first look-up
				for key := range s.kept {
					late.kept[key] = newer.Body
				}
			}
			return nil
		}
		checker := w.checker(t, ocspOnly, stored(late))
		_, _ = w.check(t, checker)
		synctest.Wait()
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// finding K12: any newer Good in a store, however old, counted as the news for which the first
// request after a pause waits.
func TestContract_AnOldGoodInAStoreIsNoNews(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w, s := wire(t), newShelf()
			good := w.dated(t, ocsptest.StatusGood, now, now.Add(5*day))
			w.net.serve(ocspURL, good)
			w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(5*day)))))
			checker := w.checker(t, config, stored(s))
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(13 * time.Hour) // another instance stores the Good of that time
			kept := encode(t, w.listAt(now.Add(13*time.Hour), now.Add(5*day)))
			if name == "OCSP" {
				response, err := w.dated(t, ocsptest.StatusGood, now.Add(13*time.Hour), now.Add(5*day))(t.Context(), w.net.last())
				require.NoError(t, err)
				kept = response.Body
			}
			s.all(kept)
			w.clock.advance(20 * time.Hour)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(26*time.Hour), now.Add(5*day), entryFor(w.client)))))
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// finding K13: CRL points were asked one after another without hedging: a slow first point kept the
// client out although the second, or a responder, could have answered at once.
func TestContract_ASlowPointKeepsNobodyOut(t *testing.T) {
	const slowURL = "http://slow.partner.example/clients.crl"
	for _, c := range []struct {
		name   string
		config func(*revocation.Config)
		client change
	}{
		{"the second point answers", crlOnly, func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = nil, []string{slowURL, crlURL}
		}},
		{"the responder answers", both(leafOnly, sources(revocation.PreferCRL)), func(c *x509.Certificate) {
			c.CRLDistributionPoints = []string{slowURL}
		}},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(slowURL, hanging)
			checker := w.checker(t, c.config)
			began := time.Now()
			w.says(t, checker, w.issue(t, "client", c.client), isGood, nil)
			assert.LessOrEqual(t, time.Since(began), 3*time.Second)
		})
	}
}

// finding K14: a hanging store cost six seconds per list, more than MaxWait.
func TestContract_AHungStoreLeavesTimeToFetch(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), newShelf()
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s.get, s.set = hang, hang
		checker := w.checker(t, crlOnly, stored(s))
		began := time.Now()
		w.says(t, checker, w.client, isGood, nil)
		assert.LessOrEqual(t, time.Since(began), 2*time.Second)
	})
}

// finding K15: a hold that was learned while the clock was ahead was not checked until that time.
func TestContract_AHoldOfAClockAheadIsAskedAbout(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now, onHold), now, now.Add(30*day)))
		checker := w.checker(t, ocspOnly)
		w.clock.advance(7 * day)
		w.says(t, checker, w.client, isRevoked, nil)
		w.clock.advance(-7 * day)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(time.Minute), now.Add(day)))
		w.says(t, checker, w.client, isGood, nil)
	})
}

// finding K16: a file that was rewritten with the same size and time was not read again.
func TestContract_AFileOfTheSameSizeAndTimeIsReadAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "list.crl")
		old := encode(t, w.listAt(now, now.Add(day), entryFor(w.other)))
		write(t, path, old)
		info, err := os.Stat(path)
		require.NoError(t, err)
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers, c.IgnoreCertificateURLs = []revocation.List{{File: path}}, certs(w.ca), true
		})
		w.says(t, checker, w.client, isGood, nil)
		next := encode(t, w.listAt(now.Add(time.Second), now.Add(day), entryFor(w.client)))
		for len(next) != len(old) { // the length of an ECDSA signature varies
			next = encode(t, w.listAt(now.Add(time.Second), now.Add(day), entryFor(w.client)))
		}
		require.NoError(t, os.WriteFile(path, next, 0o600)) // the same file
		require.NoError(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		w.clock.advance(2 * time.Minute)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// finding K16: a file over the limit was read up to the limit at every check.
func TestContract_AFileOverTheLimitIsRefusedUnread(t *testing.T) {
	w := wire(t)
	path := filepath.Join(t.TempDir(), "list.crl")
	write(t, path, nil)
	require.NoError(t, os.Truncate(path, 2<<30))
	checker := w.checker(t, crlOnly, func(c *revocation.Config) {
		c.Lists, c.Issuers = []revocation.List{{File: path}}, certs(w.ca)
	})
	assert.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrTooLarge)
	assert.ErrorContains(t, checker.Preload(t.Context()), "2147483648 bytes")
}

// finding K17: evidence that had expired, or that a clock step had admitted, excluded older
// evidence that is still valid, as a rollback.
func TestContract_WhatHasRunOutKeepsNothingOut(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			at := func(this, next time.Time) {
				w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, this, next))
				w.net.serve(crlURL, body(encode(t, w.listAt(this, next))))
			}
			at(now, now.Add(time.Hour))
			checker := w.checker(t, config)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(2 * time.Hour)
			at(now.Add(-time.Hour), now.Add(day))
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}

// finding K17: a verified base that names the certificate counted only after the fetch of its delta
// had ended.
func TestContract_ABaseCountsBeforeItsDelta(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(day)))))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now, now.Add(day)))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(13 * time.Hour)
		base := w.numberedBase(12, now.Add(5*day), entryFor(w.client))
		base.ThisUpdate = ocsptest.UTCAt(now.Add(13 * time.Hour))
		w.net.serve(crlURL, body(encode(t, base)))
		w.net.serve(deltaURL, hanging)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// finding K18: concurrent failures were counted as failures in a row, so an outage of milliseconds
// became five minutes of refusals.
func TestContract_ABlipIsOneFailure(t *testing.T) {
	for name, failure := range map[string]error{
		"refused": revocation.ErrTransport, "429": fetch.HTTPStatusError{Status: 429}, "503": fetch.HTTPStatusError{Status: 503},
	} {
		for _, clients := range []int{1, 4, 20, 200} {
			inBubble(t, fmt.Sprintf("%s, %d clients", name, clients), func(t *testing.T) {
				w := wire(t)
				checker := w.checker(t, ocspOnly)
				var all []*identity
				for range clients {
					all = append(all, w.issue(t, "client"))
				}
				together := func() (good int64) {
					var n atomic.Int64
					var wait sync.WaitGroup
					for _, client := range all {
						wait.Go(func() {
							if found, err := checker.CheckChain(t.Context(), w.chain(client)); err == nil && found.Status == isGood {
								n.Add(1)
							}
						})
					}
					wait.Wait()
					return n.Load()
				}
				w.net.serve(ocspURL, func(context.Context, revocation.Request) (revocation.Response, error) {
					time.Sleep(10 * time.Millisecond) //nolint:forbidigo // inside a bubble
					return revocation.Response{}, failure
				})
				require.Zero(t, together())
				asked := w.net.total()
				assert.LessOrEqual(t, asked, 4, "a busy responder is asked again at once")
				w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
				good := int64(0)
				for range 2 {
					w.clock.advance(5*time.Second + 500*time.Millisecond)
					good = together()
				}
				assert.Equal(t, int64(clients), good)
			})
		}
	}
}

// finding K19: the time of the next attempt carried the monotonic clock, which stands still while a
// machine sleeps; an expired list was not requested until then.
func TestContract_TheFirstRequestAfterASleepAsks(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		for _, asleep := range []time.Duration{time.Hour, 5 * time.Hour, 25 * time.Hour, 8 * day} {
			t.Run(fmt.Sprintf("%s, asleep for %s", name, asleep), func(t *testing.T) {
				w := wire(t)
				// Both clocks advance while the machine runs; only the wall clock does while it
				// sleeps.
				var slept atomic.Int64
				began := time.Now()
				machine := func() time.Time { return onMachine(began, now, time.Duration(slept.Load())) }
				serve := func() {
					at := now.Add(time.Duration(slept.Load()))
					w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, at, at.Add(4*time.Hour)))
					w.net.serve(crlURL, body(encode(t, w.listAt(at, at.Add(4*time.Hour)))))
				}
				serve()
				checker := w.checker(t, config, func(c *revocation.Config) { c.Now = machine })
				good := func() {
					found, err := w.check(t, checker)
					require.NoError(t, err)
					require.Equal(t, isGood, found.Status)
				}
				good()
				good()
				asked := w.net.total()
				slept.Store(int64(asleep))
				w.clock.advance(asleep)
				serve()
				good()
				if asleep > 4*time.Hour {
					assert.Greater(t, w.net.total(), asked)
				}
			})
		}
	}
}

// finding K21: after an outage nothing could be requested at once.
func TestContract_RefreshAsksNow(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, config)
			w.says(t, checker, w.client, isGood, nil)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(time.Second), now.Add(day), entryFor(w.client)))))
			w.says(t, checker, w.client, isGood, nil)
			require.NoError(t, checker.Refresh(t.Context()))
			w.says(t, checker, w.client, isRevoked, nil)
		})
		inBubble(t, name+", after an outage", func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, config)
			w.outage()
			for range 8 {
				w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
				w.clock.advance(5 * time.Minute)
			}
			w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
			require.Error(t, checker.Refresh(t.Context()))
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.net.serve(crlURL, body(encode(t, w.listAt(w.clock.now(), w.clock.now().Add(day)))))
			_, err := checker.CheckChain(t.Context(), w.chain(w.other))
			require.Error(t, err, "left alone")
			require.NoError(t, checker.Refresh(t.Context()))
			w.says(t, checker, w.client, isGood, nil)
			w.says(t, checker, w.issue(t, "new"), isGood, nil)
		})
	}
	assert.ErrorIs(t, (&revocation.Checker{}).Refresh(t.Context()), revocation.ErrClosed)
}

// finding K23: the process's own lack of descriptors or memory counted as a failure of the host.
func TestContract_OwnLackIsNoFailureOfTheHost(t *testing.T) {
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		inBubble(t, lack.Error(), func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, ocspOnly)
			w.net.serve(ocspURL, failing(errors.Join(revocation.ErrTransport, lack)))
			for range 20 {
				w.says(t, checker, w.issue(t, "client"), isUnavailable, revocation.ErrTransport)
			}
			assert.Empty(t, checker.Stats().OpenBreakers)
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.says(t, checker, w.issue(t, "client"), isGood, nil)
		})
	}
}

// A permanent revocation stays, although a newer list that another client's request has fetched
// does not contain the certificate any more.
func TestContract_RevokedForGoodOutlivesItsList(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(day), entryFor(w.client)))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isRevoked, nil)
		w.clock.advance(23 * time.Hour)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(23*time.Hour), now.Add(9*day)))))
		for range 2 {
			w.says(t, checker, w.issue(t, "another client"), isGood, nil)
			w.says(t, checker, w.client, isRevoked, nil)
			w.clock.advance(7 * time.Hour)
		}
	})
}

// A Good from a file is valid until the file's nextUpdate, and not until the next check of the
// file.
func TestContract_AGoodEndsWithItsFile(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "list.crl")
		write(t, path, encode(t, w.listAt(now, now.Add(20*time.Minute))))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers, c.IgnoreCertificateURLs, c.PollInterval = []revocation.List{{File: path}}, certs(w.ca), true, day
		})
		for range 2 {
			found, err := w.check(t, checker)
			require.NoError(t, err)
			require.Equal(t, isGood, found.Status)
		}
		w.clock.advance(20*time.Minute + skew + time.Second)
		found, err := w.check(t, checker)
		require.ErrorIs(t, err, revocation.ErrNotFresh)
		assert.Equal(t, isUnavailable, found.Status)
	})
}
