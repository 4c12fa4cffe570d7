package certauth

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// Peer is the other end of the connection that carried a request, as the socket knows
// it.
type Peer struct {
	// Network is "tcp" or "unix"; empty if no socket is known.
	Network string
	// Addr is the peer's address, unmapped from IPv4-in-IPv6 and without a zone. It is
	// not valid for a unix socket and if no socket is known.
	Addr netip.Addr
	// Socket reports whether Network and Addr are those of a real socket, kept by
	// [ConnContext].
	Socket bool

	claimed netip.Addr // what RemoteAddr says, for String alone
}

// String returns the address, or the network where there is none. If no socket is known it
// is the address in Request.RemoteAddr, which middleware may have written: good for a log,
// and for nothing else.
func (p Peer) String() string {
	switch {
	case p.Addr.IsValid():
		return p.Addr.String()
	case p.Network != "":
		return p.Network
	case p.claimed.IsValid():
		return p.claimed.String()
	}
	return "unknown"
}

// ConnContext keeps the connection for the gates that judge who sent a request.
// [Authenticator.ConfigureServer] installs it; without that, set it as
// http.Server.ConnContext, or call it from yours:
//
//	server := &http.Server{Handler: h, ConnContext: certauth.ConnContext}
//
// It calls no method of conn, so that nothing holds up the server's accept loop. When a
// gate asks, the connection is unwrapped, by tls.Conn.NetConn and by any other method
// NetConn() net.Conn, down to a *net.TCPConn or *net.UnixConn, whose peer counts. An
// address that a wrapper reports, such as that of a PROXY header, is not the socket's. A
// connection that leads to no socket, because its wrapper has no such method or because it
// exists in memory alone, has no peer, and the gates stay shut.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return socket.Keep(ctx, conn)
}

// PeerOf returns the peer of the socket that the request came over. None is known without
// [ConnContext], and none for a request over a connection that a handler took over to speak
// HTTP/2 on it (golang.org/x/net/http2/h2c), where the client itself may be at the other
// end. Neither Request.RemoteAddr nor X-Forwarded-For and its kin are looked at, but for
// [Peer.String].
func PeerOf(r *http.Request) Peer {
	peer, err := socket.PeerOf(r)
	if err != nil {
		return Peer{claimed: parseAddr(r.RemoteAddr)}
	}
	return Peer{Network: peer.Network, Addr: peer.Addr.Addr(), Socket: true}
}

// parseAddr reads "address:port" strictly; anything else is the invalid address.
func parseAddr(s string) netip.Addr {
	addrPort, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}
	}
	return addrPort.Addr().Unmap().WithZone("")
}
