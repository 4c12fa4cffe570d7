package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Gate says who may have written a forwarded certificate. It judges the sender of the
// request, the hop that this process accepted the connection from; forwarded-for headers
// are never looked at. A gate that cannot tell refuses.
//
// Gates are made by [Peers], [UnixSocket], [ProxyCertificate] and [SharedSecret],
// combined by [EveryGate] and [AnyGate]. [InsecureAnyPeer] is the only way without.
type Gate interface {
	// prepare checks the gate and returns its immutable form.
	prepare(env certauth.SourceEnvironment) (gate, error)
}

type gate interface {
	// admit returns nil if the sender is the front end, else why not.
	admit(r *http.Request) error
	// headers returns what the gate itself reads and must not reach a handler.
	headers() []string
	// declaresTLS reports whether the sender's own TLS certificate is expected.
	declaresTLS() bool
	String() string
}

// prepareGate refuses nil of any kind.
func prepareGate(g Gate, env certauth.SourceEnvironment) (gate, error) {
	if g == nil || reflect.ValueOf(g).Kind() == reflect.Pointer && reflect.ValueOf(g).IsNil() {
		return nil, errors.New("nil gate")
	}
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

func (c combined) prepare(env certauth.SourceEnvironment) (gate, error) {
	if len(c.gates) == 0 {
		return nil, fmt.Errorf("%s: empty", c.name())
	}
	prepared := combinedGate{every: c.every, name: c.name()}
	var mistakes []error
	for i, inner := range c.gates {
		g, err := prepareGate(inner, env)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s[%d]: %w", c.name(), i, err))
			continue
		}
		prepared.gates = append(prepared.gates, g)
	}
	return prepared, errors.Join(mistakes...)
}

type combinedGate struct {
	every bool
	name  string
	gates []gate
}

func (c combinedGate) admit(r *http.Request) error {
	var refused error
	for _, g := range c.gates {
		err := g.admit(r)
		if err == nil && !c.every {
			return nil
		}
		if err != nil && c.every {
			return err
		}
		refused = err
	}
	return refused
}

func (c combinedGate) headers() []string {
	var names []string
	for _, g := range c.gates {
		names = append(names, g.headers()...)
	}
	return names
}

func (c combinedGate) declaresTLS() bool {
	for _, g := range c.gates {
		if g.declaresTLS() {
			return true
		}
	}
	return false
}

func (c combinedGate) String() string {
	var parts []string
	for _, g := range c.gates {
		parts = append(parts, g.String())
	}
	return c.name + "(" + strings.Join(parts, ", ") + ")"
}

type anyPeer struct{}

// InsecureAnyPeer believes whoever sends the request. What can happen: everybody who
// can reach this port, through a misrouted load balancer, another pod, a server-side
// request forgery, can be any client by sending that client's public certificate. It is
// for a network that lets nobody but the front end through, and for that alone.
func InsecureAnyPeer() Gate { return anyPeer{} }

func (anyPeer) prepare(certauth.SourceEnvironment) (gate, error) { return anyPeer{}, nil }
func (anyPeer) admit(*http.Request) error                        { return nil }
func (anyPeer) headers() []string                                { return nil }
func (anyPeer) declaresTLS() bool                                { return false }
func (anyPeer) String() string                                   { return "InsecureAnyPeer" }
