package revocation_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K76: user information and the fragment of a responder's URL, for which rule F1 refuses it,
// were left out of a GET, so the responder was asked nevertheless.
func TestChecker_AResponderWhoseURLIsRefusedIsNotAskedByGET(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	for name, c := range map[string]struct {
		url   string
		asked bool
	}{
		"F1 as it should be":  {server.URL + "/ca", true},
		"F1 user information": {strings.Replace(server.URL, "http://", "http://user:secret@", 1) + "/ca", false},
		"F1 a fragment":       {server.URL + "/ca#part", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t)
			client := w.issue(t, "client", noPoints, func(cert *x509.Certificate) { cert.OCSPServer = []string{c.url} })
			before := asked.Load()
			_, err := w.checker(t, leafOnly, func(config *revocation.Config) {
				config.Fetcher = nil
				config.HTTP = revocation.HTTPOptions{AllowNets: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}, AllowPorts: []int{int(address.Port())}}
			}).CheckChain(t.Context(), w.chain(client))
			require.Error(t, err)
			assert.Equal(t, c.asked, asked.Load() > before)
			if !c.asked {
				assert.ErrorIs(t, err, revocation.ErrBlockedURL)
			}
		})
	}
}
