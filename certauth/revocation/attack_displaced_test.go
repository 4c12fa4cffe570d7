package revocation_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A validly signed list for fewer certificates does not replace one for all.
func TestAttack_NarrowerListTakesNoPlaceOfOneThatCounts(t *testing.T) {
	for name, mode := range map[string]revocation.Mode{"HardFail": revocation.HardFail, "SoftFail": revocation.SoftFail} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			sub := makeCert(t, "Sub CA", newKey(t), w.ca, asCA, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{crlURL} })
			w.net.serve(crlURL, body(w.scoped(t, 9, now.Add(-time.Hour), now.Add(7*day), nil, entryFor(w.client))))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Mode = mode })
			first := w.issue(t, "first", noResponder)
			w.says(t, checker, first, isGood, nil)
			_, err := checker.CheckChain(t.Context(), certs(sub, w.ca, w.root))
			require.NoError(t, err)
			// The CA's list of CA certificates, validly signed, served once instead of the right
			// one.
			w.net.serve(crlURL, inTurn(body(w.scoped(t, 3, now, now.Add(7*day), [][]byte{ocsptest.Flag(2)})),
				body(w.scoped(t, 10, now.Add(time.Hour), now.Add(7*day), nil, entryFor(w.client)))))
			for range 4 {
				w.clock.advance(3 * time.Hour)
				_, _ = checker.CheckChain(t.Context(), certs(sub, w.ca, w.root))
				synctest.Wait()
				if w.net.count(crlURL) > 1 {
					break
				}
			}
			w.says(t, checker, w.issue(t, "honest", noResponder), isGood, nil)
		})
		inBubble(t, name+" revoked", func(t *testing.T) {
			w := wire(t)
			sub := makeCert(t, "Sub CA", newKey(t), w.ca, asCA, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{crlURL} })
			victim := w.issue(t, "victim", noResponder)
			w.net.serve(crlURL, body(w.scoped(t, 9, now.Add(-time.Hour), now.Add(7*day), nil, entryFor(victim))))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Mode = mode })
			_, err := checker.CheckChain(t.Context(), certs(sub, w.ca, w.root))
			require.NoError(t, err)
			w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
			w.net.serve(crlURL, body(w.scoped(t, 3, now, now.Add(7*day), [][]byte{ocsptest.Flag(2)})))
			for range 4 {
				w.clock.advance(3 * time.Hour)
				_, _ = checker.CheckChain(t.Context(), certs(sub, w.ca, w.root))
				synctest.Wait()
			}
			w.says(t, checker, victim, isRevoked, nil)
		})
	}
}

// Nor does the list of another point of the same certificate, which is for other reasons.
func TestAttack_ListOfTheOtherPointTakesNoPlace(t *testing.T) {
	const a, b = "http://crl.partner.example/a.crl", "http://crl.partner.example/b.crl"
	some, rest := ocsptest.Reasons(ocsptest.Context(1), 1, 2), ocsptest.Reasons(ocsptest.Context(1), 3, 4, 5, 6, 7, 8)
	for name, mode := range map[string]revocation.Mode{"HardFail": revocation.HardFail, "SoftFail": revocation.SoftFail} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			points := extra(ocsptest.DistributionPoints(ocsptest.Point(uri(a), some), ocsptest.Point(uri(b), rest)))
			first := w.issue(t, "first", noResponder, noPoints, points)
			victim := w.issue(t, "victim", noResponder, noPoints, points)
			week := now.Add(7 * day)
			w.net.serve(a, body(w.scoped(t, 9, now.Add(-2*time.Hour), week, [][]byte{uri(a)}, entryFor(victim))))
			listB := body(w.scoped(t, 9, now.Add(-time.Hour), week, [][]byte{uri(b)}))
			w.net.serve(b, listB)
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Mode = mode })
			w.says(t, checker, first, isGood, nil)
			w.net.serve(a, listB)
			w.goesOn(t, checker, first, 4)
			w.says(t, checker, victim, isRevoked, nil)
		})
	}
}

// A list that does not apply to a CA is available to the next user certificate.
func TestAttack_ListOfAnotherKindIsThereForTheNextCaller(t *testing.T) {
	const users, cas = "http://crl.partner.example/users.crl", "http://crl.partner.example/cas.crl"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		both := extra(ocsptest.DistributionPoints(ocsptest.Point(uri(users)), ocsptest.Point(uri(cas))))
		sub := makeCert(t, "Sub CA", newKey(t), w.ca, asCA, both)
		client := w.issue(t, "client", noPoints, noResponder, both)
		week := now.Add(7 * day)
		w.net.serve(users, body(w.scoped(t, 9, now.Add(-time.Hour), week, [][]byte{uri(users), ocsptest.Flag(1)})))
		w.net.serve(cas, body(w.scoped(t, 9, now.Add(-time.Hour), week, [][]byte{uri(cas), ocsptest.Flag(2)})))
		checker := w.checker(t, crlOnly)
		found, err := checker.CheckChain(t.Context(), certs(sub, w.ca, w.root))
		require.NoError(t, err)
		assert.Equal(t, isGood.String(), found.Status.String())
		w.says(t, checker, client, isGood, nil)
	})
}

// A list of a CA with the same name and another key does not hide what the first CA revoked.
func TestAttack_ListOfTheSameNameAndAnotherKeyHidesNothing(t *testing.T) {
	for name, mode := range map[string]revocation.Mode{"HardFail": revocation.HardFail, "SoftFail": revocation.SoftFail} {
		for _, number := range []int64{10, 1} {
			inBubble(t, fmt.Sprint(name, number), func(t *testing.T) {
				w := wire(t)
				renewed := makeCert(t, "Clients CA", newKey(t), w.root, asCA)
				path := filepath.Join(t.TempDir(), "ca.crl")
				write(t, path, w.scoped(t, 9, now.Add(-time.Hour), now.Add(7*day), nil, entryFor(w.client)))
				checker := w.operated(t, revocation.List{File: path}, func(c *revocation.Config) { c.Mode, c.Issuers = mode, certs(w.ca, renewed) })
				require.NoError(t, checker.Preload(t.Context()))
				l := w.listAt(now, now.Add(7*day))
				l.Key = renewed.key
				l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(renewed.cert.SubjectKeyId), ocsptest.CRLNumber(number)}
				write(t, path, encode(t, l))
				w.clock.advance(time.Hour)
				assert.NoError(t, checker.Preload(t.Context()))
				client := makeCert(t, "client", newKey(t), renewed, asClient)
				found, _ := checker.CheckChain(t.Context(), certs(client, renewed, w.root))
				assert.Equal(t, isGood.String(), found.Status.String(), "of the new key")
				w.says(t, checker, w.client, isRevoked, nil)
			})
		}
	}
}

// Evidence that is newer than all other evidence decides alone: a hold that it lifts is lifted.
func TestAttack_ListThatIsNewerThanAllStandsAlone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		a, b, c := filepath.Join(dir, "a.crl"), filepath.Join(dir, "b.crl"), filepath.Join(dir, "c.crl")
		week := now.Add(7 * day)
		write(t, a, w.scoped(t, 11, now.Add(-time.Hour), week, nil))
		write(t, b, encode(t, w.numberedBase(10, week)))
		write(t, c, w.scoped(t, 13, now, week, nil))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 12, now.Add(-time.Minute), week, entryFor(w.client, ocsptest.ReasonCode(onHold))))))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		checker := w.checker(t, crlOnly, func(config *revocation.Config) {
			config.Lists, config.Issuers = []revocation.List{{File: a}, {File: b}, {File: c}}, certs(w.ca)
		})
		require.NoError(t, checker.Preload(t.Context()))
		w.says(t, checker, w.client, isGood, nil)
	})
}

// An older Good from another source does not outweigh an expired delta that revokes.
func TestAttack_ExpiredDeltaAndASourceWithoutIt(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.crl"), filepath.Join(dir, "b.crl")
		week := now.Add(7 * day)
		write(t, a, w.scoped(t, 11, now.Add(-2*time.Hour), week, nil))
		write(t, b, encode(t, w.numberedBase(10, week)))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 12, now.Add(-time.Hour), now.Add(day), entryFor(w.client)))))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		checker := w.checker(t, crlOnly, func(config *revocation.Config) {
			config.Lists, config.Issuers = []revocation.List{{File: a}, {File: b}}, certs(w.ca)
		})
		w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
		w.net.serve(deltaURL, failing(revocation.ErrTransport))
		w.clock.advance(3 * day)
		found, _ := w.check(t, checker)
		synctest.Wait()
		assert.NotEqual(t, isGood.String(), found.Status.String(), "the delta, newer than both lists, has revoked it")
	})
}

// An expired list within StaleGrace does not make a fresh one stale.
func TestAttack_ExpiredListDoesNotMakeAFreshOneStale(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.crl"), filepath.Join(dir, "b.crl")
		week := now.Add(7 * day)
		write(t, a, w.scoped(t, 11, now.Add(-time.Hour), week, nil))
		write(t, b, encode(t, w.numberedBase(10, now.Add(day))))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 12, now.Add(-time.Minute), week))))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		checker := w.checker(t, crlOnly, staleGrace, func(config *revocation.Config) {
			config.Lists, config.Issuers = []revocation.List{{File: a}, {File: b}}, certs(w.ca)
		})
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(25 * time.Hour)
		found := w.says(t, checker, w.client, isGood, nil)
		assert.False(t, found.Stale)
	})
}

// finding K49: with StaleGrace, a list for some reasons that had run out made the Good of a fresh list
// for all reasons stale, so that every request waited for the list that failed.
func TestAttack_FreshListIsNotStaleForOneForSomeReasons(t *testing.T) {
	const a, b = "http://crl.partner.example/a.crl", "http://crl.partner.example/b.crl"
	some := ocsptest.Reasons(ocsptest.Context(1), 1, 2)
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "client", noResponder, noPoints, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(a), some), ocsptest.Point(uri(b)))))
		w.net.serve(a, body(w.scoped(t, 9, now.Add(-time.Hour), now.Add(day), [][]byte{uri(a)})))
		w.net.serve(b, body(w.scoped(t, 9, now.Add(-time.Hour), now.Add(7*day), [][]byte{uri(b)})))
		checker := w.checker(t, crlOnly, staleGrace)
		w.says(t, checker, client, isGood, nil)
		w.net.serve(a, failing(revocation.ErrTransport))
		w.clock.advance(25 * time.Hour)
		found := w.says(t, checker, client, isGood, nil)
		assert.False(t, found.Stale)
	})
}

// A replaced list may expire: readiness does not depend on it.
func TestAttack_ReadyDoesNotWantWhatWasReplaced(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, w.scoped(t, 9, now.Add(-time.Hour), now.Add(3*time.Hour), nil))
		checker := w.operated(t, revocation.List{File: path})
		require.NoError(t, checker.Preload(t.Context()))
		write(t, path, w.scoped(t, 10, now, now.Add(7*day), [][]byte{ocsptest.Flag(1)}))
		w.clock.advance(time.Hour)
		require.NoError(t, checker.Preload(t.Context()))
		require.NoError(t, checker.Ready())
		w.clock.advance(5 * time.Hour) // no traffic
		assert.NoError(t, checker.Ready())
	})
}

// A responder that answers Unknown does not prevent the next one from lifting a hold.
func TestAttack_UnknownOfOneResponderDoesNotPreventTheLiftingOfAHold(t *testing.T) {
	const first = "http://first.partner.example"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "two responders", noPoints, func(c *x509.Certificate) { c.OCSPServer = []string{first, ocspURL} })
		w.net.serve(first, w.responder(t, ocsptest.StatusUnknown))
		w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), onHold)))
		checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly))
		w.says(t, checker, client, isRevoked, nil)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood)) // newer
		w.goesOn(t, checker, client, 3)
		w.says(t, checker, client, isGood, nil)
	})
}

// MaxWait also bounds the time that a request waits for newer evidence.
func TestAttack_MaxWaitBoundsTheWaitForNews(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.MaxWait = 100 * time.Millisecond })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, hanging)
		w.net.serve(crlURL, hanging)
		w.clock.advance(10 * time.Hour)
		began := time.Now()
		_, err := w.check(t, checker)
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 100*time.Millisecond)
		require.NoError(t, checker.Close())
	})
}

// While a URL hangs, files are read again after at most two minutes.
func TestAttack_FilesAreReadAgainWhileAURLHangs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker, path := w.besideURL(t)
		w.net.serve(configuredURL, hanging) // returns when ctx ends, as a Fetcher must
		w.clock.advance(10 * time.Hour)
		_, err := w.check(t, checker) // starts a read
		require.NoError(t, err)
		write(t, path, encode(t, w.listAt(now.Add(10*time.Hour), now.Add(5*day), entryFor(w.client))))
		for range 5 {
			w.clock.advance(time.Minute)
			time.Sleep(time.Minute) //nolint:forbidigo // within the bubble
			_, _ = w.check(t, checker)
		}
		found, err := w.check(t, checker)
		require.NoError(t, err)
		assert.Equal(t, isRevoked.String(), found.Status.String())
		require.NoError(t, checker.Close())
	})
}

// The names of points are stored; the certificates that contain them are not.
func TestAttack_ForgottenCertificatesAreNotKeptForTheirNames(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	w := wire(t)
	w.net.serve("http://crl.hostile.example/", body(encode(t, w.list())))
	checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxRecords = 1 })
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	pad := func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: bytes.Repeat([]byte{4}, 15<<10)})
	}
	before := heap()
	for i := range 20 {
		for j := range 63 {
			names := ocsptest.FullName(ocsptest.URI(fmt.Sprintf("http://crl.hostile.example/%d", i)), ocsptest.URI(fmt.Sprintf("ldap://x/%d", j)))
			client := w.issue(t, "one more", noPoints, noResponder, extra(ocsptest.DistributionPoints(ocsptest.Point(names))), pad)
			_, err := checker.CheckChain(t.Context(), w.chain(client))
			require.NoError(t, err)
		}
	}
	grown := int64(heap()) - int64(before)
	assert.Less(t, grown, int64(4<<20))
	runtime.KeepAlive(checker)
}

// An outage is not reported as a lack of sources.
func TestAttack_WhyDoesNotCallAnOutageNoSource(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.outage()
		client := w.issue(t, "names a list", noResponder)
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.Mode = revocation.SoftFail })
		found := w.says(t, checker, client, isWaived, nil)
		assert.Equal(t, "no evidence", found.Why)
	})
}
