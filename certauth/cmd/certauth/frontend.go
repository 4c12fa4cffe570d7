package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

var frontEndCommand = &command{
	name: "front-end", short: "a local stand-in of a front end before a port, with a test PKI",
	long: `
It ends TLS on loopback, asks for a client certificate without checking it, writes the headers that the
named front end would write, and forwards to the service. It makes a CA and clients in -dir, where it
overwrites no file, and prints curl lines to try. A service behind it is not on App Service: its source needs
insecureOutsideAppService, and other sources a gate that lets 127.0.0.1 in.

Front ends: "certauth front-end -names". It is for development and serves on loopback only.`,
	run: runFrontEnd,
}

func runFrontEnd(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	name := fs.String("name", "AppService", "`NAME` of the front end")
	to := fs.String("to", "http://127.0.0.1:8080", "`URL` of the service, on loopback")
	listen := fs.String("listen", "127.0.0.1:8443", "loopback `ADDRESS` to serve on")
	dir := fs.String("dir", "", "`DIRECTORY` for the test PKI (default: a temporary one, removed at the end)")
	names := fs.Bool("names", false, "print the names of the front ends and stop")
	if _, err := p.parse(c, fs, args, 0, 0); err != nil {
		return 0, err
	}
	if *names {
		fmt.Fprintln(p.out, strings.Join(certauthtest.FrontEnds(), "\n"))
		return exitOK, nil
	}
	if !slices.Contains(certauthtest.FrontEnds(), *name) {
		return 0, usageError{fmt.Sprintf("no front end %q; -names lists them", *name)}
	}
	target, err := url.Parse(*to)
	if err != nil || target.Scheme != "http" || !loopback(target.Host) {
		return 0, usageError{"-to: want http:// and a loopback address with a port"}
	}
	if !loopback(*listen) {
		return 0, usageError{"-listen: want a loopback address with a port"}
	}
	listener, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", *listen) // before anything is written
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "certauth-front-end"); err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(*dir) }()
	} else if err := os.MkdirAll(*dir, 0o700); err != nil {
		return 0, err
	}
	var stand *standIn
	files := &newFiles{dir: *dir}
	err = safely(func(tb certauthtest.TB) { stand = newStandIn(tb, *name, target, files.write) })
	if err := files.done(err); err != nil {
		return 0, err
	}
	base := "https://" + listener.Addr().String()
	ca := filepath.Join(*dir, "server-ca.pem")
	fmt.Fprintf(p.out, "%s before %s at %s; clients trust %s in the policy\n\n", *name, target, base, filepath.Join(*dir, "client-ca.pem"))
	for _, client := range []string{"client-a", "client-b"} {
		fmt.Fprintf(p.out, "curl --cacert %s --cert %s --key %s %s/\n", ca, filepath.Join(*dir, client+".pem"), filepath.Join(*dir, client+".key"), base)
	}
	fmt.Fprintf(p.out, "curl --cacert %s %s/    # no certificate\n", ca, base)
	server := &http.Server{Handler: stand, TLSConfig: stand.tls, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(p.errs, nil), slog.LevelWarn)}
	stop := context.AfterFunc(p.ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return 0, err
	}
	return exitOK, nil
}

func loopback(hostPort string) bool {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || port == "" {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// standIn forwards requests with the headers of a front end.
type standIn struct {
	frontEnd certauthtest.FrontEnd
	proxy    *httputil.ReverseProxy
	tls      *tls.Config
}

func newStandIn(tb certauthtest.TB, name string, target *url.URL, write func(name string, content []byte)) *standIn {
	s := &standIn{frontEnd: certauthtest.FrontEnd{Name: name}}
	serverCA, clientCA := certauthtest.NewCA(tb, "Stand-in server CA"), certauthtest.NewCA(tb, "Stand-in client CA")
	server := serverCA.Issue(tb, "localhost", certauthtest.DNS("localhost"), certauthtest.IP("127.0.0.1", "::1"), certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	write("server-ca.pem", serverCA.PEM())
	write("client-ca.pem", clientCA.PEM())
	for _, client := range []string{"client-a", "client-b"} {
		cert := clientCA.Issue(tb, client, certauthtest.DNS(client+".example"))
		write(client+".pem", cert.PEM())
		write(client+".key", cert.KeyPEM(tb))
	}
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{server.TLS()}, ClientAuth: tls.RequestClientCert}
	s.proxy = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var client *certauthtest.Certificate
	var with []*certauthtest.CA
	for i, cert := range r.TLS.PeerCertificates {
		if i == 0 {
			client = &certauthtest.Certificate{Certificate: cert}
			continue
		}
		with = append(with, &certauthtest.CA{Certificate: cert})
	}
	if err := safely(func(tb certauthtest.TB) { s.frontEnd.Forward(tb, r, client, with...) }); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s.proxy.ServeHTTP(w, r)
}
