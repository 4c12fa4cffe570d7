package revocation_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K41: the delta of a list in a file was fetched once, when the file was read, so
// revocations in later deltas were not known before the file was replaced, not even after Refresh.
func TestChecker_TheDeltaOfAFileIsFetchedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		first handler // of the delta
		ask   func(*testing.T, *wired, *revocation.Checker)
	}{
		"when half of the delta's life is over": {nil, func(t *testing.T, w *wired, checker *revocation.Checker) {
			w.clock.advance(13 * time.Hour)
			w.says(t, checker, w.other, isRevoked, nil) // the first request after that checks for it
		}},
		"on Refresh": {nil, func(t *testing.T, _ *wired, checker *revocation.Checker) {
			require.NoError(t, checker.Refresh(t.Context()))
		}},
		"after it could not be had": {failing(revocation.ErrTransport), func(t *testing.T, w *wired, checker *revocation.Checker) {
			w.clock.advance(7 * time.Hour)
			w.says(t, checker, w.other, isRevoked, nil)
		}},
	} {
		for where, list := range map[string]func(path string) revocation.List{
			"file":      func(path string) revocation.List { return revocation.List{File: path} },
			"directory": func(path string) revocation.List { return revocation.List{Dir: filepath.Dir(path)} },
		} {
			inBubble(t, name+", in a "+where, func(t *testing.T) {
				w := wire(t)
				w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now, now.Add(day)))))
				if c.first != nil {
					w.net.serve(deltaURL, c.first)
				}
				path := fileOf(t, encode(t, w.numberedBase(10, now.Add(7*day), entryFor(w.other))))
				checker := w.checker(t, leafOnly, sources(revocation.CRLOnly), func(config *revocation.Config) {
					config.Lists, config.Issuers = []revocation.List{list(path)}, certs(w.ca)
				})
				w.says(t, checker, w.client, isGood, nil)
				w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 12, now.Add(time.Minute), now.Add(2*day), entryFor(w.client)))))
				c.ask(t, w, checker)
				w.says(t, checker, w.client, isRevoked, nil)
				asked := w.net.count(deltaURL)
				for range 20 { // and not at every check
					w.clock.advance(time.Minute)
					w.says(t, checker, w.other, isRevoked, nil)
				}
				assert.Equal(t, asked, w.net.count(deltaURL))
			})
		}
	}
}

// finding K42: a list whose delta found no room in MaxListMemory was not reported to lack it.
func TestChecker_ADeltaWithoutRoomIsMissing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(7*day)))))
		big := w.numberedDelta(10, 11, now, now.Add(day))
		big.RawEntries = manyEntries(2_000, 20)
		w.net.serve(deltaURL, body(encode(t, big)))
		roomy := w.checker(t, crlOnly)
		require.False(t, w.findingOf(t, roomy, w.client).DeltaMissing)
		whole := roomy.Stats().ListBytes

		// The operator's list of another CA, which is never unloaded, leaves too little room for
		// both.
		another := w.partner(t, "another")
		l := w.listAt(now.Add(-time.Hour), now.Add(7*day))
		l.Issuer, l.Key, l.RawEntries = another.ca.cert.RawSubject, another.ca.key, manyEntries(20_000, 20)
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(another.ca.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
		path := fileOf(t, encode(t, l))
		operated := func(memory int) func(*revocation.Config) {
			return func(c *revocation.Config) {
				c.Lists, c.Issuers, c.MaxListBytes = []revocation.List{{File: path}}, certs(another.ca), 2<<20
				c.MaxListMemory = memory
			}
		}
		measured := w.checker(t, crlOnly, operated(64<<20))
		require.NoError(t, measured.Preload(t.Context()))
		small := w.checker(t, crlOnly, operated(measured.Stats().ListBytes+whole-1))
		require.NoError(t, small.Preload(t.Context()))
		assert.True(t, w.findingOf(t, small, w.client).DeltaMissing)
		w.says(t, small, w.client, isGood, nil)
	})
}
