package forwarded

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/prefix"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

type peers []string

// Peers admits connections from the listed addresses and prefixes, such as "10.0.0.4",
// "10.0.0.0/24" or "fd00::/64". It compares the address of the real socket, as
// certauth.ConnContext documents; IPv4-mapped IPv6 counts as IPv4, and a zone is ignored.
// Values that middleware writes into RemoteAddr and addresses in PROXY headers never count.
//
// It refuses the request, with a hint, if the server was not set up by
// Authenticator.ConfigureServer or certauth.ConnContext, if the connection leads to no
// socket, and if the request came over HTTP/2 on a connection that a handler took over
// (golang.org/x/net/http2/h2c): there the client itself can be at the other end of the
// front end's connection.
//
// An empty list, a prefix wider than any private network (/8 for IPv4, /7 for IPv6), and an
// address that no peer can have (0.0.0.0, ::, multicast, broadcast) are errors of
// certauth.New. To admit every sender use [InsecureAnyPeer].
//
// Your infrastructure must ensure that only the front end can open connections from these
// addresses. What passes TCP connections on, or gives them an address of its own, is itself the
// peer, whoever its clients are: a balancer, for which there is [ProxyProtocol]; for published
// ports the host, in rootless Docker and Podman; and for a NodePort or LoadBalancer Service the
// nodes of Kubernetes, unless its externalTrafficPolicy is Local. List these only if nothing
// but the front end can reach that port. In a network with other hosts or pods, a firewall or a
// NetworkPolicy has to keep those out.
func Peers(prefixes ...string) Gate { return peers(prefixes) }

func (p peers) prepare(source.Environment) (gate, error) {
	networks, err := parseNetworks("Peers", p)
	return onSocket("Peers("+networks.String()+")", func(peer socket.Peer) error {
		if !networks.contain(peer.Addr.Addr()) {
			return fmt.Errorf("peer %s is not in Peers", nameOf(peer))
		}
		return nil
	}), err
}

// networks is a list of prefixes.
type networks []netip.Prefix

// parseNetworks reads a gate's list. Errors begin with the name of the gate.
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
		return errors.New("wider than any private network; to admit every sender use InsecureAnyPeer")
	case first.IsUnspecified(), first.IsMulticast(), first == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		// Users often configure the address that a listener binds to.
		return errors.New("no peer can have this address; to admit every sender use InsecureAnyPeer")
	}
	return nil
}

func (n networks) contain(address netip.Addr) bool {
	return slices.ContainsFunc(n, func(network netip.Prefix) bool { return network.Contains(address) })
}

func (n networks) String() string {
	var list []string
	for _, network := range n {
		list = append(list, network.String())
	}
	return strings.Join(list, ", ")
}

func nameOf(peer socket.Peer) string {
	if peer.Addr.IsValid() {
		return peer.Addr.Addr().String()
	}
	return peer.Network
}

type unixSocket struct{}

// UnixSocket admits connections over a unix socket with a file, as reported by the socket itself,
// under the conditions of [Peers]. A PROXY header that reports a unix socket is not enough. An
// abstract socket of Linux, which has no file and no mode, is refused.
//
// Your infrastructure must ensure, by the mode of the socket file and its directory, that
// only the front end's user can connect.
func UnixSocket() Gate { return unixSocket{} }

func (unixSocket) prepare(source.Environment) (gate, error) {
	return onSocket("UnixSocket", func(peer socket.Peer) error {
		switch {
		case peer.Network != "unix":
			return fmt.Errorf("peer %s is not on a unix socket", nameOf(peer))
		case peer.Abstract:
			return socket.ErrAbstract
		}
		return nil
	}), nil
}
