package forwarded_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// listen serves handler with or without ConnContext and returns a client for it.
func listen(t *testing.T, network string, connContext bool, handler http.Handler) (*http.Client, string) {
	t.Helper()
	listener, err := net.Listen(network, listenAddress(t, network))
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	if connContext {
		server.Config.ConnContext = certauth.ConnContext
	}
	server.Start()
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}, "http://app.example/"
}

// listenAddress returns a free address on the network.
func listenAddress(t *testing.T, network string) string {
	t.Helper()
	if network != "unix" {
		return "127.0.0.1:0"
	}
	folder, err := os.MkdirTemp("", "gate") //nolint:usetesting // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return filepath.Join(folder, "s")
}

// newHTTP2Server serves HTTP/2 over TLS with ConnContext.
func newHTTP2Server(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = certauth.ConnContext
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// newServer is httptest.NewServer with ConnContext.
func newServer(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = certauth.ConnContext
	server.Start()
	return server
}

// send sends the genuine request and returns its status.
func send(t *testing.T, client *http.Client, url string, lines ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header = arriving(lines...).Header
	response, err := client.Do(r)
	require.NoError(t, err)
	_ = response.Body.Close()
	return response.StatusCode
}

// watched returns the middleware of a gate, and a function that returns the reason of its last
// decision.
func watched(t *testing.T, p partner, from forwarded.Gate) (http.Handler, *certauth.Reason) {
	t.Helper()
	reason := new(certauth.Reason)
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{From: from}, Policy: p.chain(), Observe: func(_ context.Context, e certauth.Event) { *reason = e.Reason() },
	})
	require.NoError(t, err)
	return auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), reason
}

// chi GO-2026-5774, -5775, -5777; CVE-2026-46415 caddy-defender; CVE-2023-41338 fiber;
// CVE-2020-28483 gin; OpenBao: RemoteAddr is what earlier middleware wrote.
func TestTrust_RewrittenRemoteAddrDoesNotOpenTheGate(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	rewriting := func(address string, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RemoteAddr = address
			next.ServeHTTP(w, r)
		})
	}
	for _, tc := range []struct {
		name, network, peers, rewritten string
		want                            certauth.Reason
	}{
		{"row 10 rewritten to a trusted address", "tcp", "10.0.0.0/8", "10.1.2.3:40000", certauth.ReasonSourceUntrusted},
		{"row 10 rewritten to nothing", "tcp", "10.0.0.0/8", "", certauth.ReasonSourceUntrusted},
		{"row 10 rewritten from a trusted address", "tcp", "127.0.0.1", "203.0.113.9:40000", certauth.ReasonNone},
		{"row 10 a unix socket has no address", "unix", "127.0.0.0/8", "127.0.0.1:40000", certauth.ReasonSourceUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			handler, reason := watched(t, p, forwarded.Peers(tc.peers))
			client, url := listen(t, tc.network, true, rewriting(tc.rewritten, handler))
			assert.Equal(t, tc.want == certauth.ReasonNone, send(t, client, url, p.good) == http.StatusOK)
			assert.Equal(t, tc.want, *reason)
		})
	}
}

func TestUnixSocket_IsBelievedFromTheSocketAlone(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for _, tc := range []struct {
		name, network string
		connContext   bool
		want          certauth.Reason
	}{
		{"a unix socket", "unix", true, certauth.ReasonNone},
		{"a unix socket without ConnContext", "unix", false, certauth.ReasonSourceUntrusted},
		{"TCP", "tcp", true, certauth.ReasonSourceUntrusted},
		{"TCP without ConnContext", "tcp", false, certauth.ReasonSourceUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			handler, reason := watched(t, p, forwarded.UnixSocket())
			client, url := listen(t, tc.network, tc.connContext, handler)
			assert.Equal(t, tc.want == certauth.ReasonNone, send(t, client, url, p.good) == http.StatusOK)
			assert.Equal(t, tc.want, *reason)
		})
	}
	for _, address := range []string{"@", "", "/run/app.sock", "unix"} {
		attempt{source: forwarded.AppService{From: forwarded.UnixSocket()}, values: values(p.good), change: func(r *http.Request) { r.RemoteAddr = address }, want: certauth.ReasonSourceUntrusted}.run(t, p)
	}
}

// CVE-2024-24790 netip (Traefik GO-2024-2917): the same address in other notations.
func TestTrust_MappedAndZonedAddressesCompareRight(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for _, tc := range []struct {
		peers, remote string
		want          certauth.Reason
	}{
		{"10.1.2.0/24", "10.1.2.0:1", certauth.ReasonNone},
		{"10.1.2.0/24", "10.1.2.255:65535", certauth.ReasonNone},
		{"10.1.2.0/24", "10.1.1.255:1", certauth.ReasonSourceUntrusted},
		{"10.1.2.0/24", "10.1.3.0:1", certauth.ReasonSourceUntrusted},
		{"10.1.2.3", "10.1.2.3:1", certauth.ReasonNone},
		{"10.1.2.3", "10.1.2.2:1", certauth.ReasonSourceUntrusted},
		{"10.1.2.3", "10.1.2.4:1", certauth.ReasonSourceUntrusted},
		{"10.1.2.0/24", "[::ffff:10.1.2.3]:1", certauth.ReasonNone},
		{"10.1.2.0/24", "[::ffff:a01:203]:1", certauth.ReasonNone},
		{"10.1.2.0/24", "[::ffff:10.1.3.3]:1", certauth.ReasonSourceUntrusted},
		{"10.1.2.0/24", "[::10.1.2.3]:1", certauth.ReasonSourceUntrusted},
		{"10.1.2.0/24", "[64:ff9b::10.1.2.3]:1", certauth.ReasonSourceUntrusted},
		{"::ffff:10.1.2.3", "10.1.2.3:1", certauth.ReasonNone},
		{"fe80::/64", "[fe80::1%eth0]:1", certauth.ReasonNone},
		{"fe80::/64", "[fe80::1%25]:1", certauth.ReasonNone},
		{"fe80::/64", "[fe80:0:0:1::%eth0]:1", certauth.ReasonSourceUntrusted},
		{"127.0.0.0/8", "[::1]:1", certauth.ReasonSourceUntrusted},
		{"::1", "[::ffff:127.0.0.1]:1", certauth.ReasonSourceUntrusted},
	} {
		t.Run(tc.remote+" in "+tc.peers, func(t *testing.T) {
			attempt{source: forwarded.AppService{From: forwarded.Peers(tc.peers)}, values: values(p.good), change: func(r *http.Request) { r.RemoteAddr = tc.remote }, want: tc.want}.run(t, p)
		})
	}
}

// CVE-2026-40575 oauth2-proxy, incomplete fix #3506: the default trusted 0.0.0.0/0.
//
// finding R4: New accepted addresses that no peer has, such as those that a listener binds to.
func TestTrust_AllAddressPrefixIsRefused(t *testing.T) {
	p := newPartner(t)
	for _, tc := range []struct {
		prefix string
		fine   bool
	}{
		{"0.0.0.0/0", false},
		{"::/0", false},
		{"::ffff:0:0/96", false},
		{"0.0.0.0/1", false},
		{"10.0.0.0/7", false},
		{"8000::/1", false},
		{"fc00::/6", false},
		{"10.0.0.0/8", true},
		{"fc00::/7", true},
		{"10.0.0.4", true},
		{"fd00::1", true},
		{"10.0.0.4/32", true},
		{"0.0.0.0", false},
		{"0.0.0.0/8", false},
		{"0.0.0.0/32", false},
		{"::", false},
		{"::/8", false},
		{"::ffff:0.0.0.0", false},
		{"255.255.255.255", false},
		{"224.0.0.1", false},
		{"ff02::1", false},
		{"ff00::/8", false},
		{"0.0.0.1", true},
		{"::1", true},
		{"127.0.0.0/8", true},
		{"", false},
		{"*", false},
		{"any", false},
		{"10.0.0.0/33", false},
		{"10.0.0.1/8", false},
		{"10.0.0.4:80", false},
		{"fe80::1%eth0", false},
		{"fe80::%eth0/64", false},
		{"010.0.0.4", false},
		{"10.0.0.4 ", false},
		{"10.0.0.0/08", false},
		{"10.0.0.0/255.0.0.0", false},
		{"localhost", false},
	} {
		t.Run(tc.prefix, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.Peers("10.0.0.9", tc.prefix)}, Policy: p.chain()})
			if tc.fine {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "Source: AppService.From: Peers[1]: ")
		})
	}
}
