package revocation_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// Section 11: a check that is answered from memory allocates nothing.
func TestChecker_WarmChecksAllocateNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	withList := func(w *wired) func(*revocation.Config) {
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.list()))
		return func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{{File: path}}, certs(w.ca) }
	}
	none := func(*wired) func(*revocation.Config) { return func(*revocation.Config) {} }
	for _, c := range []struct {
		name   string
		config func(*revocation.Config)
		lists  func(*wired) func(*revocation.Config)
		serve  func(*testing.T, *wired)
	}{
		{"OCSP Good", ocspOnly, none, nil},
		{"OCSP Good, lists of the operator besides", both(leafOnly, sources(revocation.PreferOCSP)), withList, nil},
		{"OCSP Good and the CA by CRL", func(*revocation.Config) {}, none, nil},
		{"CRL Good", crlOnly, none, nil},
		{"CRL Good, lists of the operator", crlOnly, withList, nil},
		{"Revoked by OCSP", ocspOnly, none, func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1))) }},
		{"Revoked by CRL", crlOnly, none, func(t *testing.T, w *wired) { w.net.serve(crlURL, body(encode(t, w.list(entryFor(w.client))))) }},
		{"OCSP down, CRL Good", leafOnly, none, func(_ *testing.T, w *wired) { w.net.serve(ocspURL, failing(revocation.ErrTransport)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			if c.serve != nil {
				c.serve(t, w)
			}
			checker := w.checker(t, c.config, c.lists(w))
			chain := w.chain(w.client)
			first, err := checker.CheckChain(t.Context(), chain)
			require.NoError(t, err)
			asked, ctx := w.net.total(), t.Context()
			allocations := testing.AllocsPerRun(500, func() {
				found, err := checker.CheckChain(ctx, chain)
				if err != nil || found.Status != first.Status {
					t.Errorf("%v, %v", found.Status, err)
				}
			})
			assert.Zero(t, allocations)
			assert.Equal(t, asked, w.net.total())
		})
	}
}
