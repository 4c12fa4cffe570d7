package certauthtest

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"time"
)

// AppService simulates the front end of Azure App Service on a loopback port. It terminates TLS,
// requests a client certificate without checking it, deletes what the client sent under the
// platform's header names, writes X-ARR-ClientCert and the evidence headers, and forwards over
// plain HTTP. It follows Microsoft's documentation; where that is silent, the real front end may
// differ. The service behind it does not run on App Service, so it needs
// forwarded.AppService{InsecureOutsideAppService: true}.
type AppService struct {
	// URL is the front end's address, https://127.0.0.1:port.
	URL string
	// Roots verifies the front end's own server certificate.
	Roots *x509.CertPool
	// ServerCA is the CA that issued that certificate.
	ServerCA *CA
}

// NewAppService starts the front end for the backend, an http:// address. It stops at the end of
// the test.
func NewAppService(tb TB, backend string) *AppService {
	tb.Helper()
	target, err := url.Parse(backend)
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	ca := NewCA(tb, "Front End CA")
	certificate := ca.Issue(tb, "front-end", IP("127.0.0.1"), Usage(x509.ExtKeyUsageServerAuth))
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		SetAppServiceHeaders(r.Out.Header, r.In)
	}}
	server := httptest.NewUnstartedServer(proxy)
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificate.TLS()},
		ClientAuth:   tls.RequestClientCert,
		MinVersion:   tls.VersionTLS12,
	}
	server.StartTLS()
	tb.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Certificate)
	return &AppService{URL: server.URL, Roots: roots, ServerCA: ca}
}

// Client returns an HTTP client that presents the certificate to the front end; with a nil
// certificate it presents none. The client sends the certificates of the CAs along. It keeps no
// connection, so that each request makes a new handshake, and gives up after ten seconds.
func (f *AppService) Client(certificate *Certificate, with ...*CA) *http.Client {
	config := &tls.Config{RootCAs: f.Roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		pair := certificate.TLS(with...)
		// With Certificates, crypto/tls sends nothing if the server names other CAs.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// SetAppServiceHeaders writes the headers that the platform writes for the request that arrived,
// and removes those that only the platform may write.
//
// The certificate, and the evidence that the request arrived over TLS, come from arrived.TLS. If
// it is nil, the headers are those of a request over plain HTTP: forwarded.AppService finds no
// certificate in it, and refuses it if another writer adds one. httptest.NewRequest sets TLS for
// an https URL, but without a certificate. To add a certificate to a request without TLS, use
// [FrontEnd.Forward] with the name AppService.
func SetAppServiceHeaders(header http.Header, arrived *http.Request) {
	for _, name := range []string{"X-ARR-ClientCert", "X-ARR-SSL", "X-ARR-LOG-ID", "X-AppService-Proto", "X-Forwarded-For", "X-Forwarded-Proto", "Client-IP", "DISGUISED-HOST"} {
		header.Del(name)
	}
	header.Set("X-ARR-LOG-ID", newGUID())
	header.Set("DISGUISED-HOST", arrived.Host)
	if host, _, err := net.SplitHostPort(arrived.RemoteAddr); err == nil {
		header.Set("X-Forwarded-For", host)
		header.Set("Client-IP", arrived.RemoteAddr)
	}
	if arrived.TLS == nil {
		return
	}
	header.Set("X-ARR-SSL", "2048|256|CN=Front End CA, O=certauthtest|CN=front-end, O=certauthtest")
	header.Set("X-AppService-Proto", "https")
	header.Set("X-Forwarded-Proto", "https")
	if certs := arrived.TLS.PeerCertificates; len(certs) > 0 {
		header.Set("X-ARR-ClientCert", base64.StdEncoding.EncodeToString(certs[0].Raw))
	}
}

func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // rand.Read never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
