package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Gate decides which senders may forward a certificate. It checks the immediate sender of a
// request, the peer whose connection this process accepted, and never looks at
// forwarded-for headers. A gate that cannot determine the sender refuses.
//
// [Peers], [UnixSocket], [ProxyProtocol], [ProxyCertificate], [AppServiceCertificate] and
// [SharedSecret] make gates; [EveryGate] and [AnyGate] combine them. [InsecureRemoteAddr]
// trusts an address that other code may have written. [InsecureAnyPeer] is the only way to
// use a source without checking the sender.
//
// Gates are safe for concurrent use. Mistakes in their arguments are errors of
// certauth.New.
type Gate interface {
	// prepare checks the gate's arguments and returns its immutable form.
	prepare(env source.Environment) (gate, error)
}

// gate is the immutable form of a Gate.
type gate struct {
	name string // for logs and the String of the source

	// headers are those that the gate itself reads. They must not reach a handler.
	headers []string

	// admit returns nil if the sender is the front end, and otherwise an error that says
	// why not. judgedTLS reports that the gate checked and accepted the sender's own TLS
	// certificate.
	admit func(r *http.Request) (judgedTLS bool, err error)

	// admitPeer does the same for a peer, if the gate depends only on the peer of the socket.
	admitPeer func(peer socket.Peer) error

	anybody bool // admits every sender
}

// check returns a gate that does not judge the sender's TLS certificate.
func check(name string, admit func(r *http.Request) error) gate {
	return gate{name: name, admit: func(r *http.Request) (bool, error) { return false, admit(r) }}
}

// onSocket returns a gate that depends only on the peer of the socket.
func onSocket(name string, admit func(peer socket.Peer) error) gate {
	g := check(name, func(r *http.Request) error {
		peer, err := socket.PeerOf(r)
		if err != nil {
			return err
		}
		return admit(peer)
	})
	g.admitPeer = admit
	return g
}

// prepareGate refuses every kind of nil, including a nil Gate embedded in a struct.
func prepareGate(g Gate, env source.Environment) (prepared gate, err error) {
	if g == nil || reflect.ValueOf(g).Kind() == reflect.Pointer && reflect.ValueOf(g).IsNil() {
		return gate{}, errors.New("nil gate")
	}
	defer func() {
		if recover() != nil {
			prepared, err = gate{}, errors.New("the gate cannot be prepared; does a struct embed a nil Gate?")
		}
	}()
	return g.prepare(env)
}

type combined struct {
	every bool
	gates []Gate
}

// EveryGate admits a sender that all gates admit. An empty list is an error of
// certauth.New.
func EveryGate(gates ...Gate) Gate { return combined{every: true, gates: gates} }

// AnyGate admits a sender that at least one of the gates admits. An empty list is an error
// of certauth.New.
func AnyGate(gates ...Gate) Gate { return combined{gates: gates} }

func (c combined) name() string {
	if c.every {
		return "EveryGate"
	}
	return "AnyGate"
}

// Parts returns the name and the parts of the gate, for tools that show or review a configuration.
func (c combined) Parts() (name string, parts []any) {
	for _, inner := range c.gates {
		parts = append(parts, inner)
	}
	return c.name(), parts
}

func (c combined) prepare(env source.Environment) (gate, error) {
	if len(c.gates) == 0 {
		return gate{}, fmt.Errorf("%s: empty", c.name())
	}
	var gates []gate
	var found []error
	for i, inner := range c.gates {
		g, err := prepareGate(inner, env)
		if err != nil {
			found = append(found, mistakes.Prefix(fmt.Sprintf("%s[%d]: ", c.name(), i), err)...)
			continue
		}
		if g.anybody {
			found = append(found, fmt.Errorf("%s[%d]: InsecureAnyPeer must be the only gate: it makes every other gate meaningless", c.name(), i))
		}
		gates = append(gates, g)
	}
	admit := admitEvery
	if !c.every {
		admit = admitAny
	}
	all := combine(c.name(), gates, admit)
	if !c.every { // alternatives may read the same header
		slices.Sort(all.headers)
		all.headers = slices.Compact(all.headers)
	}
	return all, errors.Join(found...)
}

// combine returns a gate that asks several.
func combine(name string, gates []gate, admit func([]gate, *http.Request) (bool, error)) gate {
	var names, headers []string
	for _, g := range gates {
		names = append(names, g.name)
		headers = append(headers, g.headers...)
	}
	return gate{
		name: name + "(" + strings.Join(names, ", ") + ")", headers: headers,
		admit: func(r *http.Request) (bool, error) { return admit(gates, r) },
	}
}

func admitEvery(gates []gate, r *http.Request) (judgedTLS bool, err error) {
	for _, g := range gates {
		judged, err := g.admit(r)
		if err != nil {
			return false, err
		}
		judgedTLS = judgedTLS || judged
	}
	return judgedTLS, nil
}

// admitAny continues after the first gate that admits the sender if the sender has a TLS
// certificate that no gate has checked yet.
func admitAny(gates []gate, r *http.Request) (judgedTLS bool, err error) {
	opened := false
	for _, g := range gates {
		judged, refused := g.admit(r)
		if refused != nil {
			if _, setUp := errors.AsType[*socket.Error](err); !setUp { // its hint says what to repair
				err = refused
			}
			continue
		}
		opened, judgedTLS = true, judgedTLS || judged
		if judgedTLS || !hasTLSCertificate(r) {
			break
		}
	}
	if opened {
		return judgedTLS, nil
	}
	return false, err
}

func hasTLSCertificate(r *http.Request) bool { return r.TLS != nil && len(r.TLS.PeerCertificates) > 0 }

type anyPeer struct{}

// InsecureAnyPeer trusts every sender. What can happen: every client that can reach this
// port can impersonate any other client by sending that client's public certificate:
// through a misrouted load balancer, from another pod, or by server-side request forgery.
// So can every client of a front end that forwards "Upgrade: h2c" to a service that accepts
// it. Use it only in a network in which nothing but the front end can reach this port.
func InsecureAnyPeer() Gate { return anyPeer{} }

func (anyPeer) prepare(source.Environment) (gate, error) {
	g := check("InsecureAnyPeer", func(*http.Request) error { return nil })
	g.anybody = true
	return g, nil
}
