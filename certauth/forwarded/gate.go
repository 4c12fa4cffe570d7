package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Gate decides which senders may forward a certificate. It judges the sender of the
// request, the hop that this process accepted the connection from; forwarded-for headers
// are never looked at. A gate that cannot tell refuses.
//
// Gates are made by [Peers], [UnixSocket], [ProxyProtocol], [ProxyCertificate] and
// [SharedSecret], combined by [EveryGate] and [AnyGate]. [InsecureRemoteAddr] believes an
// address that others may have written. [InsecureAnyPeer] is the only way to use a source
// without checking the sender.
type Gate interface {
	// prepare checks the gate and returns its immutable form.
	prepare(env source.Environment) (gate, error)
}

type gate interface {
	// admit returns no error if the sender is the front end, else why not. judgedTLS says
	// that the sender's own TLS certificate was part of the answer and is accepted.
	admit(r *http.Request) (judgedTLS bool, err error)
	// headers returns the headers that the gate itself reads, which must not reach a handler.
	headers() []string
	String() string
}

// prepareGate refuses nil of any kind, also inside a struct that embeds a Gate.
func prepareGate(g Gate, env source.Environment) (prepared gate, err error) {
	if g == nil || reflect.ValueOf(g).Kind() == reflect.Pointer && reflect.ValueOf(g).IsNil() {
		return nil, errors.New("nil gate")
	}
	defer func() {
		if recover() != nil {
			prepared, err = nil, errors.New("the gate cannot be prepared; does a struct embed a nil Gate?")
		}
	}()
	return g.prepare(env)
}

type combined struct {
	every bool
	gates []Gate
}

// EveryGate opens if all gates open. Without any it is an error of certauth.New.
func EveryGate(gates ...Gate) Gate { return combined{every: true, gates: gates} }

// AnyGate opens if one of the gates opens. Without any it is an error of certauth.New.
func AnyGate(gates ...Gate) Gate { return combined{gates: gates} }

func (c combined) name() string {
	if c.every {
		return "EveryGate"
	}
	return "AnyGate"
}

func (c combined) prepare(env source.Environment) (gate, error) {
	if len(c.gates) == 0 {
		return nil, fmt.Errorf("%s: empty", c.name())
	}
	prepared := combinedGate{every: c.every, name: c.name()}
	var found []error
	for i, inner := range c.gates {
		g, err := prepareGate(inner, env)
		if err != nil {
			found = append(found, mistakes.Prefix(fmt.Sprintf("%s[%d]: ", c.name(), i), err)...)
			continue
		}
		if _, anybody := g.(anyPeer); anybody {
			found = append(found, fmt.Errorf("%s[%d]: InsecureAnyPeer stands alone; beside it no other gate means anything", c.name(), i))
		}
		prepared.gates = append(prepared.gates, g)
	}
	return prepared, errors.Join(found...)
}

type combinedGate struct {
	every bool
	name  string
	gates []gate
}

// admit of an AnyGate asks on after the first yes where the sender has a TLS certificate
// that no gate has judged yet.
func (c combinedGate) admit(r *http.Request) (judgedTLS bool, err error) {
	opened := false
	for _, g := range c.gates {
		judged, refused := g.admit(r)
		if refused != nil && c.every {
			return false, refused
		}
		if refused != nil {
			if setUp := (*socket.Error)(nil); !errors.As(err, &setUp) { // it says what to mend
				err = refused
			}
			continue
		}
		opened = true
		judgedTLS = judgedTLS || judged
		if !c.every && (judgedTLS || !hasTLSCertificate(r)) {
			break
		}
	}
	if opened {
		return judgedTLS, nil
	}
	return false, err
}

func hasTLSCertificate(r *http.Request) bool { return r.TLS != nil && len(r.TLS.PeerCertificates) > 0 }

func (c combinedGate) headers() []string {
	var names []string
	for _, g := range c.gates {
		names = append(names, g.headers()...)
	}
	return names
}

func (c combinedGate) String() string {
	var parts []string
	for _, g := range c.gates {
		parts = append(parts, g.String())
	}
	return c.name + "(" + strings.Join(parts, ", ") + ")"
}

type anyPeer struct{}

// InsecureAnyPeer trusts every sender of a request. What can happen: every client that
// can reach this port, through a misrouted load balancer, another pod, a server-side
// request forgery, can be any client by sending that client's public certificate; and so
// can every client of a front end that passes "Upgrade: h2c" on to a service that answers
// it. It is for a network that lets only the front end through, and for that alone.
func InsecureAnyPeer() Gate { return anyPeer{} }

func (anyPeer) prepare(source.Environment) (gate, error) { return anyPeer{}, nil }
func (anyPeer) admit(*http.Request) (bool, error)        { return false, nil }
func (anyPeer) headers() []string                        { return nil }
func (anyPeer) String() string                           { return "InsecureAnyPeer" }
