package certauthtest

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// WithPeer returns a request as it arrives at a server that certauth.ConnContext is
// installed on, over a socket whose other end is address: for the handlers and gates of a
// test that has no server, where forwarded.Peers finds no socket otherwise.
//
//	r := certauthtest.WithPeer(t, httptest.NewRequest("GET", "/", nil), "tcp", "10.0.0.4:40000")
//
// The network is tcp, or unix, whose address is not looked at. Anything else ends the test.
// RemoteAddr stays as it is. Where a test has a server, prefer that, with ConnContext set.
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
