package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// fat returns a list of about that many bytes in memory.
func (w *wired) fat(t testing.TB, n int, number int64) []byte {
	t.Helper()
	l := w.listAt(now.Add(-time.Hour), now.Add(5*day))
	l.RawEntries = manyEntries(n/20, 20)
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number)}
	return encode(t, l)
}

// The bound applies to all lists in memory, whether or not they can still be found by their URLs: a
// hostile CA names a new URL in every certificate.
func TestAttack_ForgottenListsCountOrAreGone(t *testing.T) {
	w := wire(t)
	big, small := w.fat(t, 400<<10, 7), w.fat(t, 2000, 7)
	w.net.serve("http://crl.hostile.example/", func(_ context.Context, r revocation.Request) (revocation.Response, error) {
		if len(r.URL) > len("http://crl.hostile.example/big") && r.URL[:len("http://crl.hostile.example/big")] == "http://crl.hostile.example/big" {
			return revocation.Response{Body: big}, nil
		}
		return revocation.Response{Body: small}, nil
	})
	checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = 6 << 20 })
	check := func(urls ...string) (*identity, error) {
		client := w.issue(t, "one more", func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, urls })
		_, err := checker.CheckChain(t.Context(), w.chain(client))
		return client, err
	}
	var fat []*identity
	for round := range 3 {
		for i := range 12 {
			if client, err := check(fmt.Sprintf("http://crl.hostile.example/big%d-%d", round, i)); err == nil {
				fat = append(fat, client)
			}
		}
		w.clock.advance(time.Second)
		for i := range 1024 {
			_, _ = check(fmt.Sprintf("http://crl.hostile.example/small%d-%d", round, i))
			w.clock.advance(time.Millisecond)
		}
		w.clock.advance(time.Second)
	}
	require.NotEmpty(t, fat)
	w.net.serve("http://crl.hostile.example/", failing(revocation.ErrTransport))
	held := 0
	for _, client := range fat { // a client that is still good without a fetch has its list in memory
		if _, err := checker.CheckChain(t.Context(), w.chain(client)); err == nil {
			held += 400 << 10
		}
	}
	assert.LessOrEqual(t, held, 6<<20)
}

// What a record stores about a list does not keep the list alive: otherwise callers that have not
// returned would hold every edition that was ever looked up.
func TestAttack_RecordsKeepNoListsAlive(t *testing.T) {
	const editions, size = 24, 1 << 20
	for _, local := range []bool{false, true} {
		inBubble(t, fmt.Sprintf("of the operator %t", local), func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			publish := func() {
				l := w.listAt(w.clock.now().Add(-time.Hour), w.clock.now().Add(5*day))
				l.RawEntries = manyEntries(size/20, 20)
				der := encode(t, l)
				w.net.serve(crlURL, body(der))
				write(t, path, der)
			}
			publish()
			checker := w.checker(t, crlOnly)
			if local {
				checker = w.operated(t, revocation.List{File: path})
			}
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			newcomer := func() { w.says(t, checker, w.issue(t, "newcomer"), isGood, nil) }
			newcomer()
			began := heap()
			for range editions {
				w.clock.advance(7 * time.Hour)
				publish()
				newcomer() // triggers the refresh, and sees the old list
				newcomer()
			}
			if !local {
				require.Equal(t, uint64(editions+1), checker.Stats().CRLFetched)
			}
			grown := int64(heap()) - int64(began)
			assert.Less(t, grown, int64(editions*size/3), "of %d bytes that %d editions have", editions*size, editions)
			runtime.KeepAlive(checker)
		})
	}
}

// A delta still applies when the list is renewed by 304.
func TestAttack_DeltaOfARenewedListCounts(t *testing.T) {
	for _, local := range []bool{false, true} {
		inBubble(t, fmt.Sprintf("of the operator %t", local), func(t *testing.T) {
			w := wire(t)
			base := encode(t, w.numberedBase(10, now.Add(7*day)))
			w.net.serve(crlURL, inTurn(answered(revocation.Response{Body: base, ETag: `"10"`}), answered(revocation.Response{NotModified: true})))
			w.net.serve(deltaURL, failing(revocation.ErrTransport))
			budget := func(c *revocation.Config) { c.MaxListMemory, c.IgnoreCertificateURLs = 100<<10, false }
			checker := w.checker(t, crlOnly, budget)
			if local {
				checker = w.operated(t, revocation.List{URL: crlURL}, budget)
			}
			w.says(t, checker, w.client, isGood, nil)
			l := w.numberedDelta(10, 11, now, now.Add(6*day))
			l.RawEntries = manyEntries(20_000, 20)
			w.net.serve(deltaURL, body(encode(t, l)))
			for range 4 {
				w.clock.advance(7 * time.Hour)
				_, _ = w.check(t, checker)
				synctest.Wait()
				_, _ = w.check(t, checker)
				synctest.Wait()
			}
			require.NoError(t, checker.Close())
			assert.LessOrEqual(t, checker.Stats().ListBytes, 100<<10)
		})
	}
}
