package certauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// CVE-2025-68121 Go; caddy #7724/#7727; go-spiffe's VerifyPeerCertificate: resumed sessions skipped
// the check. Here it is made for every request.
func TestChain_ResumedSessionIsJudgedAgain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		version uint16
	}{{"TLS 1.2", tls.VersionTLS12}, {"TLS 1.3", tls.VersionTLS13}} {
		t.Run(tc.name, func(t *testing.T) {
			partner, other := certauthtest.NewCA(t, "Partner CA"), certauthtest.NewCA(t, "Other CA")
			file := filepath.Join(t.TempDir(), "roots.pem")
			require.NoError(t, os.WriteFile(file, partner.PEM(), 0o600))
			auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: certauth.Chain{Roots: certauth.PEMFile(file)}})
			require.NoError(t, err)

			client := resumingClient(t, auth, partner, tc.version)
			status, resumed := client()
			assert.Equal(t, http.StatusOK, status)
			assert.False(t, resumed)
			status, resumed = client()
			assert.Equal(t, http.StatusOK, status)
			assert.True(t, resumed, "the second connection must resume, or this test shows nothing")

			require.NoError(t, os.WriteFile(file, other.PEM(), 0o600))
			require.NoError(t, auth.Reload(t.Context()))
			status, resumed = client()
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.True(t, resumed, "the refused connection must be a resumed one")
		})
	}
}

// resumingClient returns a function that makes one request on a new connection and reports the
// status, and whether the server resumed a session.
func resumingClient(t *testing.T, auth *certauth.Authenticator, ca *certauthtest.CA, version uint16) func() (int, bool) {
	t.Helper()
	didResume := make(chan bool, 1)
	handler := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		didResume <- r.TLS.DidResume
		handler.ServeHTTP(w, r)
	}))
	identity := ca.Issue(t, "server", certauthtest.IP("127.0.0.1"), serverOnly)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{identity.TLS()}, ClientAuth: tls.RequireAnyClientCert, MinVersion: version, MaxVersion: version}
	server.StartTLS()
	t.Cleanup(server.Close)

	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: roots, MinVersion: version, Certificates: []tls.Certificate{ca.Issue(t, "client").TLS()},
		ClientSessionCache: tls.NewLRUClientSessionCache(4),
	}}}
	return func() (int, bool) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode, <-didResume
	}
}

// The system's roots are read once per process, so another process is used.
func TestChain_SystemRootsAreTrustedOnlyByTheirLoudName(t *testing.T) {
	if os.Getenv("CERTAUTH_TEST_SYSTEM_ROOTS") != "" {
		judgeBySystemRoots(t)
		return
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("there the platform verifies, and takes its roots from no file")
	}
	folder := t.TempDir()
	public := certauthtest.NewCA(t, "Public CA")
	issuing := public.NewIntermediate(t, "Public Issuing CA")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "roots.pem"), public.PEM(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "issuing.pem"), issuing.PEM(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "direct.pem"), public.Issue(t, "client").PEM(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "leaf.pem"), issuing.Issue(t, "client").PEM(), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "stranger.pem"), certauthtest.NewCA(t, "Stranger").Issue(t, "client").PEM(), 0o600))
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), "CERTAUTH_TEST_SYSTEM_ROOTS="+folder, "SSL_CERT_FILE="+filepath.Join(folder, "roots.pem"), "SSL_CERT_DIR="+t.TempDir())
	output, err := command.CombinedOutput()
	assert.NoError(t, err, "%s", output)
	assert.Contains(t, string(output), "--- PASS: "+t.Name())
}

func judgeBySystemRoots(t *testing.T) {
	t.Helper()
	folder := os.Getenv("CERTAUTH_TEST_SYSTEM_ROOTS")
	read := func(name string) *x509.Certificate {
		content, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		return decodePEM(t, content)
	}
	named := func(chain certauth.Chain) certauth.Policy {
		return certauth.All{chain, certauth.Organizations{"certauthtest"}}
	}
	public := certauth.Chain{Roots: certauth.InsecureSystemRoots()}
	anyRoot := named(public)
	completed := certauth.Chain{Roots: certauth.InsecureSystemRoots(), Intermediates: certauth.PEMFile(filepath.Join(folder, "issuing.pem"))}
	shallow := completed
	shallow.MaxDepth = 1
	other := chainOf(certauthtest.NewCA(t, "Own CA"))
	runVerdicts(t, []verdict{
		{"a leaf of a public CA", anyRoot, read("direct.pem"), certauth.ReasonNone},
		{"a leaf below an intermediate that is not configured", anyRoot, read("leaf.pem"), certauth.ReasonChainUntrusted},
		{"a leaf below a configured intermediate", named(completed), read("leaf.pem"), certauth.ReasonNone},
		{"two CA certificates where one is allowed", named(shallow), read("leaf.pem"), certauth.ReasonChainUntrusted},
		{"a leaf of a stranger", anyRoot, read("stranger.pem"), certauth.ReasonChainUntrusted},
		{"a public CA itself", anyRoot, read("roots.pem"), certauth.ReasonCertificateIsCA},
		{"configured roots never mean the system's too", other, read("direct.pem"), certauth.ReasonChainUntrusted},
	})
	const path = ": accepts a certificate of every public CA; add a rule on names or IssuedBy"
	runMisconfigured(t, []misconfigured{
		{"every public CA's certificates", public, []string{"Policy" + path}},
		{"in one branch", certauth.Any{anyRoot, certauth.All{public, certauth.Validity{MaxLifetime: time.Hour}}}, []string{"Policy" + path}},
	})
	assert.Contains(t, authOf(t, anyRoot, noon).String(), "roots: every CA of the operating system (insecure)")
}
