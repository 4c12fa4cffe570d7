package revocation_test

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// twoPoints issues a client whose two distribution points are for these reasons.
func (w *wired) twoPoints(t *testing.T, a, b []int) *identity {
	t.Helper()
	point := func(url string, reasons []int) []byte {
		if reasons == nil {
			return ocsptest.Point(uri(url))
		}
		return ocsptest.Point(uri(url), ocsptest.Reasons(ocsptest.Context(1), reasons...))
	}
	return w.issue(t, "two points", noResponder, noPoints, extra(ocsptest.DistributionPoints(point(shardA, a), point(shardB, b))))
}

// shard serves the list of one of these points.
func (w *wired) shard(t *testing.T, url string, thisUpdate, nextUpdate time.Time, entries ...ocsptest.Entry) {
	t.Helper()
	w.net.serve(url, body(w.scoped(t, thisUpdate.Unix(), thisUpdate, nextUpdate, [][]byte{uri(url)}, entries...)))
}

var someReasons, otherReasons = []int{1, 2, 6}, []int{3, 4, 5, 7, 8}

// RFC 5280, section 6.3.3: lists that cover all reasons together are as old as the oldest, and end with the first.
func TestLists_SeveralForSomeReasonsCountAsTheOldestAndEndWithTheFirst(t *testing.T) {
	early, late := now.Add(-3*time.Hour), now.Add(-2*time.Hour)
	for name, c := range map[string]struct{ thisA, nextA, thisB, nextB time.Time }{
		"the first is older and ends later":   {early, now.Add(9 * time.Hour), late, now.Add(8 * time.Hour)},
		"the second is older and ends later":  {late, now.Add(8 * time.Hour), early, now.Add(9 * time.Hour)},
		"the first is older and ends sooner":  {early, now.Add(8 * time.Hour), late, now.Add(9 * time.Hour)},
		"the second is older and ends sooner": {late, now.Add(9 * time.Hour), early, now.Add(8 * time.Hour)},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			client := w.twoPoints(t, someReasons, otherReasons)
			w.shard(t, shardA, c.thisA, c.nextA)
			w.shard(t, shardB, c.thisB, c.nextB)
			checker := w.checker(t, crlOnly, staleGrace)
			found := w.findingOf(t, checker, client)
			assert.Equal(t, early.UTC(), found.ThisUpdate)
			assert.Equal(t, now.Add(8*time.Hour).UTC(), found.NextUpdate)
			assert.Equal(t, now.Add(8*time.Hour).UTC(), found.UsableUntil)
			assert.False(t, found.Stale)
			assert.False(t, found.DeltaMissing)
			w.outage()
			w.clock.advance(8*time.Hour + skew + time.Second)
			assert.True(t, w.findingOf(t, checker, client).Stale, "one of them has expired")
		})
	}
}

func TestLists_SeveralForSomeReasonsLackTheDeltaOfOne(t *testing.T) {
	for _, incomplete := range []string{shardA, shardB} {
		inBubble(t, incomplete, func(t *testing.T) {
			w := wire(t)
			client := w.twoPoints(t, someReasons, otherReasons)
			for _, url := range []string{shardA, shardB} {
				l := w.listAt(now.Add(-time.Hour), now.Add(day))
				l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(uri(url)))
				if url == incomplete {
					l.Extensions = append(l.Extensions, freshest(deltaURL))
				}
				w.net.serve(url, body(encode(t, l)))
			}
			assert.True(t, w.findingOf(t, w.checker(t, crlOnly), client).DeltaMissing)
		})
	}
}

func TestLists_OneForAllReasonsCountsAlone(t *testing.T) {
	inBubble(t, "an older one", func(t *testing.T) {
		w := wire(t)
		client := w.twoPoints(t, someReasons, nil)
		w.shard(t, shardA, now.Add(-time.Hour), now.Add(time.Hour))
		w.shard(t, shardB, now.Add(-2*time.Hour), now.Add(9*time.Hour))
		found := w.findingOf(t, w.checker(t, crlOnly), client)
		assert.Equal(t, now.Add(-2*time.Hour).UTC(), found.ThisUpdate)
		assert.Equal(t, now.Add(9*time.Hour).UTC(), found.NextUpdate)
	})
}

// Only a list for the reason certificateHold says that there is no hold any more.
func TestLists_AListForOtherReasonsLiftsNoHold(t *testing.T) {
	for name, c := range map[string]struct {
		a, b   []int
		lifted bool
	}{
		"for other reasons":     {someReasons, otherReasons, false},
		"for that reason alone": {someReasons, []int{6}, true},
		"for all but that":      {someReasons, []int{1, 2, 3, 4, 5, 7, 8}, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			client := w.twoPoints(t, c.a, c.b)
			w.shard(t, shardA, now.Add(-2*time.Hour), now.Add(9*time.Hour), entryFor(client, ocsptest.ReasonCode(onHold)))
			w.shard(t, shardB, now.Add(-time.Hour), now.Add(9*time.Hour))
			checker := w.checker(t, crlOnly)
			w.says(t, checker, client, isRevoked, nil)
			_ = checker.Refresh(t.Context()) // gets both
			if c.lifted {
				w.says(t, checker, client, isUnavailable, evidence.ErrCRLIncomplete)
				return
			}
			w.says(t, checker, client, isRevoked, nil)
		})
	}
}

// The hold that a newer list has lifted does not return when that list has expired.
func TestLists_ALiftedHoldStaysLifted(t *testing.T) {
	inBubble(t, "and nothing is known afterwards", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, soon(encode(t, w.listAt(now.Add(-time.Hour), now.Add(day), entryFor(w.client, ocsptest.ReasonCode(onHold))))))
		checker := w.checker(t, crlOnly, softFail)
		w.says(t, checker, w.client, isRevoked, nil)
		w.clock.advance(2 * time.Hour)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(time.Hour), now.Add(4*time.Hour)))))
		require.NoError(t, checker.Refresh(t.Context()))
		w.says(t, checker, w.client, isGood, nil)
		w.outage()
		w.clock.advance(5 * time.Hour)
		w.says(t, checker, w.client, isWaived, nil)
	})
}

// A permanent revocation counts although a newer list of another scope does not contain it.
func TestLists_ANewerListOfAnotherScopeLiftsNoRevocation(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		write(t, filepath.Join(dir, "0.crl"), w.scoped(t, 7, now.Add(-2*time.Hour), now.Add(day), nil, entryFor(w.client)))
		write(t, filepath.Join(dir, "1.crl"), w.scoped(t, 8, now.Add(-time.Hour), now.Add(day), [][]byte{ocsptest.Flag(1)}))
		checker := w.operated(t, revocation.List{Dir: dir})
		found := w.findingOf(t, checker, w.client)
		assert.Equal(t, revocation.Revoked, found.Status)
		assert.Equal(t, found.UsableUntil, found.RefreshAfter, "a later list without the entry would change nothing")
	})
}

// An expired Good, by StaleGrace, does not outweigh an older list, expired long ago, that revokes the certificate.
func TestLists_StaleGraceForgivesNoExpiredRevocation(t *testing.T) {
	for name, entries := range map[string][]ocsptest.Entry{"nothing": nil, "the client": {}} {
		inBubble(t, "the older list contains "+name, func(t *testing.T) {
			w, dir := wire(t), t.TempDir()
			if entries != nil {
				entries = append(entries, entryFor(w.client))
			}
			write(t, filepath.Join(dir, "0.crl"), w.scoped(t, 7, now.Add(-4*day), now.Add(-3*day), nil, entries...))
			write(t, filepath.Join(dir, "1.crl"), w.scoped(t, 8, now.Add(-time.Hour), now.Add(-time.Minute-skew), [][]byte{ocsptest.Flag(1)}))
			checker := w.operated(t, revocation.List{Dir: dir}, staleGrace)
			found, _ := checker.CheckChain(t.Context(), w.chain(w.client))
			want := isGood
			if entries != nil {
				want = isUnavailable
			}
			assert.Equal(t, want.String(), found.Status.String())
		})
	}
}

// A hold in a list that a clock put back made one of the future counts from its thisUpdate on, whatever was known until then.
func TestLists_AListOfTheFutureCountsWhenItBegins(t *testing.T) {
	inBubble(t, "after the clock was put back", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-90*time.Minute), now.Add(day), entryFor(w.client, ocsptest.ReasonCode(onHold))))))
		w.says(t, checker, w.issue(t, "without a responder", noResponder), isGood, nil)
		w.clock.advance(-2 * time.Hour)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(30*time.Minute - skew - time.Second)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(time.Second)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// What a delta holds is not good by an older list of another scope when the delta has expired.
func TestLists_AnExpiredDeltaContradictsAnOlderList(t *testing.T) {
	for name, c := range map[string]struct {
		deltaAt time.Time
		want    error
	}{
		"older than the delta": {now.Add(-30 * time.Minute), revocation.ErrNotFresh},
		"newer than the delta": {now.Add(-90 * time.Minute), nil},
	} {
		inBubble(t, name, func(t *testing.T) {
			w, dir := wire(t), t.TempDir()
			write(t, filepath.Join(dir, "0.crl"), encode(t, w.numberedBase(7, now.Add(day))))
			write(t, filepath.Join(dir, "0-delta.crl"), encode(t, w.numberedDelta(7, 9, c.deltaAt, now.Add(-skew-time.Minute), entryFor(w.client, ocsptest.ReasonCode(onHold)))))
			write(t, filepath.Join(dir, "1.crl"), w.scoped(t, 8, now.Add(-time.Hour), now.Add(day), [][]byte{ocsptest.Flag(1)}))
			checker := w.operated(t, revocation.List{Dir: dir})
			if c.want == nil {
				w.says(t, checker, w.client, isGood, nil)
				return
			}
			w.says(t, checker, w.client, isUnavailable, c.want)
		})
	}
}

// finding K143: what a refusal says about an expired list does not depend on StaleGrace, which did not apply.
func TestLists_StaleGraceHidesNoReason(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"without it": func(*revocation.Config) {}, "with it": staleGrace} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			file := revocation.List{File: fileOf(t, encode(t, w.listAt(now.Add(-9*day), now.Add(-3*day))))}
			refused := w.refusal(t, w.operated(t, file, config), w.client)
			assert.Contains(t, refused.Error(), "expired at its nextUpdate")
			assert.NotEmpty(t, refused.Hint)
		})
	}
}

// Of several lists that accuse a certificate, a permanent revocation counts before a hold, and the newest hold
// before an older one, in whatever order they are looked at.
func TestLists_TheStrictestOfSeveralCounts(t *testing.T) {
	hold := ocsptest.ReasonCode(onHold)
	for name, c := range map[string]struct {
		first, second []ocsptest.Extension // of the entries in an older and in a newer list; one between them has none
		reason        int
	}{
		"permanent, then a hold":           {nil, []ocsptest.Extension{hold}, evidence.ReasonUnspecified},
		"a hold, then permanent":           {[]ocsptest.Extension{hold}, nil, evidence.ReasonUnspecified},
		"a hold, lifted, and another hold": {[]ocsptest.Extension{hold}, []ocsptest.Extension{hold}, onHold},
	} {
		inBubble(t, name, func(t *testing.T) {
			for n := range 2 { // the order of the points in the certificate
				w := wire(t)
				urls := []string{shardA, shardB, configuredURL}
				if n == 1 {
					urls = []string{configuredURL, shardB, shardA}
				}
				points := make([][]byte, len(urls))
				for i, url := range urls {
					points[i] = ocsptest.Point(uri(url))
				}
				client := w.issue(t, "client", noResponder, noPoints, extra(ocsptest.DistributionPoints(points...)))
				w.shard(t, shardA, now.Add(-3*time.Hour), now.Add(day), entryFor(client, c.first...))
				w.shard(t, shardB, now.Add(-2*time.Hour), now.Add(day))
				w.shard(t, configuredURL, now.Add(-time.Hour), now.Add(day), entryFor(client, c.second...))
				checker := w.checker(t, crlOnly)
				_, _ = checker.CheckChain(t.Context(), w.chain(client))
				_ = checker.Refresh(t.Context()) // gets all of them
				found := w.findingOf(t, checker, client)
				assert.Equal(t, revocation.Revoked, found.Status)
				assert.Equal(t, c.reason, found.Reason)
			}
		})
	}
}

// What an expired list said for good counts after it was deleted, until there is newer evidence.
func TestLists_AnExpiredRevocationOutlivesItsFile(t *testing.T) {
	inBubble(t, "deleted", func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		write(t, filepath.Join(dir, "0.crl"), w.scoped(t, 7, now.Add(-4*day), now.Add(-3*day), nil, entryFor(w.client)))
		write(t, filepath.Join(dir, "1.crl"), w.scoped(t, 7, now.Add(-5*day), now.Add(-4*day), [][]byte{ocsptest.Flag(2)}))
		checker := w.operated(t, revocation.List{Dir: dir}, softFail)
		status := func() string {
			found, _ := checker.CheckChain(t.Context(), w.chain(w.client))
			return found.Status.String()
		}
		assert.Equal(t, isUnavailable.String(), status())
		require.NoError(t, os.Remove(filepath.Join(dir, "0.crl")))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		assert.Equal(t, isUnavailable.String(), status())

		write(t, filepath.Join(dir, "2.crl"), w.scoped(t, 8, now.Add(-time.Hour), now.Add(time.Hour), nil))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		assert.Equal(t, isGood.String(), status(), "by a newer list")
		w.clock.advance(2 * time.Hour)
		assert.Equal(t, isWaived.String(), status(), "which has expired as well")
	})
}

// Of two lists of one scope, one with the newer base and one with the newer delta, both count.
func TestLists_ANewerDeltaOfAnOlderListCounts(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 13, now.Add(-time.Hour), now.Add(day), entryFor(w.client)))))
		write(t, filepath.Join(dir, "0.crl"), encode(t, w.numberedBase(10, now.Add(day))))
		write(t, filepath.Join(dir, "1.crl"), w.scoped(t, 12, now.Add(-90*time.Minute), now.Add(day), nil))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{Dir: dir}}, certs(w.ca)
		})
		require.NoError(t, checker.Preload(t.Context()))
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// A request that arrives before the operator's list was read waits for it, for half of MaxWait.
func TestLists_ARequestWaitsForTheFirstReading(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		want  error
	}{"two seconds": {2 * time.Second, nil}, "three seconds": {3 * time.Second, revocation.ErrNotReady}} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			der := encode(t, w.list())
			w.net.serve(configuredURL, func(context.Context, revocation.Request) (revocation.Response, error) {
				time.Sleep(c.takes) //nolint:forbidigo // within the bubble
				return revocation.Response{Body: der}, nil
			})
			found, err := w.operated(t, revocation.List{URL: configuredURL}).CheckChain(t.Context(), w.chain(w.client))
			require.ErrorIs(t, err, c.want)
			assert.Equal(t, c.want == nil, found.Status == isGood)
		})
	}
}

// Of a certificate that names only what is not fetched, and for which no list was configured, the refusal says so.
func TestLists_NoConfiguredListAndOnlyLDAPInTheCertificate(t *testing.T) {
	inBubble(t, "the list of another CA", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "client", noResponder, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"ldap://dc.example/cn=ca"} })
		checker := w.operated(t, revocation.List{File: fileOf(t, encode(t, w.rootList()))}, func(c *revocation.Config) { c.Issuers = certs(w.ca, w.root) })
		refused := w.refusal(t, checker, client)
		assert.Contains(t, refused.Error(), "no configured CRL covers the certificate, which names the CRL distribution point")
		assert.Contains(t, refused.Hint, "revocation.Config.Lists")
	})
}
