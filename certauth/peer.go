package certauth

import (
	"context"
	"net"
	"net/http"
	"net/netip"
)

// Peer is the other end of the connection that carried a request, as the socket knows
// it.
type Peer struct {
	// Network is "tcp", "unix" and so on; empty where only RemoteAddr was there to ask.
	Network string
	// Addr is the peer's address, unmapped from IPv4-in-IPv6 and without a zone. It is
	// not valid for a unix socket or for a RemoteAddr that is not an address.
	Addr netip.Addr
	// Socket reports whether the peer was kept by [ConnContext].
	Socket bool
}

// String returns the address, or the network where there is none.
func (p Peer) String() string {
	switch {
	case p.Addr.IsValid():
		return p.Addr.String()
	case p.Network != "":
		return p.Network
	}
	return "unknown"
}

// ConnContext keeps the socket's peer for the gates that judge who sent a request. Set
// it as http.Server.ConnContext, or call it from yours:
//
//	server := &http.Server{Handler: h, ConnContext: certauth.ConnContext}
//
// Without it the gates fall back to Request.RemoteAddr, which middleware in front of
// this library may have rewritten from a header, and no unix-socket gate opens.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	address := conn.RemoteAddr()
	peer := Peer{Socket: true}
	if address != nil {
		peer.Network = address.Network()
		peer.Addr = parseAddr(address.String())
	} else if local := conn.LocalAddr(); local != nil {
		peer.Network = local.Network()
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// PeerOf returns the peer of the request's connection: what [ConnContext] kept, else
// what RemoteAddr says. X-Forwarded-For and its kin are never looked at.
func PeerOf(r *http.Request) Peer {
	if peer, ok := r.Context().Value(peerKey{}).(Peer); ok {
		return peer
	}
	return Peer{Addr: parseAddr(r.RemoteAddr)}
}

type peerKey struct{}

// parseAddr reads "address:port" strictly; anything else is the invalid address.
func parseAddr(s string) netip.Addr {
	addrPort, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.Addr{}
	}
	return addrPort.Addr().Unmap().WithZone("")
}
