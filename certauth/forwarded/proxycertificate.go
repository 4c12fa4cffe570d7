package forwarded

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

type proxyCertificate struct{ policy certauth.Policy }

// ProxyCertificate opens if the front end itself presented a client certificate on the
// TLS connection to this process and the policy accepts it. Pin the front end's
// certificate or key; a [certauth.Chain] needs a rule on the name beside it, or every
// certificate of that CA opens the gate. Never use the CA that issues your clients.
//
// Set tls.Config.ClientAuth to tls.RequestClientCert or stricter. The certificate is
// judged on every request, on resumed sessions too, and never becomes the identity.
func ProxyCertificate(policy certauth.Policy) Gate { return proxyCertificate{policy} }

func (p proxyCertificate) prepare(env certauth.SourceEnvironment) (gate, error) {
	auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: p.policy, Now: env.Now})
	if err != nil {
		return nil, fmt.Errorf("ProxyCertificate: %w", err)
	}
	return proxyCertificateGate{auth}, nil
}

type proxyCertificateGate struct{ auth *certauth.Authenticator }

func (g proxyCertificateGate) admit(r *http.Request) error {
	_, err := g.auth.Check(r)
	if err == nil {
		return nil
	}
	// The sender's certificate is at fault, not the client's: its reason is detail here.
	return errors.New("the sender's own certificate: " + err.Error())
}

func (proxyCertificateGate) headers() []string { return nil }
func (proxyCertificateGate) declaresTLS() bool { return true }
func (proxyCertificateGate) String() string    { return "ProxyCertificate" }
