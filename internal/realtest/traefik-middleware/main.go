// Command traefik-middleware runs the parts of Traefik that process a client certificate, in
// Traefik's order: the entry point's forwarded headers and the middleware passTLSClientCert, both
// taken from Traefik. TLS and the proxy come from the standard library, which Traefik uses too,
// with the client authentication type VerifyClientCertIfGiven.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime/debug"
	"time"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/middlewares/forwardedheaders"
	"github.com/traefik/traefik/v3/pkg/middlewares/passtlsclientcert"
)

// config is the content of a file of testdata/frontends/traefik.
type config struct {
	Listen, App, Certificate, ClientCAs string
	PassTLSClientCert                   dynamic.PassTLSClientCert
	ForwardedHeaders                    struct {
		Insecure   bool
		TrustedIPs []string
	}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments, want a configuration or version", len(args))
	}
	if args[0] == "version" {
		fmt.Println(version())
		return nil
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var c config
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	handler, err := c.handler()
	if err != nil {
		return err
	}
	clients, err := os.ReadFile(c.ClientCAs)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(clients) {
		return fmt.Errorf("%s: no certificate", c.ClientCAs)
	}
	server := &http.Server{
		Addr: c.Listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		TLSConfig: &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool, MinVersion: tls.VersionTLS12},
	}
	return server.ListenAndServeTLS(c.Certificate, c.Certificate)
}

// handler processes a request in the same order as Traefik.
func (c config) handler() (http.Handler, error) {
	app, err := url.Parse(c.App)
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(app) }}
	passing, err := passtlsclientcert.New(context.Background(), proxy, c.PassTLSClientCert, "cert")
	if err != nil {
		return nil, err
	}
	return forwardedheaders.NewXForwarded(c.ForwardedHeaders.Insecure, c.ForwardedHeaders.TrustedIPs, nil, passing)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/traefik/traefik/v3" {
			return "Traefik's middlewares " + module.Version
		}
	}
	return "unknown"
}
