package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Case 84, rule C9: older evidence never replaces newer evidence.
func TestChecker_KeepsTheNewerList(t *testing.T) {
	numbered := func(w *wired, this time.Time, number int64, entries ...ocsptest.Entry) ocsptest.List {
		l := w.listAt(this, now.Add(5*day), entries...)
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number)}
		return l
	}
	for _, c := range []struct {
		name    string
		this    time.Duration
		number  int64
		replace bool
	}{
		{"case 84 an older list with a lower number", -time.Hour, 9, false},
		{"case 84 a newer list with a lower number", time.Hour, 9, false},
		{"case 84 an older list of the same number", -time.Hour, 10, false},
		{"case 84 a newer list with a higher number", time.Hour, 11, true},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(crlURL, body(encode(t, numbered(w, now.Add(-2*time.Hour), 10, entryFor(w.client)))))
			checker := w.checker(t, crlOnly)
			first := w.issue(t, "first")
			w.says(t, checker, first, isGood, nil) // so that nothing is stored about the client itself
			w.net.serve(crlURL, body(encode(t, numbered(w, now.Add(-2*time.Hour).Add(c.this), c.number))))
			w.clock.advance(7 * time.Hour)
			w.says(t, checker, first, isGood, nil)
			require.Equal(t, 2, w.net.total())
			want := isRevoked
			if c.replace {
				want = isGood
			}
			w.says(t, checker, w.client, want, nil)
			assert.Equal(t, !c.replace, checker.Stats().Suspicious == 1, "a replay is reported")
		})
	}
}

// Case 89: conditional requests, and the meaning of 304.
func TestChecker_ConditionalRequests(t *testing.T) {
	unchanged := answered(revocation.Response{NotModified: true})
	first := func(t *testing.T, w *wired) handler {
		return answered(revocation.Response{Body: encode(t, w.listAt(now.Add(-time.Hour), now.Add(2*day))), ETag: `"one"`, LastModified: "Mon, 02 Mar 2026 11:00:00 GMT"})
	}
	inBubble(t, "case 89 304 keeps the list", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, first(t, w))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		assert.Empty(t, w.net.last().ETag+w.net.last().LastModified, "there is no validator yet")
		w.net.serve(crlURL, unchanged)
		for n := range 5 {
			w.clock.advance(7 * time.Hour)
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, `"one"`, w.net.last().ETag)
			assert.Equal(t, "Mon, 02 Mar 2026 11:00:00 GMT", w.net.last().LastModified)
			assert.Equal(t, n+2, w.net.total())
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, n+2, w.net.total(), "its time until the next refresh must start again")
		}
	})
	inBubble(t, "case 89 304 on a list that has run out", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, first(t, w))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(crlURL, unchanged)
		w.clock.advance(3 * day)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
	})
	inBubble(t, "case 89 304 without a condition", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, unchanged)
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrHTTPStatus)
		w.net.serve(crlURL, first(t, w))
		w.clock.advance(time.Minute)
		w.says(t, checker, w.client, isGood, nil)
	})
	inBubble(t, "case 89 304 without a condition, of the operator's list", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, unchanged)
		checker := w.operated(t, revocation.List{URL: crlURL})
		require.Error(t, checker.Preload(t.Context()))
		require.Error(t, checker.Ready())
	})
	inBubble(t, "case 89 304 on the operator's list that has run out", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, first(t, w))
		checker := w.operated(t, revocation.List{URL: crlURL})
		require.NoError(t, checker.Preload(t.Context()))
		w.net.serve(crlURL, unchanged)
		w.clock.advance(3 * day)
		require.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrNotFresh)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotFresh)
	})
	inBubble(t, "the second address of a point is not asked with the tag of the first", func(t *testing.T) {
		const a, b = "http://a.partner.example/ca.crl", "http://b.partner.example/ca.crl"
		w := wire(t)
		client := w.issue(t, "two addresses", noPoints, point(ocsptest.FullName(ocsptest.URI(a), ocsptest.URI(b))))
		w.net.serve(a, first(t, w))
		w.net.serve(b, first(t, w))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, client, isGood, nil)
		require.Zero(t, w.net.count(b))
		w.net.serve(a, failing(revocation.ErrTransport))
		w.clock.advance(7 * time.Hour)
		w.says(t, checker, client, isGood, nil)
		assert.Equal(t, 1, w.net.count(b))
		assert.Empty(t, w.net.last().ETag)
	})
}

// Cases 63 and 80 of the Checker: how many of the addresses in a certificate are used.
func TestChecker_LooksAtFewAddresses(t *testing.T) {
	many := func(n int, format string) (urls []string) {
		for i := range n {
			urls = append(urls, fmt.Sprintf(format, i))
		}
		return urls
	}
	down := func(w *wired) *revocation.Checker { return w.checker(t, leafOnly) }
	t.Run("case 63 three of 1000 responders", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "many", noPoints, func(c *x509.Certificate) { c.OCSPServer = many(1000, "http://h%d.example/ocsp") })
		_, err := down(w).CheckChain(t.Context(), w.chain(client))
		require.ErrorIs(t, err, revocation.ErrTransport)
		assert.Equal(t, 3, w.net.total())
	})
	t.Run("four of 60 points", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "many", func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = nil, many(60, "http://h%d.example/ca.crl")
		})
		_, err := down(w).CheckChain(t.Context(), w.chain(client))
		require.ErrorIs(t, err, revocation.ErrTransport)
		assert.Equal(t, 4, w.net.total())
	})
	t.Run("none of 1000 points", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "many", func(c *x509.Certificate) { c.CRLDistributionPoints = many(1000, "http://h%d.example/ca.crl") })
		for _, mode := range []revocation.Mode{revocation.HardFail, revocation.SoftFail} {
			_, err := w.checker(t, leafOnly, func(c *revocation.Config) { c.Mode = mode }).CheckChain(t.Context(), w.chain(client))
			require.ErrorIs(t, err, evidence.ErrLimits)
		}
		assert.Zero(t, w.net.total())
	})
	t.Run("four addresses of one point", func(t *testing.T) {
		w := wire(t)
		var names [][]byte
		for _, url := range many(20, "http://h%d.example/ca.crl") {
			names = append(names, ocsptest.URI(url))
		}
		client := w.issue(t, "many", noPoints, point(ocsptest.FullName(names...)))
		_, err := w.checker(t, crlOnly).CheckChain(t.Context(), w.chain(client))
		require.Error(t, err)
		assert.Equal(t, 4, w.net.total())
	})
	t.Run("case 63 what is not http is passed over", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "AD CS", func(c *x509.Certificate) {
			c.OCSPServer = []string{"ldap://ldap.example/cn=x", "ftp://ftp.example", "file:///etc/passwd", "mailto:a@b.example", ocspURL}
		})
		_, err := w.checker(t, ocspOnly).CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		for _, r := range w.net.requests() {
			assert.True(t, strings.HasPrefix(r.URL, ocspURL), r.URL)
		}
	})
	t.Run("case 91 only LDAP", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "AD CS", func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = nil, []string{"ldap:///CN=ca,DC=example?certificateRevocationList?base"}
		})
		_, err := w.checker(t, leafOnly).CheckChain(t.Context(), w.chain(client))
		require.ErrorIs(t, err, revocation.ErrNoSource)
		assert.Zero(t, w.net.total())
	})
}

// Case 81 of the Checker: points that each cover some reasons.
func TestChecker_GoesThroughPointsUntilAllReasonsAreCovered(t *testing.T) {
	const a, b = "http://crl.partner.example/a.crl", "http://crl.partner.example/b.crl"
	some, rest := ocsptest.Reasons(ocsptest.Context(1), 1, 2), ocsptest.Reasons(ocsptest.Context(1), 3, 4, 5, 6, 7, 8)
	for _, c := range []struct {
		name     string
		a, b     bool // whether the client is listed
		bDown    bool
		want     int // 0 good, 1 revoked, 2 incomplete
		requests int
	}{
		{"case 81 good on both", false, false, false, 0, 2},
		{"case 81 revoked on the first", true, false, false, 1, 1},
		{"case 81 revoked on the second", false, true, false, 1, 2},
		{"case 81 the second is down", false, false, true, 2, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			client := w.issue(t, "two points", noPoints, extra(ocsptest.DistributionPoints(
				ocsptest.Point(uri(a), some), ocsptest.Point(uri(b), rest))))
			serve := func(url string, named bool) {
				var entries []ocsptest.Entry
				if named {
					entries = []ocsptest.Entry{entryFor(client)}
				}
				l := w.list(entries...)
				l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(uri(url)))
				w.net.serve(url, body(encode(t, l)))
			}
			serve(a, c.a)
			serve(b, c.b)
			if c.bDown {
				w.net.serve(b, failing(revocation.ErrTransport))
			}
			found, err := w.checker(t, crlOnly).CheckChain(t.Context(), w.chain(client))
			assert.Equal(t, c.requests, w.net.total())
			switch c.want {
			case 0:
				require.NoError(t, err)
				assert.Equal(t, isGood, found.Status)
			case 1:
				require.NoError(t, err)
				assert.Equal(t, isRevoked, found.Status)
			default:
				require.ErrorIs(t, err, evidence.ErrCRLIncomplete)
			}
		})
	}
}

// Case 70, ErrBudget: a list that does not fit is refused, lists in use are kept, and lists that
// were not used for an hour are unloaded.
func TestChecker_BoundsTheMemoryOfLists(t *testing.T) {
	const a, b = "http://crl.partner.example/a.crl", "http://crl.partner.example/b.crl"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		der := encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*day)))
		index, err := evidence.ParseCRL(der, w.ca.cert, at(now))
		require.NoError(t, err)
		inA := w.issue(t, "a", func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, []string{a} })
		inB := w.issue(t, "b", func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, []string{b} })
		w.net.serve(a, body(der))
		w.net.serve(b, body(der))

		none := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = index.Size() - 1 })
		w.says(t, none, inA, isUnavailable, revocation.ErrBudget)
		assert.Zero(t, none.Stats().Lists)

		one := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = 2*index.Size() - 1 })
		w.says(t, one, inA, isGood, nil)
		w.says(t, one, inB, isUnavailable, revocation.ErrBudget)
		assert.Equal(t, 1, one.Stats().Lists)
		for range 10 {
			w.clock.advance(10 * time.Minute)
			w.says(t, one, inA, isGood, nil)
		}
		w.says(t, one, inB, isUnavailable, revocation.ErrBudget)
		w.clock.advance(61 * time.Minute)
		w.says(t, one, inB, isGood, nil)
		assert.Equal(t, uint64(1), one.Stats().ListsUnloaded)
		assert.Equal(t, 1, one.Stats().Lists)
		w.says(t, one, inA, isUnavailable, revocation.ErrBudget)
	})
}

// One list per certificate: a list that is no longer found by its address still counts.
func TestChecker_BoundsTheMemoryOfVeryManyLists(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		der := encode(t, w.list())
		index, err := evidence.ParseCRL(der, w.ca.cert, at(now))
		require.NoError(t, err)
		const room, all = 1030, 1060
		w.net.serve("http://own.partner.example", body(der))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = room * index.Size() })
		for i := range all {
			client := w.issue(t, "own list", func(c *x509.Certificate) {
				c.CRLDistributionPoints = []string{fmt.Sprintf("http://own.partner.example/%d.crl", i)}
			})
			if i < room {
				w.says(t, checker, client, isGood, nil)
			} else {
				w.says(t, checker, client, isUnavailable, revocation.ErrBudget)
			}
		}
		assert.Equal(t, room, checker.Stats().Lists)
	})
}

// One fetch serves all certificates of a list, and the list serves all later requests.
func TestChecker_OneFetchOfAListServesAll(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		gate := make(chan struct{})
		w.net.serve(crlURL, gated(gate, body(encode(t, w.list()))))
		checker := w.checker(t, crlOnly)
		done := make(chan error, 50)
		for range cap(done) {
			client := w.issue(t, "of one list")
			go func() {
				_, err := checker.CheckChain(context.WithoutCancel(t.Context()), w.chain(client))
				done <- err
			}()
		}
		synctest.Wait()
		close(gate)
		for range cap(done) {
			require.NoError(t, <-done)
		}
		assert.Equal(t, 1, w.net.total())
	})
}

// finding K216: a list whose nextUpdate is the first moment of the year 1, which some runtimes take as no time, was
// over for each certificate, and to Ready one that never ends.
func TestChecker_AListThatEndsInTheYear1IsOver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		l := w.listAt(now, now)
		l.NextUpdate = ocsptest.Text("00010101000000Z")
		checker := w.operated(t, revocation.List{File: fileOf(t, encode(t, l))})
		require.NoError(t, checker.Preload(t.Context()))
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotFresh)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
	})
}
