// Package socket determines the socket over which a request arrived, and its peer.
package socket

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// Peer is the other end of a real socket.
type Peer struct {
	// Network is "tcp" or "unix".
	Network string
	// Addr is the peer's address, unmapped from IPv4-in-IPv6 and without a zone. It is not valid
	// for a unix socket.
	Addr netip.AddrPort
	// Abstract reports that the unix socket has no file.
	Abstract bool
}

// Error says why the peer is not known.
type Error struct {
	Text string
	Hint string // the operator's next step
}

func (e *Error) Error() string { return e.Text }

var (
	// ErrNotKept reports that the server does not store its connections in the context.
	ErrNotKept = &Error{
		"the server does not record the peers of its connections: http.Server.ConnContext is not set",
		"call Authenticator.ConfigureServer, or set http.Server.ConnContext to certauth.ConnContext; for a grpc.Server use grpcauth.Credentials, and in a test certauthtest.WithPeer",
	}
	// ErrAbstract reports a unix socket without a file.
	ErrAbstract = &Error{
		"the connection came over an abstract unix socket, which has no file: every process of the network namespace can connect",
		"listen on a socket with a file, whose mode decides who can connect",
	}
	errOtherServer = &Error{
		"the request was served by another http.Server than the one that accepted its connection",
		"serve the requests of a connection by the server that accepted it, and set ConnContext on that server",
	}
	errTunnel = &Error{
		"the request came over a connection that a handler took over for HTTP/2 after an HTTP/1 request",
		"enable unencrypted HTTP/2 with http.Server.Protocols, not with golang.org/x/net/http2/h2c (h2c.NewHandler, gin's UseH2C, echo's StartH2CServer), and make the front end remove \"Upgrade: h2c\"",
	}
)

// connection is stored in the context of a connection. The accept loop makes it without calling
// methods of the net.Conn, because a call can block for as long as a client likes.
type connection struct {
	conn   net.Conn
	server *http.Server // the server that accepted it

	once      sync.Once
	encrypted bool
	protocol  string // the protocol that TLS negotiated
	peer      Peer   // found through NetConn only
	err       error
	beneath   Peer // found through Raw as well
	errBelow  error
}

type key struct{}

// Keep stores the connection in the context of its requests. It calls no method of conn.
func Keep(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, key{}, &connection{conn: conn, server: serverOf(ctx)})
}

// WithPeer replaces Keep in a test that has no connection.
func WithPeer(ctx context.Context, peer Peer) context.Context {
	c := &connection{server: serverOf(ctx), peer: peer, beneath: peer}
	c.once.Do(func() {})
	return context.WithValue(ctx, key{}, c)
}

// PeerOf returns the peer of the socket over which the request arrived, or an *Error.
func PeerOf(r *http.Request) (Peer, error) {
	c, err := connectionOf(r)
	if err != nil {
		return Peer{}, err
	}
	return c.peer, c.err
}

// Reported returns the peer of the socket beneath a PROXY protocol connection, and the address
// that the connection reports instead. Without a PROXY header, and after one that says LOCAL,
// such a connection reports the socket's own peer; Reported then returns an error.
func Reported(r *http.Request) (beneath Peer, reported netip.Addr, err error) {
	c, err := connectionOf(r)
	if err == nil {
		err = c.errBelow
	}
	if err != nil {
		return Peer{}, netip.Addr{}, err
	}
	address := c.report()
	if !address.IsValid() || address == c.beneath.Addr {
		return Peer{}, netip.Addr{}, &Error{
			"no PROXY header gave the address of the balancer's client",
			"make the listener require a PROXY header and the balancer send one for every connection; its health checks (LOCAL) have no client",
		}
	}
	return c.beneath, address.Addr(), nil
}

// connectionOf returns the connection that the server stored for this request.
func connectionOf(r *http.Request) (*connection, error) {
	c, ok := r.Context().Value(key{}).(*connection)
	if !ok {
		return nil, ErrNotKept
	}
	if c.server != serverOf(r.Context()) {
		return nil, errOtherServer
	}
	c.once.Do(c.look)
	if r.ProtoMajor == 2 && c.tunnels(r) {
		return nil, errTunnel
	}
	return c, nil
}

func serverOf(ctx context.Context) *http.Server {
	server, _ := ctx.Value(http.ServerContextKey).(*http.Server)
	return server
}

// look unwraps the connection. A request has arrived by now, so a wrapper that waits for data no
// longer blocks. If a wrapper panics, the connection has no peer.
func (c *connection) look() {
	c.err, c.errBelow = notASocket(c.conn, ""), notASocket(c.conn, "")
	defer func() { _ = recover() }()
	if secured, ok := c.conn.(connectionStater); ok {
		c.encrypted, c.protocol = true, secured.ConnectionState().NegotiatedProtocol
	}
	c.peer, c.err = unwrap(c.conn, false)
	c.beneath, c.errBelow = unwrap(c.conn, true)
}

// maxWrappers bounds the number of wrappers around a socket, because a wrapper can contain
// itself.
const maxWrappers = 16

// unwrap finds the socket of package net inside a connection. It calls NetConn, as tls.Conn and
// others define it, and for the PROXY protocol Raw, as go-proxyproto defines it. It ignores the
// addresses that wrappers report.
func unwrap(conn net.Conn, raw bool) (Peer, error) {
	outer := conn
	for range maxWrappers {
		switch socket := conn.(type) {
		case *net.TCPConn:
			if address, ok := socket.RemoteAddr().(*net.TCPAddr); ok {
				if peer := clean(address.AddrPort()); peer.IsValid() {
					return Peer{Network: "tcp", Addr: peer}, nil
				}
			}
			return Peer{}, notASocket(outer, "")
		case *net.UnixConn:
			local := socket.LocalAddr()
			if local == nil || local.Network() != "unix" {
				return Peer{}, notASocket(outer, "")
			}
			// Package net writes the name of an abstract socket, and that of one without a name, in this way.
			return Peer{Network: "unix", Abstract: strings.HasPrefix(local.String(), "@")}, nil
		case interface{ NetConn() net.Conn }:
			conn = socket.NetConn()
		case interface{ Raw() net.Conn }:
			if !raw {
				return Peer{}, notASocket(outer, "; for a listener of the PROXY protocol use forwarded.ProxyProtocol")
			}
			conn = socket.Raw()
		default:
			return Peer{}, notASocket(outer, "")
		}
	}
	return Peer{}, notASocket(outer, "")
}

func notASocket(conn net.Conn, more string) error {
	return &Error{
		fmt.Sprintf("the connection is a %T, which does not reveal a socket of package net", conn),
		"give the connection a method NetConn() net.Conn that returns what it wraps, or call certauth.ConnContext with that from your own ConnContext; a connection in memory has no peer: use SharedSecret or ProxyCertificate there" + more,
	}
}

// report returns the address that the connection itself reports; it is not valid if there is
// none.
func (c *connection) report() (address netip.AddrPort) {
	defer func() {
		if recover() != nil {
			address = netip.AddrPort{}
		}
	}()
	remote := c.conn.RemoteAddr()
	if remote == nil || remote.Network() != "tcp" {
		return netip.AddrPort{}
	}
	parsed, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return clean(parsed)
}

func clean(address netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(address.Addr().Unmap().WithZone(""), address.Port())
}
