package revocation_test

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// publish serves a list that the CA issues now and that it says is valid for a week.
func (w *wired) publish(t *testing.T, entries ...ocsptest.Entry) {
	at := w.clock.now()
	w.net.serve(crlURL, body(encode(t, w.listAt(at.Add(-time.Minute), at.Add(7*day), entries...))))
}

// finding K94: a list that became too old by Verify.MaxAge before its nextUpdate was not fetched again
// until six hours after it had been fetched, so that all clients of its CA were refused although there
// was a newer list.
func TestChecker_AListThatIsTooOldIsFetchedAgain(t *testing.T) {
	const limit = 2 * time.Hour
	for name, checkerOf := range map[string]func(*testing.T, *wired) *revocation.Checker{
		"at the certificate's point": func(t *testing.T, w *wired) *revocation.Checker {
			return w.checker(t, crlOnly, func(c *revocation.Config) { c.Verify.MaxAge = limit })
		},
		"in Lists": func(t *testing.T, w *wired) *revocation.Checker {
			return w.operated(t, revocation.List{URL: crlURL}, func(c *revocation.Config) { c.Verify.MaxAge = limit })
		},
	} {
		inBubble(t, name+", while requests arrive", func(t *testing.T) {
			w := wire(t)
			w.publish(t)
			checker := checkerOf(t, w)
			for range 20 {
				w.says(t, checker, w.client, isGood, nil)
				w.clock.advance(20 * time.Minute)
				w.publish(t)
			}
			assert.Less(t, w.net.count(crlURL), 12, "at half of the age")
		})
		inBubble(t, name+", after a pause, from a CA that is late", func(t *testing.T) {
			w := wire(t)
			w.publish(t)
			checker := checkerOf(t, w)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(limit)
			for range 10 {
				w.says(t, checker, w.issue(t, "another"), isUnavailable, revocation.ErrNotFresh)
				w.clock.advance(10 * time.Second)
			}
			assert.LessOrEqual(t, w.net.count(crlURL), 5, "once a minute")
			w.publish(t, entryFor(w.other))
			w.clock.advance(time.Minute)
			w.says(t, checker, w.client, isGood, nil)
			w.says(t, checker, w.other, isRevoked, nil)
		})
	}
	inBubble(t, "from the Store", func(t *testing.T) {
		w, s := wire(t), newShelf()
		config := both(crlOnly, stored(s), func(c *revocation.Config) { c.Verify.MaxAge = limit })
		w.publish(t)
		w.says(t, w.checker(t, config), w.client, isGood, nil)
		w.clock.advance(limit)
		w.publish(t)
		w.says(t, w.checker(t, config), w.client, isGood, nil)
	})
	inBubble(t, "but not one that is too old only for end-entity certificates", func(t *testing.T) {
		w := wire(t)
		l := w.rootList()
		l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(-31*day)), ocsptest.UTCAt(now.Add(90*day))
		w.net.serve(rootsURL, body(encode(t, l)))
		checker := w.checker(t)
		for range 12 {
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(10 * time.Minute)
		}
		require.Equal(t, 1, w.net.count(rootsURL))
	})
}

// finding K95: StaleGrace did not apply to a list that was too old by Verify.MaxAge or MaxAgeCA, or that
// has no nextUpdate, but to an OCSP response it did.
func TestChecker_StaleGraceAppliesToAListThatIsTooOld(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*revocation.Config)
		about  func(*wired) []*x509.Certificate
		next   []byte
	}{
		"by MaxAge": {
			func(c *revocation.Config) { c.Verify.MaxAge = 2 * time.Hour },
			func(w *wired) []*x509.Certificate { return w.chain(w.client) }, ocsptest.UTCAt(now.Add(7 * day)),
		},
		"by MaxAgeCA": {
			func(c *revocation.Config) { c.Verify.MaxAgeCA = 2 * time.Hour },
			func(w *wired) []*x509.Certificate { return certs(w.ca, w.root) }, ocsptest.UTCAt(now.Add(7 * day)),
		},
		"by its nextUpdate, at any age": {
			func(c *revocation.Config) { c.Verify.MaxAge, c.Verify.MaxAgeCA, c.Verify.Skew = -1, -1, -1 },
			func(w *wired) []*x509.Certificate { return w.chain(w.client) }, ocsptest.UTCAt(now.Add(2 * time.Hour)),
		},
		"without nextUpdate": {
			func(c *revocation.Config) { c.Verify.MaxAge, c.Verify.AllowNoNextUpdate = 2*time.Hour, true },
			func(w *wired) []*x509.Certificate { return w.chain(w.client) }, nil,
		},
	} {
		for _, isDown := range []bool{true, false} {
			inBubble(t, fmt.Sprintf("%s, the CA is down: %t", name, isDown), func(t *testing.T) {
				w := wire(t)
				l, roots := w.list(), w.rootList()
				for _, one := range []*ocsptest.List{&l, &roots} {
					one.ThisUpdate, one.NextUpdate = ocsptest.UTCAt(now), c.next
				}
				w.net.serve(crlURL, body(encode(t, l)))
				w.net.serve(rootsURL, body(encode(t, roots)))
				checker := w.checker(t, sources(revocation.CRLOnly), c.config, func(c *revocation.Config) { c.StaleGrace = 3 * time.Hour })
				judge := func() (certauth.Revocation, error) { return checker.CheckChain(t.Context(), c.about(w)) }
				found, err := judge()
				require.NoError(t, err)
				assert.False(t, found.Stale)
				if isDown {
					w.outage()
					w.net.serve(rootsURL, failing(revocation.ErrTransport))
				}
				asked := w.net.total()
				w.clock.advance(2*time.Hour + time.Second)
				found, err = judge()
				require.NoError(t, err)
				assert.True(t, found.Stale)
				assert.Greater(t, w.net.total(), asked, "nothing newer is available")
				w.clock.advance(3*time.Hour - time.Second)
				_, err = judge()
				require.NoError(t, err)
				w.clock.advance(time.Second)
				_, err = judge()
				require.Error(t, err)
			})
		}
	}
}

// finding K97: an OCSP response that ends before its nextUpdate, by Verify.MaxAge or with the certificate of
// a delegate, was not renewed until it had ended, so that requests waited for the responder, and were
// refused if it did not answer at that moment.
func TestChecker_AResponseIsRenewedBeforeItIsTooOld(t *testing.T) {
	for name, maxAge := range map[string]time.Duration{"by MaxAge": 30 * time.Minute, "with its delegate": 0} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer := w.ca
			if maxAge == 0 {
				signer = w.delegate(t, valid(now.Add(-time.Hour), now.Add(30*time.Minute)))
			}
			w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) {
				r.Answers[0].ThisUpdate = ocsptest.At(w.clock.now())
				r.Responder, r.Key, r.Certificates = ocsptest.ByName(signer.cert.RawSubject), signer.key, [][]byte{signer.cert.Raw}
			}))
			checker := w.checker(t, ocspOnly, func(config *revocation.Config) { config.Verify.MaxAge = maxAge })
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(20 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, 2, w.net.count(ocspURL), "renewed meanwhile")
			signer = w.ca
			w.clock.advance(20 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}
