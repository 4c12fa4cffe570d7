package grpcauth

import (
	"net"

	"google.golang.org/grpc/credentials"
)

// Credentials returns the server's credentials in a form that keeps the socket of a connection
// for forwarded.Peers and other gates on it; for a server without TLS wrap
// insecure.NewCredentials(). The handshake and the peer's AuthInfo are unchanged.
// The address of peer.Peer has the same text, and is no longer a *net.TCPAddr.
//
// The socket is what the listener accepted, down to package net: see certauth.ConnContext for
// the methods that a wrapper needs. A PROXY header is not believed.
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

// keptConn is a connection whose remote address leads to the socket; that is what gRPC hands on.
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
