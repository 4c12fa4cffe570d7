package revocation_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K40: a delta among the operator's lists was forgotten when another one of the CA replaced it, although the other one
// does not continue the list: certificates that only the first had revoked were good again.
func TestAttack_ADeltaOfAnotherListDisplacesNone(t *testing.T) {
	for name, other := range map[string]func(w *wired) ocsptest.List{
		"of another shard": func(w *wired) ocsptest.List {
			l := w.numberedDelta(7, 9, now, now.Add(day))
			l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(uri(shardB)))
			return l
		},
		"of a later list": func(w *wired) ocsptest.List { return w.numberedDelta(20, 21, now, now.Add(day)) },
	} {
		for _, inFile := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", in a file", false: ", at a URL"}[inFile], func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					w := wire(t)
					base, delta := filepath.Join(t.TempDir(), "base.crl"), filepath.Join(t.TempDir(), "delta.crl")
					list := w.numberedBase(7, now.Add(7*day))
					list.Extensions = list.Extensions[:2] // it names no delta
					write(t, base, encode(t, list))
					serve := func(l ocsptest.List) {
						w.net.serve(deltaURL, body(encode(t, l)))
						write(t, delta, encode(t, l))
					}
					serve(w.numberedDelta(7, 8, now, now.Add(day), entryFor(w.client)))
					at := revocation.List{URL: deltaURL}
					if inFile {
						at = revocation.List{File: delta}
					}
					checker := w.operated(t, at, func(c *revocation.Config) { c.Lists = append(c.Lists, revocation.List{File: base}) })
					require.NoError(t, checker.Preload(t.Context()))
					for range 3 {
						serve(other(w))
						require.NoError(t, checker.Refresh(t.Context()))
					}
					w.says(t, checker, w.client, isRevoked, nil)
					// A delta that continues the list replaces it, as before.
					serve(w.numberedDelta(7, 30, now, now.Add(day)))
					require.NoError(t, checker.Refresh(t.Context()))
					w.says(t, checker, w.issue(t, "another client"), isGood, nil)
				})
			})
		}
	}
}
