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

// ProxyProtocol is for a front end whose connections pass through a balancer that adds a
// PROXY header (the PROXY protocol of HAProxy, AWS Network Load Balancer and others), and
// for a listener that reads this header, such as that of github.com/pires/go-proxyproto. It
// admits connections whose socket the balancer opened, as determined by [Peers] or
// [UnixSocket], and whose PROXY header reports an address of the front end:
//
//	From: forwarded.ProxyProtocol(forwarded.Peers("10.0.1.9"), "10.0.0.4")
//
// Peers alone never looks at the reported address, because a client that reaches the
// listener can write a PROXY header.
//
// The conditions of Peers apply. In addition, the connections that the listener returns
// must expose the connection that they wrap by a method NetConn() net.Conn or, like those
// of go-proxyproto, Raw() net.Conn. The reported address is read from the connection itself
// when a request arrives, never from Request.RemoteAddr. A connection without a PROXY
// header, or with one that says LOCAL, is refused, even from the balancer.
//
// A balancer that is neither Peers nor UnixSocket, and entries in either list that Peers
// refuses, are errors of certauth.New.
//
// Your infrastructure must ensure that only the balancer can open connections from its
// addresses, and that it writes its own PROXY header at the start of every connection.
func ProxyProtocol(balancer Gate, frontEnds ...string) Gate {
	return proxyProtocol{balancer, frontEnds}
}

// Parts returns the name and the parts of the gate, for tools that show or review a configuration.
func (p proxyProtocol) Parts() (name string, parts []any) {
	return "ProxyProtocol", []any{p.balancer, peers(p.frontEnds)}
}

func (p proxyProtocol) prepare(env source.Environment) (gate, error) {
	var found []error
	balancer, err := prepareGate(p.balancer, env)
	if err != nil {
		found = mistakes.Prefix("ProxyProtocol: balancer: ", err)
	}
	if err == nil && balancer.admitPeer == nil {
		found = append(found, errors.New("ProxyProtocol: balancer: neither Peers nor UnixSocket"))
	}
	frontEnds, err := parseNetworks("ProxyProtocol", p.frontEnds)
	return check("ProxyProtocol("+balancer.name+", "+frontEnds.String()+")", func(r *http.Request) error {
		peer, reported, err := socket.Reported(r)
		if err == nil {
			err = balancer.admitPeer(peer)
		}
		if err != nil {
			return fmt.Errorf("ProxyProtocol: %w", err)
		}
		if !frontEnds.contain(reported) {
			return fmt.Errorf("ProxyProtocol: the balancer reports %s, which is not listed", reported)
		}
		return nil
	}), errors.Join(append(found, err)...)
}
