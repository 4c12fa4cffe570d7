package revocation_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
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

// finding K34: a fetch that began before Refresh and failed after the call made Refresh leave the
// host alone, although it promises to ask now.
func TestChecker_RefreshAsksAlthoughAnEarlierFetchFailsMeanwhile(t *testing.T) {
	const listURL = "http://lists.partner.example/all.crl"
	for _, c := range []struct {
		name, url string
		config    func(*wired, *revocation.Config)
	}{
		{"OCSP", ocspURL, func(_ *wired, c *revocation.Config) { c.Scope, c.Sources = revocation.LeafOnly, revocation.OCSPOnly }},
		{"CRL", crlURL, func(_ *wired, c *revocation.Config) { c.Scope, c.Sources = revocation.LeafOnly, revocation.CRLOnly }},
		{"one of Config.Lists", listURL, func(w *wired, c *revocation.Config) {
			c.Scope, c.Sources, c.IgnoreCertificateURLs = revocation.LeafOnly, revocation.CRLOnly, true
			c.Lists, c.Issuers = []revocation.List{{URL: listURL}}, certs(w.ca)
		}},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			works := body(encode(t, w.list()))
			if c.url == ocspURL {
				works = w.responder(t, ocsptest.StatusGood)
			}
			gate := make(chan struct{})
			w.net.serve(c.url, gated(gate, failing(revocation.ErrTransport)))
			checker := w.checker(t, func(config *revocation.Config) { c.config(w, config) })
			asked := make(chan error, 2)
			go func() {
				_, err := w.check(t, checker)
				asked <- err
			}()
			synctest.Wait()
			w.net.serve(c.url, works)
			refreshed := make(chan error, 1)
			go func() { refreshed <- checker.Refresh(t.Context()) }()
			synctest.Wait()
			close(gate)
			require.NoError(t, <-refreshed)
			<-asked
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}

// finding K35: a clock that panicked once left a mutex locked or a fetch place taken, and all later
// requests and Close hung.
func TestChecker_APanicOfTheClockLocksNobodyOut(t *testing.T) {
	for n := int64(1); n <= 60; n++ {
		bubble.Test(t, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, encode(t, w.list()))
			const listURL = "http://lists.partner.example/all.crl"
			w.net.serve(listURL, body(encode(t, w.list())))
			var calls atomic.Int64
			calls.Store(-1 << 40)
			checker := w.checker(t, func(c *revocation.Config) {
				c.Lists, c.Issuers = []revocation.List{{File: path}, {URL: listURL}}, certs(w.ca)
				c.Now = func() time.Time {
					if calls.Add(1) == n {
						panic("no clock")
					}
					return w.clock.now()
				}
			})
			calls.Store(0)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				ask := func() (err error) {
					defer func() { _ = recover() }()
					_, err = w.check(t, checker)
					return err
				}
				_ = ask()
				synctest.Wait()
				for range 3 {
					w.clock.advance(10 * time.Minute)
					_ = ask()
				}
				assert.NoError(t, ask(), "panic at call %d", n)
			}()
			select {
			case <-ended:
			case <-time.After(10 * time.Minute):
				panic("hangs")
			}
		})
	}
}

// finding K33: an expired list that names the certificate as permanently revoked was outweighed by
// a Good from before that revocation, so a restart made a revoked client good again.
func TestChecker_AnOlderGoodDoesNotOutweighANewerListThatHasRunOut(t *testing.T) {
	older, newer := now.Add(-3*day), now.Add(-time.Hour)
	for _, c := range []struct {
		name    string
		sources revocation.Sources
		good    time.Time // thisUpdate of the evidence that is still valid
		mode    revocation.Mode
		want    certauth.RevocationStatus
		why     error
	}{
		{"OCSP says good and is older", revocation.PreferOCSP, older, revocation.HardFail, isUnavailable, revocation.ErrNotFresh},
		{"OCSP says good and is older, lists first", revocation.PreferCRL, older, revocation.HardFail, isUnavailable, revocation.ErrNotFresh},
		{"another list says good and is older", revocation.CRLOnly, older, revocation.HardFail, isUnavailable, revocation.ErrNotFresh},
		{"OCSP says good and is older, SoftFail", revocation.PreferOCSP, older, revocation.SoftFail, isUnavailable, revocation.ErrNotFresh},
		{"another list says good and is older, SoftFail", revocation.CRLOnly, older, revocation.SoftFail, isUnavailable, revocation.ErrNotFresh},
		{"OCSP says good and is newer", revocation.PreferOCSP, newer, revocation.HardFail, isGood, nil},
		{"OCSP says good and is newer, lists first", revocation.PreferCRL, newer, revocation.HardFail, isGood, nil},
		{"another list says good and is newer", revocation.CRLOnly, newer, revocation.HardFail, isGood, nil},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, encode(t, w.listAt(now.Add(-2*day), now.Add(-day), entryFor(w.client))))
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, c.good, now.Add(4*day)))
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			if c.sources == revocation.CRLOnly {
				w.net.serve(crlURL, body(encode(t, w.listAt(c.good, now.Add(4*day)))))
			}
			checker := w.checker(t, leafOnly, sources(c.sources), func(config *revocation.Config) {
				config.Mode, config.Lists, config.Issuers = c.mode, []revocation.List{{File: path}}, certs(w.ca)
			})
			for range 3 {
				w.says(t, checker, w.client, c.want, c.why)
			}
			assert.LessOrEqual(t, w.net.count(ocspURL), 2, "GET and POST at most, though asked three times")
			w.says(t, checker, w.issue(t, "another"), isGood, nil)
		})
	}
}

// finding K51: an expired list was replaced by an older one that is valid for longer, and certificates
// that only the newer one had revoked were good, unless they had been asked about before.
func TestChecker_AnOlderListThatIsValidForLongerClearsNobody(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*testing.T, *wired) *revocation.Checker
		url    string
	}{
		"at a distribution point": {func(t *testing.T, w *wired) *revocation.Checker { return w.checker(t, crlOnly, softFail) }, crlURL},
		"at a URL of the operator": {func(t *testing.T, w *wired) *revocation.Checker {
			return w.operated(t, revocation.List{URL: configuredURL}, softFail)
		}, configuredURL},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			checker := c.config(t, w)
			w.net.serve(c.url, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(day), entryFor(w.client)))))
			w.says(t, checker, w.issue(t, "first"), isGood, nil)
			w.net.serve(c.url, body(encode(t, w.listAt(now.Add(-2*day), now.Add(7*day)))))
			w.clock.advance(2 * day)
			w.says(t, checker, w.issue(t, "second"), isGood, nil)
			w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
			w.net.serve(c.url, body(encode(t, w.listAt(now.Add(day), now.Add(7*day)))))
			w.clock.advance(7 * time.Hour)
			w.says(t, checker, w.issue(t, "third"), isGood, nil)
			w.says(t, checker, w.client, isGood, nil) // the CA has removed it again
		})
	}
}

// finding K36: a list URL that answered with a list of another scope each time filled MaxListMemory
// with its earlier answers, and the lists of others could not be updated.
func TestChecker_AListThatChangesItsScopeTakesNoMemoryOfOthers(t *testing.T) {
	const hostileURL, honestURL = "http://lists.hostile.example/all.crl", "http://lists.honest.example/all.crl"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, turn := w.partner(t, "hostile"), 0
		w.net.serve(hostileURL, func(context.Context, revocation.Request) (revocation.Response, error) {
			turn++
			l := w.listAt(now.Add(-time.Hour), now.Add(30*day))
			l.Issuer, l.Key, l.RawEntries = hostile.ca.cert.RawSubject, hostile.ca.key, manyEntries(15_000, 20)
			l.Extensions = []ocsptest.Extension{
				ocsptest.AuthorityKeyID(hostile.ca.cert.SubjectKeyId), ocsptest.CRLNumber(int64(turn)),
				ocsptest.IssuingPoint(uri(fmt.Sprint("http://lists.hostile.example/", turn))),
			}
			return revocation.Response{Body: encode(t, l), MaxAge: time.Second}, nil
		})
		w.net.serve(honestURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*day)))))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: hostileURL}, {URL: honestURL}}, certs(hostile.ca, w.ca)
			c.IgnoreCertificateURLs, c.MaxListBytes, c.MaxListMemory = true, 1<<20, 2<<20
		})
		w.says(t, checker, w.client, isGood, nil)
		for range 20 {
			w.clock.advance(10 * time.Minute)
			_, _ = w.check(t, checker)
			synctest.Wait()
		}
		require.Greater(t, turn, 10)
		l := w.listAt(w.clock.now(), now.Add(5*day), entryFor(w.client))
		l.RawEntries = manyEntries(16_000, 20)
		w.net.serve(honestURL, body(encode(t, l)))
		_ = checker.Refresh(t.Context())
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// finding K37: an Observe that panics caused a record for every fetch.
func TestChecker_ObserveThatPanicsIsToldOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		var log bytes.Buffer
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.Observe = func(context.Context, revocation.Event) { panic("metrics") }
		})
		for i := range 20 {
			w.says(t, checker, w.issue(t, fmt.Sprint("client ", i)), isGood, nil)
		}
		require.Equal(t, 20, w.net.count(ocspURL))
		assert.Equal(t, 1, strings.Count(log.String(), "panic: "), log.String())
	})
}
