package revocation_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K96: an expired list was requested with its validators. From a server whose validators do not
// change with the list, such as the times of files in a container image, there came no other list until
// the next restart.
func TestChecker_AnExpiredListIsRequestedWithoutACondition(t *testing.T) {
	for name, operated := range map[string]bool{"at the certificate's point": false, "in Lists": true} {
		t.Run(name, func(t *testing.T) {
			w := wire(t)
			var published []byte
			publish := func(at time.Time) { published = encode(t, w.listAt(at.Add(-time.Minute), at.Add(day))) }
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				const built = "Thu, 01 Jan 1970 00:00:01 GMT"
				rw.Header().Set("Last-Modified", built)
				if r.Header.Get("If-Modified-Since") == built {
					rw.WriteHeader(http.StatusNotModified)
					return
				}
				_, _ = rw.Write(published)
			}))
			defer server.Close()
			address, err := netip.ParseAddrPort(server.Listener.Addr().String())
			require.NoError(t, err)
			local := func(c *revocation.Config) {
				c.Fetcher, c.HTTP.AllowPorts = nil, []int{int(address.Port())}
				c.HTTP.AllowNets = []netip.Prefix{netip.PrefixFrom(address.Addr(), address.Addr().BitLen())}
			}
			publish(now)
			client := w.issue(t, "client", nowhere, point(uri(server.URL)))
			checker := w.checker(t, crlOnly, local)
			if operated {
				client, checker = w.client, w.operated(t, revocation.List{URL: server.URL}, local)
			}
			judge := func() string {
				found, _ := checker.CheckChain(t.Context(), w.chain(client))
				return found.Status.String()
			}
			require.Equal(t, isGood.String(), judge())
			w.clock.advance(day + skew + time.Minute)
			publish(w.clock.now())
			assert.True(t, eventually(t, nil, func() bool { return judge() == isGood.String() }))
		})
	}
}
