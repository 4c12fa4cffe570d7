package certauth

import (
	"context"
	"net"
	"net/http"
	"net/netip"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// Peer is the other end of the connection on which a request arrived, according to the socket.
type Peer struct {
	// Network is "tcp" or "unix"; empty if no socket is known.
	Network string
	// Addr is the peer's address, unmapped from IPv4-in-IPv6 and without a zone. It is invalid
	// for a unix socket and if no socket is known.
	Addr netip.Addr
	// Socket reports whether Network and Addr are those of a real socket, stored by
	// [ConnContext].
	Socket bool

	claimed netip.Addr // from RemoteAddr, for String only
}

// String returns the address, or the network if there is no address. If no socket is known it
// returns the address in Request.RemoteAddr, which middleware may have written: use it for logs
// only.
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

// ConnContext stores the connection in the context for gates that check the sender of a request.
// [Authenticator.ConfigureServer] installs it. Without that method, set it as
// http.Server.ConnContext, or call it from your own function there:
//
//	server := &http.Server{Handler: h, ConnContext: certauth.ConnContext, DisableGeneralOptionsHandler: true}
//
// It calls no method of conn, so that nothing delays the server's accept loop. When a gate needs
// the peer, the connection is unwrapped with tls.Conn.NetConn and any other method NetConn()
// net.Conn, down to a *net.TCPConn or *net.UnixConn, whose peer is used. An address that a
// wrapper reports, such as that of a PROXY header, is ignored. A connection that leads to no
// socket, because its wrapper has no such method or because it exists only in memory, has no
// peer, and the gates refuse its requests.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return socket.Keep(ctx, conn)
}

// PeerOf returns the peer of the socket on which the request arrived. The peer is unknown without
// [ConnContext], and for a request over a connection that a handler took over to speak HTTP/2 on
// it (golang.org/x/net/http2/h2c), where the client itself may be at the other end.
// Request.RemoteAddr, X-Forwarded-For and similar headers are ignored, except in [Peer.String].
func PeerOf(r *http.Request) Peer {
	peer, err := socket.PeerOf(r)
	if err != nil {
		claimed, _ := netip.ParseAddrPort(r.RemoteAddr) // anything else gives the invalid address
		return Peer{claimed: claimed.Addr().Unmap().WithZone("")}
	}
	return Peer{Network: peer.Network, Addr: peer.Addr.Addr(), Socket: true}
}
