package grpcauth

import (
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials wraps the server's credentials so that forwarded.Peers and other gates can see
// the socket of a connection. For a server without TLS wrap insecure.NewCredentials(). The
// handshake and the peer's AuthInfo are unchanged. The address in peer.Peer has the same text
// as before but is no longer a *net.TCPAddr.
//
// The socket is the innermost connection that the listener accepted; certauth.ConnContext
// documents the methods that wrapping connections need. Addresses in PROXY headers are ignored.
func Credentials(of credentials.TransportCredentials) credentials.TransportCredentials {
	return keeping{of}
}

type keeping struct {
	credentials.TransportCredentials
}

// ServerHandshake implements [credentials.TransportCredentials].
func (k keeping) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := k.TransportCredentials.ServerHandshake(raw)
	if err != nil || conn == nil {
		return conn, info, err
	}
	return keptConn{conn, raw}, info, nil
}

// Clone implements [credentials.TransportCredentials].
func (k keeping) Clone() credentials.TransportCredentials {
	return keeping{k.TransportCredentials.Clone()}
}

// keptConn is a connection whose remote address refers to the socket, because gRPC passes only
// the address on.
type keptConn struct {
	net.Conn

	raw net.Conn
}

// RemoteAddr implements [net.Conn].
func (c keptConn) RemoteAddr() net.Addr { return socketAddr{c.Conn.RemoteAddr(), c.raw} }

type socketAddr struct {
	net.Addr

	conn net.Conn
}
