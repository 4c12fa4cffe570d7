package certauthtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// openssl runs the program on files of a folder. If CERTAUTH_REQUIRE_REAL is 1, it must be
// installed.
func openssl(t *testing.T) func(arguments ...string) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatal("CERTAUTH_REQUIRE_REAL=1: openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	return func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), path, arguments...)
		command.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
		output, _ := command.CombinedOutput() // it also fails for revoked certificates
		return string(output)
	}
}

func saved(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// openssl asks the responder over HTTP, with its nonce, and verifies the answers.
func TestResponder_OpenSSLAsClient(t *testing.T) {
	run := openssl(t)
	ca := certauthtest.NewCA(t, "root")
	responder := certauthtest.NewResponder(t, ca)
	url := served(t, responder)
	good, gone := ca.Issue(t, "good"), ca.Issue(t, "gone")
	responder.Revoke(gone.SerialNumber, 1)
	issuer, goodFile, goneFile := saved(t, "ca.pem", ca.PEM()), saved(t, "good.pem", good.PEM()), saved(t, "gone.pem", gone.PEM())
	ask := []string{"ocsp", "-issuer", issuer, "-CAfile", issuer, "-url", url, "-cert", goodFile, "-cert", goneFile}
	for _, signer := range []string{"the CA", "a delegate"} {
		if signer == "a delegate" {
			responder.Delegate(t)
		}
		for _, hash := range []string{"-sha1", "-sha256"} {
			output := run(append([]string{ask[0], hash}, ask[1:]...)...)
			assert.Contains(t, output, "Response verify OK", signer)
			assert.Contains(t, output, goodFile+": good", signer)
			assert.Contains(t, output, goneFile+": revoked", signer)
			assert.Contains(t, output, "Reason: keyCompromise", signer)
			assert.NotContains(t, output, "WARNING: no nonce in response", signer)
		}
	}
	responder.SetFault(certauthtest.Forged)
	assert.Contains(t, run(ask...), "Response Verify Failure")
}

// openssl finds the distribution point in the certificate and fetches the list itself.
func TestCRLServer_OpenSSLAsClient(t *testing.T) {
	run := openssl(t)
	ca := certauthtest.NewCA(t, "root")
	server := certauthtest.NewCRLServer(t, ca)
	url := served(t, server)
	issuer := saved(t, "ca.pem", ca.PEM())
	leaf := ca.Issue(t, "client", certauthtest.CRLAt(url))
	file := saved(t, "client.pem", leaf.PEM())
	verify := []string{"verify", "-x509_strict", "-CAfile", issuer, "-crl_check", "-crl_download", file}
	assert.Contains(t, run(verify...), file+": OK")
	server.Revoke(leaf.SerialNumber, 1)
	assert.Contains(t, run(verify...), "certificate revoked")
	server.Restore(leaf.SerialNumber)
	assert.Contains(t, run(verify...), file+": OK")
	der, err := server.CRL()
	require.NoError(t, err)
	text := run("crl", "-inform", "DER", "-in", saved(t, "list.crl", der), "-CAfile", issuer, "-noout", "-crlnumber")
	assert.Contains(t, text, "verify OK")
	assert.Contains(t, text, "crlNumber=0x03")
	server.SetFault(certauthtest.Forged)
	assert.Contains(t, run(verify...), "CRL signature failure")
}
