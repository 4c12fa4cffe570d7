package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/prefix"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

type peers []string

// Peers opens for connections from the listed addresses and prefixes: "10.0.0.4",
// "10.0.0.0/24", "fd00::/64". It compares the address of the real socket, IPv4-mapped IPv6
// as IPv4 and without a zone; certauth.ConnContext says how it is found. Values that
// middleware writes into RemoteAddr and addresses in PROXY headers never count.
//
// It refuses, with a hint, if the server was not prepared by
// Authenticator.ConfigureServer or certauth.ConnContext, if the connection leads to no
// socket, and if the request came by HTTP/2 over a connection that a handler took over
// (golang.org/x/net/http2/h2c): there the client itself can be at the other end of the
// front end's connection.
//
// An empty list, a prefix wider than any private network (/8 for IPv4, /7 for IPv6), and
// addresses that no peer has (0.0.0.0, ::, multicast, broadcast) are errors of
// certauth.New: to admit every sender use [InsecureAnyPeer].
//
// What must be true of your infrastructure: only the front end can open a
// connection from these addresses. A balancer that passes TCP connections on is itself the
// peer, regardless of its own clients: see [ProxyProtocol].
func Peers(prefixes ...string) Gate { return peers(prefixes) }

func (p peers) prepare(source.Environment) (gate, error) {
	networks, err := parseNetworks("Peers", p)
	return peersGate{networks}, err
}

// networks is a list of prefixes.
type networks []netip.Prefix

// parseNetworks reads a gate's list; the mistakes name the gate.
func parseNetworks(gate string, list []string) (networks, error) {
	var mistakes []error
	if len(list) == 0 {
		mistakes = append(mistakes, fmt.Errorf("%s: empty", gate))
	}
	var parsed networks
	for i, text := range list {
		network, err := prefix.Parse(text)
		if err == nil {
			err = checkNetwork(network)
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s[%d]: %s: %w", gate, i, logtext.Quote(text), err))
			continue
		}
		parsed = append(parsed, network)
	}
	return parsed, errors.Join(mistakes...)
}

func checkNetwork(network netip.Prefix) error {
	first := network.Addr()
	switch {
	case first.Is4() && network.Bits() < 8 || network.Bits() < 7:
		return errors.New("wider than any private network; everybody is spelled InsecureAnyPeer")
	case first.IsUnspecified(), first.IsMulticast(), first == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		// Giving the address a listener binds to is a frequent mistake.
		return errors.New("no peer has this address; everybody is spelled InsecureAnyPeer")
	}
	return nil
}

func (n networks) contain(address netip.Addr) bool {
	for _, network := range n {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

func (n networks) String() string {
	var list []string
	for _, network := range n {
		list = append(list, network.String())
	}
	return strings.Join(list, ", ")
}

// socketGate is a gate that judges nothing but the peer of the socket.
type socketGate interface {
	gate
	admitPeer(peer socket.Peer) error
}

type peersGate struct{ networks }

func (g peersGate) admit(r *http.Request) (bool, error) {
	peer, err := socket.PeerOf(r)
	if err != nil {
		return false, err
	}
	return false, g.admitPeer(peer)
}

func (g peersGate) admitPeer(peer socket.Peer) error {
	if !g.contain(peer.Addr.Addr()) {
		return fmt.Errorf("peer %s is not in Peers", nameOf(peer))
	}
	return nil
}

func nameOf(peer socket.Peer) string {
	if peer.Addr.IsValid() {
		return peer.Addr.Addr().String()
	}
	return peer.Network
}

func (peersGate) headers() []string { return nil }
func (g peersGate) String() string  { return "Peers(" + g.networks.String() + ")" }

type unixSocket struct{}

// UnixSocket opens for connections over a unix socket, as the socket itself says, under the
// conditions of [Peers]; a PROXY header that tells of a unix socket does not open it.
//
// What must be true of your infrastructure: the file's mode and folder let only the
// front end's user connect.
func UnixSocket() Gate { return unixSocket{} }

func (unixSocket) prepare(source.Environment) (gate, error) { return unixSocket{}, nil }

func (g unixSocket) admit(r *http.Request) (bool, error) {
	peer, err := socket.PeerOf(r)
	if err != nil {
		return false, err
	}
	return false, g.admitPeer(peer)
}

func (unixSocket) admitPeer(peer socket.Peer) error {
	if peer.Network != "unix" {
		return fmt.Errorf("peer %s is not on a unix socket", nameOf(peer))
	}
	return nil
}

func (unixSocket) headers() []string { return nil }
func (unixSocket) String() string    { return "UnixSocket" }
