package certauthtest

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// WithPeer returns the request as it arrives at a server with certauth.ConnContext, over a socket
// whose other end has the given address. It is for tests that call a handler without a server,
// where forwarded.Peers would otherwise find no socket.
//
//	r := certauthtest.WithPeer(t, httptest.NewRequest("GET", "/", nil), "tcp", "10.0.0.4:40000")
//
// The network is tcp, or unix, for which the address is ignored. Any other network ends the test.
// RemoteAddr is not changed. If a test has a server, set ConnContext on it instead.
func WithPeer(tb testing.TB, r *http.Request, network, address string) *http.Request {
	tb.Helper()
	peer := socket.Peer{Network: network}
	switch network {
	case "unix":
	case "tcp":
		parsed, err := netip.ParseAddrPort(address)
		if err != nil {
			tb.Fatalf("certauthtest: WithPeer: %v", err)
		}
		peer.Addr = netip.AddrPortFrom(parsed.Addr().Unmap().WithZone(""), parsed.Port())
	default:
		tb.Fatalf("certauthtest: WithPeer: network %q, want tcp or unix", network)
	}
	return r.WithContext(socket.WithPeer(r.Context(), peer))
}
