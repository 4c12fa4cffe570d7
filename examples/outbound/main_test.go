package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func TestHandler_CallsThePartnerWithTheCertificate(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner Root")
	leaf := ca.Issue(t, "orders", certauthtest.Usage(x509.ExtKeyUsageClientAuth))
	key, err := x509.MarshalPKCS8PrivateKey(leaf.Key)
	require.NoError(t, err)
	var bundle bytes.Buffer
	require.NoError(t, pem.Encode(&bundle, &pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	require.NoError(t, pem.Encode(&bundle, &pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	folder := t.TempDir()
	t.Setenv("WEBSITE_PRIVATE_CERTS_PATH", folder)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "orders.pem"), bundle.Bytes(), 0o600))
	t.Setenv("PARTNER_ROOTS", string(ca.PEM()))

	var callers []string
	partner := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		callers = append(callers, r.TLS.PeerCertificates[0].Subject.CommonName)
		fmt.Fprint(w, "for the holder of the certificate only")
	}))
	server := ca.Issue(t, "partner", certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.IP("127.0.0.1"))
	clients := x509.NewCertPool()
	clients.AddCert(ca.Certificate)
	partner.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{server.Raw}, PrivateKey: server.Key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS12,
	}
	partner.StartTLS()
	t.Cleanup(partner.Close)

	own, err := outbound.Open(t.Context(), outbound.Config{Source: outbound.AppService{}, ServerRoots: outbound.Env{Name: "PARTNER_ROOTS"}})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, own.Close()) })
	handler, err := newHandler(own, partner.URL, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ask := func(path string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		return answer
	}
	answer := ask("/status")
	assert.Equal(t, http.StatusOK, answer.Code)
	assert.Equal(t, []string{"orders"}, callers)
	assert.Empty(t, answer.Body.String(), "finding N37: anybody could read the partner's answers to the application's certificate")
	answer = ask("/certificate")
	assert.Equal(t, http.StatusOK, answer.Code)
	var status outbound.Status
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &status))
	assert.Equal(t, leaf.NotAfter.UTC(), status.NotAfter.UTC())

	require.NoError(t, os.WriteFile(filepath.Join(folder, "orders.pem"), []byte("damaged"), 0o600))
	require.Error(t, own.Reload(t.Context()))
	answer = ask("/certificate")
	assert.Contains(t, answer.Body.String(), `"Reason":"malformed"`)
	assert.NotContains(t, answer.Body.String(), folder, "finding N37: anybody could read what an error says about this machine")
	require.NoError(t, own.Close())
	assert.Equal(t, http.StatusServiceUnavailable, ask("/certificate").Code)
	assert.Equal(t, http.StatusBadGateway, ask("/status").Code)
}

// finding N27: the instructions named neither the URL that the program calls nor the subject that it selects, and
// their command lacked arguments that it requires.
func TestReadme_NamesWhatTheProgramNeeds(t *testing.T) {
	program, err := os.ReadFile("main.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	read := regexp.MustCompile(`os\.Getenv\("(\w+)"\)`).FindAllStringSubmatch(string(program), -1)
	require.NotEmpty(t, read)
	for _, name := range read {
		if name[1] != "PORT" { // the platform sets it
			assert.Contains(t, string(readme), name[1]+"=")
		}
	}
	assert.Contains(t, string(readme), "`Select` in `main.go`")
	for _, command := range regexp.MustCompile("az webapp [^\n`]*").FindAllString(string(readme), -1) {
		assert.Contains(t, command, "--resource-group <group> --name <app>")
	}
}
