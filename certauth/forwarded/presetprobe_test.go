package forwarded_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// standIn is a front end that follows the preset's documentation: it terminates TLS, requests a
// certificate without checking it, and overwrites exactly the headers of the preset and the shared
// secret.
type standIn struct {
	url     string
	backend string
	roots   *x509.CertPool
	last    certauth.Event
}

func newStandIn(t *testing.T, d preset, policy certauth.Policy) *standIn {
	t.Helper()
	s := &standIn{roots: x509.NewCertPool()}
	auth, err := certauth.New(certauth.Config{
		Source: d.source(forwarded.SharedSecret("X-Gate", secret)), Policy: policy, Observe: func(_ context.Context, e certauth.Event) { s.last = e },
	})
	require.NoError(t, err)
	backend := newServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		w.Header().Set("Caller", id.Leaf.Subject.CommonName)
		for name := range r.Header {
			if strings.Contains(fold(name), fold(d.header)) {
				w.Header().Set("Leaked", name)
			}
		}
	})))
	t.Cleanup(backend.Close)
	s.backend = backend.URL
	target, err := url.Parse(backend.URL)
	require.NoError(t, err)
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		d.overwrite(r.Out.Header, r.In.TLS.PeerCertificates)
		r.Out.Header.Set("X-Gate", secret)
	}})
	ca := certauthtest.NewCA(t, "Front End CA")
	s.roots.AddCert(ca.Certificate)
	server := ca.Issue(t, "front-end", certauthtest.IP("127.0.0.1"), certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	front.TLS = &tls.Config{Certificates: []tls.Certificate{server.TLS()}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	front.StartTLS()
	t.Cleanup(front.Close)
	s.url = front.URL
	return s
}

// overwrite writes the preset's headers, replacing those of the client.
func (d preset) overwrite(header http.Header, certs []*x509.Certificate) {
	header.Del(d.header)
	for _, pair := range d.beside {
		header.Set(pair[0], "NONE")
		if len(certs) > 0 || pair[0] == "X-Azure-FDID" {
			header.Set(pair[0], pair[1])
		}
	}
	if d.fingerprint != "" {
		header.Del(d.fingerprint)
	}
	if len(certs) == 0 {
		return
	}
	header.Set(d.header, d.form.value(certs[0]))
	if d.fingerprint != "" {
		header.Set(d.fingerprint, d.digest(certs[0]))
	}
}

func (s *standIn) client(certificate *certauthtest.Certificate) *http.Client {
	config := &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.TLS()}
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

// CVE-2026-46579 OpenShift router. The probes of the package documentation against a stand-in of
// each preset, and directly against the service.
func TestTrust_ForgedRequestTableForEveryOtherPreset(t *testing.T) {
	p := newPartner(t)
	caller, impostor := p.ca.Issue(t, "billing"), certauthtest.SelfSigned(t, "orders")
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			s := newStandIn(t, d, p.chain())
			genuine := d.request(p.client.Certificate).Header // a public certificate, with all flags
			forge := func(names ...string) http.Header {
				h := genuine.Clone()
				h.Del(d.header)
				for _, name := range names {
					h[name] = values(d.form.value(p.client.Certificate))
				}
				h.Set("X-Forwarded-For", "10.1.2.3")
				return h
			}
			closing := forge(d.header)
			closing.Set("Connection", "close, "+d.header)
			var spelled []string // a different case is the same name over a connection
			for _, name := range aliases(d.header) {
				if !strings.EqualFold(name, d.header) {
					spelled = append(spelled, name)
				}
			}
			for _, tc := range []struct {
				name      string
				presented *certauthtest.Certificate
				past      bool
				header    http.Header
				want      certauth.Reason
			}{
				{"probe 1 the exact name, no certificate", nil, false, forge(d.header), certauth.ReasonCertificateMissing},
				{"probe 1 other spellings, no certificate", nil, false, forge(spelled...), certauth.ReasonCertificateMissing},
				{"probe 2 the exact name, with a certificate", caller, false, forge(d.header), certauth.ReasonNone},
				{"probe 2 all spellings, with a certificate", caller, false, forge(append(spelled, d.header)...), certauth.ReasonNone},
				{"probe 3 past the front end", nil, true, forge(d.header), certauth.ReasonSourceUntrusted},
				{"probe 3 past the front end, other spellings", nil, true, forge(spelled...), certauth.ReasonCertificateMissing},
				{"probe 4 a self-signed certificate of that name", impostor, false, forge(), certauth.ReasonChainUntrusted},
				{"probe 5 Connection names the header", caller, false, closing, certauth.ReasonNone},
				{"probe 5 Connection names it, no certificate", nil, false, closing, certauth.ReasonCertificateMissing},
			} {
				t.Run(tc.name, func(t *testing.T) {
					address := s.url
					if tc.past {
						address = s.backend
					}
					r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
					require.NoError(t, err)
					r.Header = tc.header.Clone()
					response, err := s.client(tc.presented).Do(r)
					require.NoError(t, err)
					defer func() { _ = response.Body.Close() }()
					assert.Equal(t, tc.want, s.last.Reason())
					assert.Empty(t, response.Header.Get("Leaked"))
					if tc.want == certauth.ReasonNone {
						assert.Equal(t, http.StatusOK, response.StatusCode)
						assert.Equal(t, "billing", response.Header.Get("Caller"), "the identity is that of the handshake")
						return
					}
					assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
				})
			}
		})
	}
}

// Row 15 over a connection: the server trims values, so spaces alone are an empty value, and a
// space after a genuine value does no harm. Row 21: values that the server joins with a space are
// malformed.
func TestPresets_OnTheWire(t *testing.T) {
	p := newPartner(t)
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			var reason certauth.Reason
			auth, err := certauth.New(certauth.Config{
				Source: d.source(forwarded.Peers("127.0.0.1")), Policy: p.chain(), Observe: func(_ context.Context, e certauth.Event) { reason = e.Reason() },
			})
			require.NoError(t, err)
			server := newServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			t.Cleanup(server.Close)
			good := d.form.value(p.client.Certificate)
			for _, tc := range []struct {
				name, line string
				want       certauth.Reason
			}{
				{"the good request", d.header + ": " + good, certauth.ReasonNone},
				{"the name in lower case", strings.ToLower(d.header) + ":" + good, certauth.ReasonNone},
				{"spaces around it", d.header + ":  \t" + good + " \t ", certauth.ReasonNone},
				{"row 15 an empty value", d.header + ":", certauth.ReasonCertificateMissing},
				{"row 15 spaces alone", d.header + ":   \t ", certauth.ReasonCertificateMissing},
				{"row 01 two lines", d.header + ": " + good + "\r\n" + d.header + ": " + good, certauth.ReasonCertificateMalformed},
				{"row 21 a folded line", d.header + ": " + good[:len(good)*2/3] + "\r\n  " + good[len(good)*2/3:], certauth.ReasonCertificateMalformed},
				{"row 05 a trailer", "Transfer-Encoding: chunked\r\nTrailer: " + d.header, certauth.ReasonCertificateMissing},
			} {
				t.Run(tc.name, func(t *testing.T) {
					request := "POST / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n" + tc.line + "\r\n"
					for _, pair := range d.beside {
						request += pair[0] + ": " + pair[1] + "\r\n"
					}
					if d.fingerprint != "" {
						request += d.fingerprint + ": " + d.digest(p.client.Certificate) + "\r\n"
					}
					request += "\r\n"
					if strings.Contains(tc.line, "chunked") {
						request += "0\r\n" + d.header + ": " + good + "\r\n\r\n"
					}
					conn, err := net.Dial("tcp", server.Listener.Addr().String())
					require.NoError(t, err)
					defer conn.Close()
					_, err = conn.Write([]byte(request))
					require.NoError(t, err)
					response, err := http.ReadResponse(bufio.NewReader(conn), nil)
					require.NoError(t, err)
					_ = response.Body.Close()
					assert.Equal(t, tc.want, reason)
					assert.Equal(t, tc.want == certauth.ReasonNone, response.StatusCode == http.StatusOK)
				})
			}
		})
	}
}
