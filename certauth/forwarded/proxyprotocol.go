package forwarded

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

type proxyProtocol struct {
	balancer  Gate
	frontEnds []string
}

// ProxyProtocol is for a front end whose connections a balancer passes on, with a PROXY
// header in front (the PROXY protocol of HAProxy, AWS Network Load Balancer and others),
// to a listener that reads this header, such as that of github.com/pires/go-proxyproto. It
// admits connections whose socket the balancer opened, as determined by [Peers] or
// [UnixSocket], and whose PROXY header reports an address of the front end:
//
//	From: forwarded.ProxyProtocol(forwarded.Peers("10.0.1.9"), "10.0.0.4")
//
// Peers alone never admits by the reported address, because a client that reaches the
// listener can write a PROXY header.
//
// The conditions are those of Peers, and the connections that the listener hands out must
// expose the connection that they wrap by a method NetConn() net.Conn or, as go-proxyproto's do,
// Raw() net.Conn. The reported address is asked of the connection itself, when a request
// is there, never of Request.RemoteAddr. A connection without a PROXY header, or whose
// header says LOCAL, is refused, also from the balancer.
//
// A balancer that is neither Peers nor UnixSocket, and what Peers refuses in either list,
// is an error of certauth.New.
//
// What must be true of your infrastructure: only the balancer can open a connection
// from its addresses, and it writes a PROXY header of its own before every connection.
func ProxyProtocol(balancer Gate, frontEnds ...string) Gate {
	return proxyProtocol{balancer, frontEnds}
}

func (p proxyProtocol) prepare(env source.Environment) (gate, error) {
	var found []error
	balancer, err := prepareGate(p.balancer, env)
	if err != nil {
		found = mistakes.Prefix("ProxyProtocol: balancer: ", err)
	}
	onSocket, ok := balancer.(socketGate)
	if err == nil && !ok {
		found = append(found, errors.New("ProxyProtocol: balancer: neither Peers nor UnixSocket"))
	}
	frontEnds, err := parseNetworks("ProxyProtocol", p.frontEnds)
	if err := errors.Join(append(found, err)...); err != nil {
		return nil, err
	}
	return proxyProtocolGate{onSocket, frontEnds}, nil
}

type proxyProtocolGate struct {
	balancer  socketGate
	frontEnds networks
}

func (g proxyProtocolGate) admit(r *http.Request) (bool, error) {
	balancer, reported, err := socket.Reported(r)
	if err == nil {
		err = g.balancer.admitPeer(balancer)
	}
	if err != nil {
		return false, fmt.Errorf("ProxyProtocol: %w", err)
	}
	if !g.frontEnds.contain(reported) {
		return false, fmt.Errorf("ProxyProtocol: the balancer reports %s, which is not listed", reported)
	}
	return false, nil
}

func (proxyProtocolGate) headers() []string { return nil }

func (g proxyProtocolGate) String() string {
	return "ProxyProtocol(" + g.balancer.String() + ", " + g.frontEnds.String() + ")"
}
