package certauthtest_test

import (
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// runPython sends the table with forged.py, as for a service that is not written in Go.
func runPython(t *testing.T, p partner, frontEnd, url string, more ...string) (code int, output string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	dir := t.TempDir()
	arguments := []string{"forged.py", "--front-end", frontEnd}
	give := func(name string, pem []byte) {
		file := filepath.Join(dir, name+".pem")
		require.NoError(t, os.WriteFile(file, pem, 0o600))
		arguments = append(arguments, "--client", name+"="+file)
	}
	day := 24 * time.Hour
	lookalike := certauthtest.NewCA(t, p.issuing.Certificate.Subject.CommonName)
	give("genuine", append(p.client.PEM(), p.issuing.PEM()...))
	give("issuer", p.issuing.PEM())
	give("selfsigned", certauthtest.SelfSigned(t, p.client.Subject.CommonName).PEM())
	give("lookalike", lookalike.Issue(t, p.client.Subject.CommonName).PEM())
	give("lookalikeca", lookalike.PEM())
	give("samekey", lookalike.IssueFor(t, p.client.Key, p.client.Subject.CommonName).PEM())
	give("expired", p.issuing.Issue(t, "orders", certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day))).PEM())
	give("notyet", p.issuing.Issue(t, "orders", certauthtest.Valid(time.Now().Add(day), time.Now().Add(2*day))).PEM())
	give("serveronly", p.issuing.Issue(t, "orders", certauthtest.Usage(x509.ExtKeyUsageServerAuth)).PEM())
	give("cacertificate", p.issuing.NewIntermediate(t, "orders").PEM())
	command := exec.CommandContext(t.Context(), python, append(append(arguments, more...), url)...)
	text, err := command.CombinedOutput()
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, "%s", text)
	}
	return command.ProcessState.ExitCode(), string(text)
}

// listen serves the handler as TestHandler does, for an external runner.
func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = certauth.ConnContext
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// The table is data: a runner in another language gives the same results as this one.
func TestForgedPython_FindsWhatGetsIn(t *testing.T) {
	here := forwarded.Peers("127.0.0.1")
	refused := regexp.MustCompile(`: (\d+) forged requests refused, (\d+) rows wrong`)
	for _, tc := range []struct {
		frontEnd string
		source   certauth.Source
		more     []string
		least    int
	}{
		{"Nginx", forwarded.Nginx{From: here, FingerprintHeader: "X-Client-Fingerprint"}, []string{"--fingerprint"}, 290},
		{"HAProxy/numbered", forwarded.HAProxy{From: here, ChainHeader: "X-SSL-Chain", ChainNumbered: true}, []string{"--chain"}, 260},
		{"Apache", forwarded.Apache{From: here, ChainHeader: "SSL_CLIENT_CERT_CHAIN_"}, []string{"--chain"}, 260},
		{"Envoy/JSON", forwarded.Envoy{From: here, JSON: true}, nil, 260},
		{"RFC9440/chain", forwarded.RFC9440{From: here, Chain: true}, []string{"--chain"}, 260},
		{"Caddy", forwarded.Caddy{From: forwarded.EveryGate(here, forwarded.SharedSecret("X-Gate", "correct horse battery staple"))}, []string{"--secret", "X-Gate=correct horse battery staple"}, 270},
	} {
		t.Run(tc.frontEnd, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{
				Source: tc.source, Policy: p.policy(),
				Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}},
			})
			require.NoError(t, err)
			code, text := runPython(t, p, tc.frontEnd, listen(t, auth.Handler(orders))+"/orders", append(tc.more, "--exempt", "/health")...)
			found := refused.FindStringSubmatch(text)
			require.NotNil(t, found, text)
			assert.Zero(t, code, text)
			assert.Equal(t, "0", found[2])
			n, err := strconv.Atoi(found[1])
			require.NoError(t, err)
			assert.GreaterOrEqual(t, n, tc.least, text)
		})
	}
}

func TestForgedPython_SaysWhatGotIn(t *testing.T) {
	p := newPartner(t)
	anybody, err := certauth.New(certauth.Config{Source: forwarded.Nginx{From: forwarded.InsecureAnyPeer()}, Policy: p.policy()})
	require.NoError(t, err)
	code, text := runPython(t, p, "Nginx", listen(t, anybody.Handler(orders))+"/orders")
	assert.Equal(t, 1, code)
	assert.Contains(t, text, "GOT IN, answer 200")

	code, text = runPython(t, p, "Nginx", listen(t, http.NotFoundHandler())+"/orders")
	assert.Equal(t, 2, code)
	assert.Contains(t, text, "proves nothing")

	code, text = runPython(t, p, "Nginx", "http://192.0.2.1/orders")
	assert.Equal(t, 1, code)
	assert.Contains(t, text, "on this machine")
}

// finding N158: this runner left connections open among those that it used at the same time, so that a service which
// serves one after another did not answer.
func TestForgedPython_AServiceMayServeOneConnectionAfterAnother(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.Traefik{From: forwarded.Peers("127.0.0.1")}, Policy: p.policy()})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(orders)
	require.NoError(t, auth.ConfigureServer(server.Config))
	server.Listener = &serialListener{Listener: server.Listener}
	server.Start()
	defer server.Close()
	code, text := runPython(t, p, "Traefik", server.URL+"/orders", "--tunnels", "--host", "orders.example:8443")
	assert.Zero(t, code, text)
	assert.Contains(t, text, " 0 rows wrong")
}

// serialListener accepts a connection when the one before it is closed.
type serialListener struct {
	net.Listener

	busy sync.Mutex
}

func (l *serialListener) Accept() (net.Conn, error) {
	l.busy.Lock()
	conn, err := l.Listener.Accept()
	if err != nil {
		l.busy.Unlock()
		return nil, err
	}
	return &serialConn{conn, sync.OnceFunc(l.busy.Unlock)}, nil
}

type serialConn struct {
	net.Conn

	end func()
}

func (c *serialConn) NetConn() net.Conn { return c.Conn }

func (c *serialConn) Close() error {
	defer c.end()
	return c.Conn.Close()
}
