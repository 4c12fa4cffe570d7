package forwarded

import (
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

type proxyCertificate struct{ policy certauth.Policy }

// ProxyCertificate admits a request if the front end itself presented a client certificate
// on the TLS connection to this process and the policy accepts that certificate. Pin the
// front end's certificate or key. A [certauth.Chain] without a rule on the name is an error
// of certauth.New, because every certificate of that CA would be admitted. Never use the CA
// that issues your clients' certificates.
//
// Set tls.Config.ClientAuth to tls.RequestClientCert or stricter. The certificate is
// checked on every request, on resumed sessions too, and never becomes the identity. Like
// [Peers], the gate refuses a request over HTTP/2 on a connection that a handler took over.
func ProxyCertificate(policy certauth.Policy) Gate { return proxyCertificate{policy} }

// Parts returns the name and the parts of the gate, for tools that show or review a configuration.
func (p proxyCertificate) Parts() (name string, parts []any) {
	return "ProxyCertificate", []any{p.policy}
}

func (p proxyCertificate) prepare(env source.Environment) (gate, error) {
	hop, err := env.NewHop(certauth.TLS{}, p.policy)
	if err != nil {
		return gate{}, fmt.Errorf("ProxyCertificate: %w", err)
	}
	admit := func(r *http.Request) (judgedTLS bool, err error) {
		// On such a connection the certificate is still the front end's, but the client speaks.
		if err := socket.Tunnel(r); err != nil {
			return false, err
		}
		if err := hop.Admit(r); err != nil {
			return false, refusedSender("the sender's", err, "the sender presented no certificate: let the front end present one, and set tls.Config.ClientAuth to tls.RequestClientCert or stricter; if the sender is not the front end, check what else can reach this port")
		}
		return true, nil
	}
	return gate{name: "ProxyCertificate(" + hop.String() + ")", admit: admit}, nil
}
