package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/prefix"
)

type peers []string

// Peers opens for connections from the listed addresses and prefixes: "10.0.0.4",
// "10.0.0.0/24", "fd00::/64". It compares the socket's address, IPv4-mapped IPv6 as
// IPv4 and without a zone; an address that cannot be read is refused. Install
// certauth.ConnContext on the server, or middleware in front of this one can rewrite
// RemoteAddr and with it the answer.
//
// An empty list, and a prefix wider than any private network (/8 for IPv4, /7 for
// IPv6), are errors of certauth.New: "everybody" is spelled [InsecureAnyPeer].
//
// What must be true of your infrastructure: nobody but the front end can open a
// connection from these addresses.
func Peers(prefixes ...string) Gate { return peers(prefixes) }

func (p peers) prepare(certauth.SourceEnvironment) (gate, error) {
	var mistakes []error
	if len(p) == 0 {
		mistakes = append(mistakes, errors.New("Peers: empty"))
	}
	var prepared peersGate
	for i, text := range p {
		network, err := prefix.Parse(text)
		if err == nil && (network.Addr().Is4() && network.Bits() < 8 || network.Bits() < 7) {
			err = errors.New("wider than any private network; everybody is spelled InsecureAnyPeer")
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("Peers[%d]: %s: %w", i, logtext.Quote(text), err))
			continue
		}
		prepared = append(prepared, network)
	}
	return prepared, errors.Join(mistakes...)
}

type peersGate []netip.Prefix

func (g peersGate) admit(r *http.Request) (bool, error) {
	peer := certauth.PeerOf(r)
	for _, network := range g {
		if network.Contains(peer.Addr) {
			return false, nil
		}
	}
	return false, fmt.Errorf("peer %s is not in Peers", peer)
}

func (peersGate) headers() []string { return nil }

func (g peersGate) String() string {
	var list []string
	for _, network := range g {
		list = append(list, network.String())
	}
	return "Peers(" + strings.Join(list, ", ") + ")"
}

type unixSocket struct{}

// UnixSocket opens for connections over a unix socket, as the socket itself says: it
// needs certauth.ConnContext on the server and never guesses from RemoteAddr.
//
// What must be true of your infrastructure: the file's mode and folder let only the
// front end's user connect.
func UnixSocket() Gate { return unixSocket{} }

func (unixSocket) prepare(certauth.SourceEnvironment) (gate, error) { return unixSocket{}, nil }

func (unixSocket) admit(r *http.Request) (bool, error) {
	peer := certauth.PeerOf(r)
	if !peer.Socket {
		return false, errors.New("UnixSocket needs certauth.ConnContext on the server")
	}
	if peer.Network != "unix" {
		return false, fmt.Errorf("peer %s is not on a unix socket", peer)
	}
	return false, nil
}

func (unixSocket) headers() []string { return nil }
func (unixSocket) String() string    { return "UnixSocket" }
