package revocation_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// finding K107: the refusal of a client named each configured list that could not be read, and the step
// for that one, even if the client's CA is not among Issuers, so that none of them can be of that CA.
func TestChecker_ARefusalDoesNotNameTheListsOfOtherCAs(t *testing.T) {
	for name, c := range map[string]struct {
		issuer func(*wired) *identity
		names  bool
	}{
		"of another CA": {func(w *wired) *identity { return makeCert(t, "Other CA", newKey(t), w.root, asCA) }, false},
		"of this CA":    {func(w *wired) *identity { return w.ca }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, path := wire(t), filepath.Join(t.TempDir(), "configured.crl")
			issuer := c.issuer(w)
			list := w.list()
			list.Issuer, list.Key, list.Entries, list.WithEmpty = issuer.cert.RawSubject, issuer.key, nil, true
			write(t, path, encode(t, list))
			w.net.serve(crlURL, failing(fetch.HTTPStatusError{Status: 404}))
			checker := w.operated(t, revocation.List{File: path}, sources(revocation.CRLOnly), func(config *revocation.Config) {
				config.Issuers, config.IgnoreCertificateURLs = certs(issuer), false
			})
			require.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrMalformed)
			_, err := w.check(t, checker)
			require.ErrorIs(t, err, revocation.ErrHTTPStatus)
			assert.Equal(t, c.names, strings.Contains(advice.In(err), "AllowEmptyRevokedList"))
			assert.Equal(t, c.names, strings.Contains(err.Error(), "configured.crl"))
		})
	}
}
