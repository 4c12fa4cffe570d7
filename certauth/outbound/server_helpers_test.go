package outbound_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// world holds a CA for servers, one for clients, and a folder.
type world struct {
	servers, clients *certauthtest.CA
	folder           string
	journal          *journal
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		servers: certauthtest.NewCA(t, "Server Root"), clients: certauthtest.NewCA(t, "Client Root"),
		folder: t.TempDir(), journal: &journal{},
	}
	write(t, w.path("roots.pem"), w.servers.PEM())
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }

// put issues a client certificate and writes it to the file.
func (w *world) put(t testing.TB, name string, change ...certauthtest.Template) *certauthtest.Certificate {
	t.Helper()
	leaf := issue(t, w.clients, name, change...)
	replace(t, w.path("tls.pem"), bundle(t, leaf))
	return leaf
}

func (w *world) config() outbound.Config {
	return outbound.Config{
		Source: outbound.File{Path: w.path("tls.pem")}, ServerRoots: outbound.File{Path: w.path("roots.pem")},
		Observe: w.journal.observe, Interval: time.Hour,
	}
}

// serverCertificate is for 127.0.0.1 and localhost.
func (w *world) serverCertificate(t testing.TB) *certauthtest.Certificate {
	t.Helper()
	return w.servers.Issue(t, "server", certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.IP("127.0.0.1"), certauthtest.DNS("localhost"))
}

// pool returns the pool of the client CA.
func (w *world) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(w.clients.Certificate)
	return pool
}

func (w *world) serverConfig(t testing.TB) *tls.Config {
	t.Helper()
	leaf := w.serverCertificate(t)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leaf.Key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: w.pool(), MinVersion: tls.VersionTLS12,
	}
}

// downstream is a server that records its callers. It answers with the caller's common name.
type downstream struct {
	*httptest.Server
	mutex   sync.Mutex
	callers []string // fingerprints, one per request; empty without a certificate
	conns   map[net.Conn]bool
}

func (w *world) serve(t testing.TB, change func(*tls.Config), handler http.HandlerFunc) *downstream {
	t.Helper()
	d := &downstream{conns: map[net.Conn]bool{}}
	d.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		caller, name := "", "nobody"
		if certs := r.TLS.PeerCertificates; len(certs) > 0 {
			caller, name = fingerprint(certs[0]), certs[0].Subject.CommonName
		}
		d.mutex.Lock()
		d.callers = append(d.callers, caller)
		d.mutex.Unlock()
		if handler != nil {
			handler(rw, r)
			return
		}
		fmt.Fprint(rw, name)
	}))
	d.TLS = w.serverConfig(t)
	if change != nil {
		change(d.TLS)
	}
	d.EnableHTTP2 = true
	d.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	d.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.conns[conn] = true
		if state == http.StateClosed {
			delete(d.conns, conn)
		}
	}
	d.StartTLS()
	t.Cleanup(d.Close)
	return d
}

// open returns the number of open connections.
func (d *downstream) open() int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return len(d.conns)
}

// seen returns the callers in order.
func (d *downstream) seen() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return append([]string(nil), d.callers...)
}

func fingerprint(cert *x509.Certificate) string {
	digest := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(digest[:])
}

// client returns an http.Client with the certificate.
func client(t testing.TB, own *outbound.Certificate, base *http.Transport) *http.Client {
	t.Helper()
	transport, err := own.Transport(base)
	require.NoError(t, err)
	c := &http.Client{Transport: transport, Timeout: unhurried}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// get reads the whole answer.
func get(t testing.TB, c *http.Client, url string) (string, *http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	response, err := c.Do(request)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), response, err
}

func http1() *http.Transport {
	return &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
}

// newTunnel starts a proxy that supports only CONNECT.
func newTunnel(t testing.TB, tunnels *atomic.Int32) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			rw.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		server, err := net.Dial("tcp", r.Host)
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnels.Add(1)
		tunnel(rw, server)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// tunnel answers CONNECT and copies between the client and the server until one of them closes.
func tunnel(rw http.ResponseWriter, server net.Conn) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err == nil {
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	}
	if err != nil {
		_ = server.Close()
		return
	}
	go func() {
		_, _ = io.Copy(server, conn)
		_ = server.Close()
	}()
	_, _ = io.Copy(conn, server)
	_ = conn.Close()
}
