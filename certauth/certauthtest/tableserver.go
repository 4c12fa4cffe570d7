package certauthtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// endpoint is an address at which the service listens.
type endpoint struct {
	network, address string
	tls              bool
	roots            *x509.CertPool // nil: the server's certificate is not checked
	other            *endpoint      // where other senders connect, if not here
}

// serve starts one server for HTTP/1 and one for HTTP/2. If one server spoke both, its HTTP/2
// without TLS could not be distinguished from a handler that takes connections over.
func (run *tableRun) serve(handler http.Handler) error {
	run.tb.Helper()
	ca := NewCA(run.tb, "Service CA")
	certificate := ca.Issue(run.tb, "service", IP("127.0.0.1"), DNS("app.example"), Usage(x509.ExtKeyUsageServerAuth))
	config := &tls.Config{Certificates: []tls.Certificate{certificate.TLS()}, MinVersion: tls.VersionTLS12}
	if run.test.FrontEndCertificate != nil {
		config.ClientAuth = tls.RequestClientCert
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)

	var err error
	if run.plain, err = run.listen(handler, config, roots, run.test.FrontEndCertificate != nil); err != nil {
		return err
	}
	if run.secure, err = run.listen(handler, config, roots, true); err != nil {
		return err
	}
	return nil
}

// listen starts one server.
func (run *tableRun) listen(handler http.Handler, config *tls.Config, roots *x509.CertPool, secure bool) (endpoint, error) {
	run.tb.Helper()
	server := &http.Server{
		Handler: handler, ConnContext: socket.Keep, ReadHeaderTimeout: run.limit,
		// Otherwise net/http itself would answer "OPTIONS *" with 200.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // forged requests cause many errors
	}
	if secure {
		server.TLSConfig = config.Clone()
	}
	if run.test.Configure != nil {
		server.ConnContext = nil
		if err := run.test.Configure(server); err != nil {
			return endpoint{}, fmt.Errorf("HandlerTest.Configure: %w", err)
		}
	}
	run.direct = server.Protocols != nil && server.Protocols.UnencryptedHTTP2()
	run.tb.Cleanup(func() { _ = server.Close() })
	networks := []string{"tcp"}
	if run.test.UnixSocket {
		networks = []string{"unix", "tcp"} // the front end's network first
	}
	var endpoints []endpoint
	for _, network := range networks {
		address := "127.0.0.1:0"
		if network == "unix" {
			folder, err := os.MkdirTemp("", "certauthtest")
			if err != nil {
				return endpoint{}, err
			}
			run.tb.Cleanup(func() { _ = os.RemoveAll(folder) })
			address = filepath.Join(folder, "s")
		}
		listener, err := new(net.ListenConfig).Listen(context.Background(), network, address)
		if err != nil {
			return endpoint{}, err
		}
		serve := server.Serve
		if secure {
			serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
		}
		go func() { _ = serve(listener) }()
		endpoints = append(endpoints, endpoint{network: network, address: listener.Addr().String(), tls: secure, roots: roots})
	}
	if len(endpoints) > 1 {
		endpoints[0].other = &endpoints[1]
	}
	return endpoints[0], nil
}

// connectTo parses the address of a running service.
func (run *tableRun) connectTo(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	address, err := netip.ParseAddr(host)
	port := otherwise(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	if err != nil || !address.IsLoopback() || port == "" {
		return errors.New("HandlerTest.URL is not http:// or https:// with a loopback address: forged requests are for your own service on this machine")
	}
	run.direct = true
	run.plain = endpoint{network: "tcp", address: net.JoinHostPort(host, port), tls: u.Scheme == "https"}
	if run.plain.tls {
		run.secure = run.plain
	}
	if path := strings.TrimSuffix(u.Path, "/"); path != "" {
		run.test.Path = path + run.test.Path
	}
	return nil
}
