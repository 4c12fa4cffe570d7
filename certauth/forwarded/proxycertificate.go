package forwarded

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

type proxyCertificate struct{ policy certauth.Policy }

// ProxyCertificate opens if the front end itself presented a client certificate on the
// TLS connection to this process and the policy accepts it. Pin the front end's
// certificate or key; a [certauth.Chain] needs a rule on the name beside it, since
// otherwise every certificate of that CA would open the gate: without one it is an error
// of certauth.New. Never use the CA that issues your clients.
//
// Set tls.Config.ClientAuth to tls.RequestClientCert or stricter. The certificate is
// judged on every request, on resumed sessions too, and never becomes the identity. It
// refuses a request by HTTP/2 over a connection that a handler took over, like [Peers].
func ProxyCertificate(policy certauth.Policy) Gate { return proxyCertificate{policy} }

func (p proxyCertificate) prepare(env certauth.SourceEnvironment) (gate, error) {
	auth, err := hopAuthenticator(certauth.TLS{}, p.policy, env)
	if err != nil {
		return nil, fmt.Errorf("ProxyCertificate: %w", err)
	}
	return proxyCertificateGate{auth}, nil
}

// hopAuthenticator judges the certificate of the hop before this process. Its reloads are
// reported and triggered with those of the Authenticator that it serves.
func hopAuthenticator(source certauth.Source, policy certauth.Policy, env certauth.SourceEnvironment) (*certauth.Authenticator, error) {
	auth, err := certauth.New(certauth.Config{
		Source: source, Policy: policy, Now: env.Now, ReloadInterval: env.ReloadInterval, Observe: env.Observe,
	})
	if err != nil {
		return nil, err
	}
	if !auth.TellsCallersApart() {
		return nil, errors.New("every certificate of the CA would open the gate; add a rule on the sender's name, or pin it")
	}
	if env.OnReload != nil {
		env.OnReload(auth.Reload)
	}
	return auth, nil
}

type proxyCertificateGate struct{ auth *certauth.Authenticator }

func (g proxyCertificateGate) admit(r *http.Request) (bool, error) {
	// The certificate is the front end's also where the client speaks over its connection.
	if err := socket.Tunnel(r); err != nil {
		return false, err
	}
	if _, err := g.auth.Check(r); err != nil {
		// The sender's certificate is at fault, not the client's: its reason is detail here.
		return false, errors.New("the sender's own certificate: " + err.Error())
	}
	return true, nil
}

func (proxyCertificateGate) headers() []string { return nil }
func (g proxyCertificateGate) String() string  { return "ProxyCertificate(" + policyText(g.auth) + ")" }

// policyText is the policy of a gate on one line.
func policyText(auth *certauth.Authenticator) string {
	_, policy, _ := strings.Cut(auth.String(), "policy:\n")
	var parts []string
	for line := range strings.Lines(policy) {
		parts = append(parts, strings.TrimSpace(line))
	}
	return strings.Join(parts, "; ")
}
