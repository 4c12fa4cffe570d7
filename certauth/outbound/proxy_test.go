package outbound_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// proxied is a server behind a proxy that ends TLS itself and then supports only CONNECT.
type proxied struct {
	*world
	server        *downstream
	address, base string // of the proxy
}

// behindProxy starts both with their configurations of TLS.
func behindProxy(t *testing.T, server, proxy func(*tls.Config)) *proxied {
	t.Helper()
	w := newWorld(t)
	w.put(t, "orders")
	p := &proxied{world: w, server: w.serve(t, server, nil)}
	front := w.serve(t, func(c *tls.Config) {
		c.NextProtos = []string{"http/1.1"}
		proxy(c)
	}, func(rw http.ResponseWriter, r *http.Request) {
		conn, err := net.Dial("tcp", r.Host)
		if err == nil {
			tunnel(rw, conn)
		}
	})
	p.base, p.address = front.URL, front.Listener.Addr().String()
	return p
}

// call sends a request through the proxy.
func (p *proxied) call(t *testing.T, change func(*outbound.Config)) (string, error) {
	t.Helper()
	config := p.config()
	if change != nil {
		change(&config)
	}
	through, err := url.Parse(p.base)
	require.NoError(t, err)
	body, _, err := get(t, client(t, open(t, config), &http.Transport{Proxy: http.ProxyURL(through)}), p.server.URL)
	return body, err
}

// hosts returns the hosts of the events with this outcome.
func (p *proxied) hosts(outcome outbound.Outcome) (hosts []string) {
	for _, event := range p.journal.of(outcome) {
		hosts = append(hosts, event.Host)
	}
	return hosts
}

func stranger(t *testing.T) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(certauthtest.NewCA(t, "Another Root").Certificate)
	return pool
}

// finding O32: what a proxy with an https URL requested, received or refused was reported as if the server behind it
// had: a server that never asked was said to have accepted the certificate. With TLS 1.2 the refusal of such a proxy
// had no reason and was not reported at all, and often nor was that of a server behind it that offers HTTP/2.
func TestTransport_AProxyWithTLSIsNotTheServer(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		nothing := func(c *tls.Config) { c.ClientAuth = tls.NoClientCert }
		asks := func(c *tls.Config) { c.MaxVersion = version }
		refuses := func(c *tls.Config) { c.MaxVersion, c.ClientCAs = version, stranger(t) }
		t.Run(tls.VersionName(version), func(t *testing.T) {
			p := behindProxy(t, asks, asks)
			server := p.server.Listener.Addr().String()
			body, err := p.call(t, nil)
			require.NoError(t, err)
			assert.Equal(t, "orders", body)
			assert.Equal(t, []string{p.address, server}, p.hosts(outbound.OutcomePresented), "both ask")
			assert.Equal(t, []string{server}, p.hosts(outbound.OutcomeAccepted))

			p = behindProxy(t, nothing, asks)
			body, err = p.call(t, nil)
			require.NoError(t, err)
			assert.Equal(t, "nobody", body)
			assert.Equal(t, []string{p.address}, p.hosts(outbound.OutcomePresented), "only the proxy asks")
			assert.Empty(t, p.hosts(outbound.OutcomeAccepted))

			p = behindProxy(t, asks, nothing)
			_, err = p.call(t, nil)
			require.NoError(t, err)
			assert.Equal(t, []string{p.server.Listener.Addr().String()}, p.hosts(outbound.OutcomePresented), "only the server asks")

			p = behindProxy(t, nothing, refuses)
			_, err = p.call(t, nil)
			reasonIs(t, err, outbound.ReasonRefusedUnknownCA)
			assert.Equal(t, []string{p.address}, p.hosts(outbound.OutcomeRefused), "the proxy refuses")

			p = behindProxy(t, refuses, asks)
			_, err = p.call(t, nil)
			reasonIs(t, err, outbound.ReasonRefusedUnknownCA)
			assert.Equal(t, []string{p.server.Listener.Addr().String()}, p.hosts(outbound.OutcomeRefused), "the server refuses")
		})
	}
}

// finding O33: the report of a server whose key is not in ServerKeys named the server without its port, or, if it was
// called by an IP address, nobody, although Event.Host is documented to be host and port.
func TestTransport_ReportsTheHostOfAServerThatIsNotPinned(t *testing.T) {
	p := behindProxy(t, func(*tls.Config) {}, func(*tls.Config) {})
	_, err := p.call(t, func(c *outbound.Config) { c.ServerKeys = []string{strings.Repeat("ab", 32)} })
	reasonIs(t, err, outbound.ReasonServerUntrusted)
	assert.Equal(t, []string{p.address}, p.hosts(outbound.OutcomeRefused), "a proxy is verified as a server is")

	config := p.config()
	config.ServerKeys = []string{strings.Repeat("ab", 32)}
	_, port, err := net.SplitHostPort(p.server.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port} {
		p.journal = &journal{}
		config.Observe = p.journal.observe
		_, _, err = get(t, client(t, open(t, config), nil), "https://"+host)
		reasonIs(t, err, outbound.ReasonServerUntrusted)
		assert.Equal(t, []string{host}, p.hosts(outbound.OutcomeRefused))
	}
}
