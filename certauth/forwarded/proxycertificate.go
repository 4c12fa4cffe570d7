package forwarded

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

type proxyCertificate struct{ policy certauth.Policy }

// ProxyCertificate opens if the front end itself presented a client certificate on the
// TLS connection to this process and the policy accepts it. Pin the front end's
// certificate or key; a [certauth.Chain] also needs a rule on the name, since
// otherwise every certificate of that CA would open the gate: without one it is an error
// of certauth.New. Never use the CA that issues your clients.
//
// Set tls.Config.ClientAuth to tls.RequestClientCert or stricter. The certificate is
// judged on every request, on resumed sessions too, and never becomes the identity. It
// refuses a request by HTTP/2 over a connection that a handler took over, like [Peers].
func ProxyCertificate(policy certauth.Policy) Gate { return proxyCertificate{policy} }

func (p proxyCertificate) prepare(env source.Environment) (gate, error) {
	hop, err := env.NewHop(certauth.TLS{}, p.policy)
	if err != nil {
		return nil, fmt.Errorf("ProxyCertificate: %w", err)
	}
	return proxyCertificateGate{hop}, nil
}

type proxyCertificateGate struct{ hop source.Hop }

func (g proxyCertificateGate) admit(r *http.Request) (bool, error) {
	// The certificate is the front end's also where the client speaks over its connection.
	if err := socket.Tunnel(r); err != nil {
		return false, err
	}
	if err := g.hop.Admit(r); err != nil {
		// The sender's certificate is at fault, not the client's: its reason is detail here.
		return false, errors.New("the sender's own certificate: " + err.Error())
	}
	return true, nil
}

func (proxyCertificateGate) headers() []string { return nil }
func (g proxyCertificateGate) String() string  { return "ProxyCertificate(" + g.hop.String() + ")" }
