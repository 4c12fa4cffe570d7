//go:build unix

package forwarded_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// appTask tells the app how to recognise the front end.
type appTask struct {
	Folder   string // of writePEM
	FrontEnd string // its address
	Secret   string
	Proxy    string // thumbprint of the front end's own certificate
}

// decision is what the app reports about a request.
type decision struct {
	Ready      bool
	Gate       string
	Outcome    certauth.Outcome
	Reason     certauth.Reason
	Thumbprint string // of an accepted caller
}

// clientTask is a request.
type clientTask struct {
	Folder      string // of writePEM
	URL         string
	Lines       []string
	Certificate string // a file in Folder; empty for none
}

type clientAnswer struct{ Status int }

// TestRealFrontEndsHelper is not a test: it is the app or a client of TestRealFrontEnds_ThreeHosts,
// in a process on another host.
func TestRealFrontEndsHelper(t *testing.T) {
	task := []byte(os.Getenv("CERTAUTH_HELPER_TASK"))
	switch os.Getenv("CERTAUTH_HELPER") {
	case "app":
		var a appTask
		require.NoError(t, json.Unmarshal(task, &a))
		a.serve(t)
	case "client":
		var c clientTask
		require.NoError(t, json.Unmarshal(task, &c))
		require.NoError(t, json.NewEncoder(os.Stdout).Encode(c.send(t)))
	}
}

// serve runs the app, with a port for each gate, until standard input ends.
func (a appTask) serve(t *testing.T) {
	var mu sync.Mutex
	say := func(d decision) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(os.Stdout).Encode(d)
	}
	peers, secret := forwarded.Peers(a.FrontEnd), forwarded.SharedSecret("X-Gate", a.Secret)
	certificate := forwarded.ProxyCertificate(certauth.Thumbprints{a.Proxy})
	pair, err := tls.LoadX509KeyPair(filepath.Join(a.Folder, "server.pem"), filepath.Join(a.Folder, "server.pem"))
	require.NoError(t, err)
	encrypted := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	for _, g := range []struct {
		name, port string
		from       forwarded.Gate
		tls        *tls.Config
	}{
		{"peers", ":8001", peers, nil},
		{"secret", ":8002", secret, nil},
		{"certificate", ":8003", certificate, encrypted},
		{"every", ":8004", forwarded.EveryGate(peers, secret, certificate), encrypted},
	} {
		auth, err := certauth.New(certauth.Config{
			Source: forwarded.Nginx{From: g.from},
			Policy: certauth.Chain{Roots: certauth.PEMFile(filepath.Join(a.Folder, "roots.pem")), Intermediates: certauth.PEMFile(filepath.Join(a.Folder, "issuing.pem"))},
			Observe: func(_ context.Context, e certauth.Event) {
				d := decision{Gate: g.name, Outcome: e.Outcome, Reason: e.Reason()}
				if e.Identity != nil {
					d.Thumbprint = e.Identity.Thumbprint()
				}
				say(d)
			},
		})
		require.NoError(t, err)
		listener, err := net.Listen("tcp4", g.port)
		require.NoError(t, err)
		if g.tls != nil {
			listener = tls.NewListener(listener, g.tls)
		}
		server := &http.Server{
			Handler:     auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})),
			ConnContext: certauth.ConnContext, ReadHeaderTimeout: 10 * time.Second,
		}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	say(decision{Ready: true})
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// send waits until the port is open, and sends the request.
func (c clientTask) send(t *testing.T) clientAnswer {
	t.Helper()
	to, err := url.Parse(c.URL)
	require.NoError(t, err)
	require.True(t, eventually(t, nil, func() bool {
		conn, err := net.DialTimeout("tcp", to.Host, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}), "nobody listens on %s", to.Host)

	servers, err := os.ReadFile(filepath.Join(c.Folder, "servers.pem"))
	require.NoError(t, err)
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	require.True(t, config.RootCAs.AppendCertsFromPEM(servers))
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(c.Folder, c.Certificate), filepath.Join(c.Folder, c.Certificate))
		require.NoError(t, err)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL, nil)
	require.NoError(t, err)
	for _, line := range c.Lines {
		name, value := cutHeader(line)
		r.Header.Add(name, value)
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
	require.NoError(t, err)
	_ = response.Body.Close()
	return clientAnswer{response.StatusCode}
}
