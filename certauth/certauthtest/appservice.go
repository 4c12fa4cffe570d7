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

// AppService simulates the front end of Azure App Service on a loopback port: it
// ends TLS, asks for a client certificate without checking it, deletes what the client
// sent under the platform's header names, writes X-ARR-ClientCert and the evidence
// headers, and forwards over plain HTTP. It is written from Microsoft's documentation;
// what the real front end does where that is silent, it does not show. The service behind it
// is not on App Service: it needs forwarded.AppService{InsecureOutsideAppService: true}.
type AppService struct {
	// URL is the front end's address, https://127.0.0.1:port.
	URL string
	// Roots verifies the front end's own server certificate.
	Roots *x509.CertPool
	// ServerCA is the CA of that certificate.
	ServerCA *CA
}

// NewAppService starts the front end before the backend, an http:// address. It stops
// at the end of the test.
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

// Client returns a client that presents the certificate to the front end, or none if
// it is nil. It keeps no connection, so that each request is a handshake of its own, and
// gives up after ten seconds.
func (f *AppService) Client(certificate *Certificate, with ...*CA) *http.Client {
	config := &tls.Config{RootCAs: f.Roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		pair := certificate.TLS(with...)
		// Certificates would be held back if the server names CAs; a fixed answer is not.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// SetAppServiceHeaders writes the headers that the platform writes for the request that
// arrived, and removes those that only it may write.
//
// The certificate, and the evidence that the front end was asked by TLS, come from
// arrived.TLS. Without it they are the headers of a request over plain HTTP, which
// forwarded.AppService refuses if a certificate comes with it, and which offers none
// otherwise: httptest.NewRequest sets TLS for an https URL, without a certificate. To give a
// request a certificate, whatever its TLS, use [FrontEnd.Forward] with the name AppService.
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
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
