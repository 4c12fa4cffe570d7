package outbound_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func TestTransport_PresentsTheCertificate(t *testing.T) {
	for _, tc := range []struct {
		name  string
		base  *http.Transport
		proto string
	}{
		{"HTTP/2 by default", nil, "HTTP/2.0"},
		{"HTTP/2 with a base of one's own", &http.Transport{MaxConnsPerHost: 2}, "HTTP/2.0"},
		{"HTTP/1.1 if base forbids HTTP/2", http1(), "HTTP/1.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			leaf := w.put(t, "orders")
			d := w.serve(t, nil, nil)
			body, response, err := get(t, client(t, open(t, w.config()), tc.base), d.URL)
			require.NoError(t, err)
			assert.Equal(t, "orders", body)
			assert.Equal(t, tc.proto, response.Proto)
			assert.Equal(t, []string{fingerprint(leaf.Certificate)}, d.seen())

			for _, outcome := range []outbound.Outcome{outbound.OutcomeLoaded, outbound.OutcomePresented, outbound.OutcomeAccepted} {
				events := w.journal.of(outcome)
				require.Len(t, events, 1, outcome)
				assert.Equal(t, fingerprint(leaf.Certificate), events[0].Fingerprint)
				assert.Empty(t, events[0].Reason())
				if outcome != outbound.OutcomeLoaded {
					assert.Equal(t, d.Listener.Addr().String(), events[0].Host)
					assert.Equal(t, "TLS 1.3", events[0].Protocol)
				}
			}
		})
	}
}

// A server that requests no certificate gets none, and is not reported to have accepted it.
func TestTransport_AServerThatDoesNotAsk(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, func(c *tls.Config) { c.ClientAuth = tls.NoClientCert }, nil)
	body, _, err := get(t, client(t, open(t, w.config()), nil), d.URL)
	require.NoError(t, err)
	assert.Equal(t, "nobody", body)
	assert.Empty(t, w.journal.of(outbound.OutcomePresented))
	assert.Empty(t, w.journal.of(outbound.OutcomeAccepted))
}

func TestTransport_RefusesWhatWouldDecideForIt(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	own := open(t, w.config())
	for name, base := range map[string]*http.Transport{
		"a configuration of TLS":    {TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		"a dialer that ends in TLS": {DialTLSContext: (&tls.Dialer{}).DialContext},
		"the old form of it":        {DialTLS: func(string, string) (net.Conn, error) { return nil, io.EOF }},
		"protocols of TLS":          {TLSClientConfig: &tls.Config{NextProtos: []string{"http/1.1"}}},
		"HTTP/2 and more of TLS":    {TLSClientConfig: &tls.Config{NextProtos: []string{"h2"}, ServerName: "a"}, ForceAttemptHTTP2: true},
	} {
		_, err := own.Transport(base)
		assert.Error(t, err, name)
	}
}

// finding O5: a base that had been cloned or used before was refused, because net/http had set its TLSClientConfig: even
// a clone of http.DefaultTransport.
func TestTransport_TakesABaseThatWasClonedOrUsed(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	own := open(t, w.config())
	usual, ok := http.DefaultTransport.(*http.Transport)
	require.True(t, ok)
	used := &http.Transport{}
	_, _, err := get(t, &http.Client{Transport: used}, d.URL)
	require.Error(t, err, "it does not know the CA")
	for name, base := range map[string]*http.Transport{"a clone": usual.Clone(), "the default itself": usual, "used": used} {
		_, response, err := get(t, client(t, own, base), d.URL)
		require.NoError(t, err, name)
		assert.Equal(t, "HTTP/2.0", response.Proto, name)
	}
}

// finding O42: a base that golang.org/x/net/http2 had configured got HTTP/1.1 only, although it forbids nothing.
func TestTransport_TakesABaseThatXNetConfigured(t *testing.T) {
	w := newWorld(t)
	d := w.serve(t, nil, nil)
	w.put(t, "first")
	own := open(t, w.config())
	base := &http.Transport{ // as http2.ConfigureTransport leaves it
		TLSClientConfig: &tls.Config{NextProtos: []string{"h2", "http/1.1"}},
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{"h2": func(string, *tls.Conn) http.RoundTripper {
			return &http.Transport{} // its connections are those of all clones
		}},
	}
	c := client(t, own, base)
	for _, name := range []string{"first", "second"} {
		w.put(t, name)
		require.NoError(t, own.Reload(t.Context()))
		body, response, err := get(t, c, d.URL)
		require.NoError(t, err)
		assert.Equal(t, name, body)
		assert.Equal(t, "HTTP/2.0", response.Proto)
	}
}

// protocols are those of a base that names them.
func protocols(base *http.Transport, http1 bool) *http.Transport {
	base.Protocols = new(http.Protocols)
	base.Protocols.SetHTTP1(http1)
	base.Protocols.SetHTTP2(true)
	return base
}

// net/http shares the connections of HTTP/2 between the clones of a base that forbids HTTP/2 by TLSNextProto and has it in
// Protocols: requests must not go on over connections of the replaced certificate.
func TestTransport_ForbiddenHTTP2IsNotShared(t *testing.T) {
	for _, base := range []*http.Transport{protocols(http1(), true), protocols(http1(), false)} {
		w := newWorld(t)
		w.put(t, "first")
		d := w.serve(t, nil, nil)
		own := open(t, w.config())
		c := client(t, own, base)
		for _, name := range []string{"first", "second"} {
			w.put(t, name)
			require.NoError(t, own.Reload(t.Context()))
			body, response, err := get(t, c, d.URL)
			require.NoError(t, err)
			assert.Equal(t, name, body)
			assert.Equal(t, "HTTP/1.1", response.Proto)
		}
	}
}

// Because of a redirect or a typing error, the request and its content must not be sent without the certificate and
// without encryption.
func TestTransport_RefusesPlainHTTP(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	var reached atomic.Int32
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(plain.Close)
	d := w.serve(t, nil, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, plain.URL, http.StatusFound) })
	c := client(t, open(t, w.config()), nil)
	for _, url := range []string{plain.URL, d.URL} {
		_, _, err := get(t, c, url)
		reasonIs(t, err, outbound.ReasonNotConfigured)
	}
	assert.Zero(t, reached.Load())
}

// forgetful is middleware whose responses do not refer to a request.
type forgetful struct{ http.RoundTripper }

func (f forgetful) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := f.RoundTripper.RoundTrip(request)
	if response != nil {
		response.Request = nil
	}
	return response, err
}

// finding O55: to the transport, a server and one whose name has a capital I with a dot in the place of an i were the same,
// but only some letters outside of ASCII are, by UTS #46, and the name of the latter is another one.
func TestTransport_ARedirectToANameInOtherLettersIsOneToAnotherServer(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	transport, err := open(t, w.config()).Transport(&http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		return nil, errors.New("dials " + address)
	}})
	require.NoError(t, err)
	for _, tc := range []struct{ from, to, want string }{
		{"https://partner.example/", "https://PARTNER.example:443/", "dials "},
		{"https://partner.example/", "https://partner.example:8443/", "redirects to"},
		{"https://partner.example/", "https://partner.example./", "redirects to"},
		{"https://silk.example/", "https://s\u0130lk.example/", "redirects to"},
		{"https://s\u0130lk.example/", "https://silk.example/", "redirects to"},
	} {
		before, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.from, http.NoBody)
		require.NoError(t, err)
		next, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.to, http.NoBody)
		require.NoError(t, err)
		next.Response = &http.Response{Request: before} // as http.Client sets it
		response, err := transport.RoundTrip(next)
		if err == nil {
			_ = response.Body.Close()
		}
		assert.ErrorContains(t, err, tc.want, tc.to)
	}
}

// finding O4: by a redirect, a server could send the application's next request, with its method, its body and
// the application's certificate, to any other server.
func TestTransport_ARedirectToAnotherServerTakesNoCertificateAlong(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	other := w.serve(t, nil, nil)
	d := w.serve(t, nil, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/within":
			http.Redirect(rw, r, "/end", http.StatusTemporaryRedirect)
		case "/within/absolute":
			http.Redirect(rw, r, "https://"+r.Host+"/within", http.StatusTemporaryRedirect)
		case "/out":
			http.Redirect(rw, r, other.URL+"/refunds", http.StatusTemporaryRedirect)
		case "/within/out":
			http.Redirect(rw, r, "/out", http.StatusTemporaryRedirect)
		case "/name":
			http.Redirect(rw, r, "https://"+strings.Replace(r.Host, "127.0.0.1", "localhost", 1)+"/end", http.StatusFound)
		}
	})
	own := open(t, w.config())
	for path, ok := range map[string]bool{"/end": true, "/within": true, "/within/absolute": true, "/out": false, "/within/out": false, "/name": false} {
		t.Run(path, func(t *testing.T) {
			c := client(t, own, nil)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+path, strings.NewReader("body"))
			require.NoError(t, err)
			response, err := c.Do(request)
			if ok {
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				return
			}
			e := reasonIs(t, err, outbound.ReasonNotConfigured)
			assert.Contains(t, e.Error(), "redirects to")
			refused := w.journal.of(outbound.OutcomeRefused)
			require.NotEmpty(t, refused)
			assert.Equal(t, e, refused[len(refused)-1].Err)
		})
	}
	assert.Empty(t, other.seen())

	// Middleware that does not say to which request a response belongs does not change this.
	c := client(t, own, nil)
	c.Transport = forgetful{c.Transport}
	_, _, err := get(t, c, d.URL+"/out")
	reasonIs(t, err, outbound.ReasonNotConfigured)
	assert.Empty(t, other.seen())

	// The application itself may follow the redirect.
	c = client(t, own, nil)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	_, response, err := get(t, c, d.URL+"/out")
	require.NoError(t, err)
	next, err := response.Location()
	require.NoError(t, err)
	body, _, err := get(t, c, next.String())
	require.NoError(t, err)
	assert.Equal(t, "orders", body)
}

// crypto/tls client side: a failed load sends no certificate; pooled connections keep the old one. The server here
// requests a certificate without requiring it, so that an empty one would go unnoticed.
func TestReload_OutboundNeverPresentsNothing(t *testing.T) {
	w := newWorld(t)
	var now atomic.Int64
	now.Store(time.Now().Unix())
	config := w.config()
	config.Now = func() time.Time { return time.Unix(now.Load(), 0) }
	d := w.serve(t, func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, nil)
	attempt := func(own *outbound.Certificate) error { // a new connection each time, with both methods
		transport, err := own.Transport(nil)
		if err != nil {
			_, err2 := own.GetClientCertificate(&tls.CertificateRequestInfo{Version: tls.VersionTLS13, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}})
			require.Error(t, err2)
			return err
		}
		c := &http.Client{Transport: transport, Timeout: unhurried}
		defer c.CloseIdleConnections()
		_, _, err = get(t, c, d.URL)
		conn, dialed := tls.Dial("tcp", d.Listener.Addr().String(), own.TLSConfig("127.0.0.1"))
		if dialed == nil {
			require.Len(t, conn.ConnectionState().PeerCertificates, 1)
			require.NoError(t, conn.Close())
		}
		require.Equal(t, err == nil, dialed == nil, "%v, %v", err, dialed)
		return err
	}

	refused(t, config, outbound.ReasonSourceUnavailable) // no file yet: no Certificate
	leaf := w.put(t, "orders")
	own := open(t, config)
	require.NoError(t, attempt(own))

	broken := map[string][]byte{
		"empty": {}, "no PEM": []byte("once more"), "without a key": certPEM(leaf.Certificate),
		"without a certificate": keyPEM(t, leaf.Key), "cut off": bundle(t, leaf)[:300],
		"of another key": append(certPEM(leaf.Certificate), keyPEM(t, issue(t, w.clients, "x").Key)...),
		"expired":        bundle(t, issue(t, w.clients, "orders", certauthtest.Valid(time.Now().Add(-2*day), time.Now().Add(-day)))),
		"of a CA":        bundle(t, issue(t, w.clients, "orders", certauthtest.AsCA())),
	}
	for name, content := range broken {
		t.Run("a file "+name+" keeps what was loaded", func(t *testing.T) {
			replace(t, w.path("tls.pem"), content)
			require.Error(t, own.Reload(t.Context()))
			assert.True(t, own.Status().Usable)
			assert.NotEmpty(t, own.Status().Reason)
			require.NoError(t, attempt(own))
		})
	}

	t.Run("once it has expired, connections fail", func(t *testing.T) {
		now.Store(leaf.NotAfter.Unix() + 1)
		reasonIs(t, attempt(own), outbound.ReasonCertificateExpired)
		assert.False(t, own.Status().Usable)
		assert.Equal(t, outbound.ReasonCertificateExpired, own.Status().Reason)
	})
	t.Run("a clock that was set back makes it usable again", func(t *testing.T) {
		now.Store(leaf.NotAfter.Unix())
		require.NoError(t, attempt(own))
	})
	t.Run("after Close, connections fail", func(t *testing.T) {
		transport, err := own.Transport(nil)
		require.NoError(t, err)
		require.NoError(t, own.Close())
		reasonIs(t, attempt(own), outbound.ReasonClosed)
		_, _, err = get(t, &http.Client{Transport: transport}, d.URL)
		reasonIs(t, err, outbound.ReasonClosed)
		_, err = tls.Dial("tcp", d.Listener.Addr().String(), own.TLSConfig("127.0.0.1"))
		reasonIs(t, err, outbound.ReasonClosed)
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonClosed)
	})
	t.Run("the zero value and nil fail", func(t *testing.T) {
		for _, none := range []*outbound.Certificate{nil, {}} {
			reasonIs(t, attempt(none), outbound.ReasonNotConfigured)
			_, err := tls.Dial("tcp", d.Listener.Addr().String(), none.TLSConfig("127.0.0.1"))
			reasonIs(t, err, outbound.ReasonNotConfigured)
			assert.False(t, none.Status().Usable)
			assert.NotEmpty(t, none.String())
			require.NoError(t, none.Close())
		}
	})
	for _, caller := range d.seen() {
		assert.Equal(t, fingerprint(leaf.Certificate), caller)
	}
}

func TestPresent_WhatTheServerAsksFor(t *testing.T) {
	w := newWorld(t)
	leaf := w.put(t, "orders")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	withRSA := w.clients.IssueFor(t, key, "orders", certauthtest.Usage(x509.ExtKeyUsageClientAuth))
	own := open(t, w.config())
	ask := func(schemes ...tls.SignatureScheme) *tls.CertificateRequestInfo {
		return &tls.CertificateRequestInfo{Version: tls.VersionTLS13, SignatureSchemes: schemes}
	}

	t.Run("a signature that the key can make", func(t *testing.T) {
		cert, err := own.GetClientCertificate(ask(tls.ECDSAWithP256AndSHA256))
		require.NoError(t, err)
		assert.Equal(t, leaf.Raw, cert.Certificate[0])
		cert.Certificate = nil // the caller's own copy
		cert, err = own.GetClientCertificate(ask(tls.ECDSAWithP256AndSHA256))
		require.NoError(t, err)
		assert.Len(t, cert.Certificate, 1)
	})
	t.Run("no signature that the key can make", func(t *testing.T) {
		_, err := own.GetClientCertificate(ask(tls.PSSWithSHA256, tls.Ed25519))
		reasonIs(t, err, outbound.ReasonAlgorithmMismatch)
		events := w.journal.of(outbound.OutcomeRefused)
		require.NotEmpty(t, events)
		assert.Equal(t, outbound.ReasonAlgorithmMismatch, events[len(events)-1].Reason())
	})
	t.Run("nil", func(t *testing.T) {
		_, err := own.GetClientCertificate(nil)
		reasonIs(t, err, outbound.ReasonNotConfigured)
	})
	t.Run("CAs that are not ours are a warning", func(t *testing.T) {
		request := ask(tls.ECDSAWithP256AndSHA256)
		request.AcceptableCAs = [][]byte{w.servers.Certificate.RawSubject}
		_, err := own.GetClientCertificate(request)
		require.NoError(t, err)
		events := w.journal.of(outbound.OutcomePresented)
		assert.Equal(t, outbound.ReasonCAHintMismatch, events[len(events)-1].Reason())
	})
	t.Run("CAs that are ours are none", func(t *testing.T) {
		request := ask(tls.ECDSAWithP256AndSHA256)
		request.AcceptableCAs = [][]byte{w.servers.Certificate.RawSubject, w.clients.Certificate.RawSubject}
		_, err := own.GetClientCertificate(request)
		require.NoError(t, err)
		events := w.journal.of(outbound.OutcomePresented)
		assert.Empty(t, events[len(events)-1].Reason())
	})
	t.Run("RSA after a renewal", func(t *testing.T) {
		replace(t, w.path("tls.pem"), bundle(t, withRSA))
		require.NoError(t, own.Reload(t.Context()))
		_, err := own.GetClientCertificate(ask(tls.PSSWithSHA256))
		require.NoError(t, err)
	})
}

// The alerts with which servers refuse the certificate, in real handshakes.
func TestRefused_AlertsHaveReasons(t *testing.T) {
	other := certauthtest.NewCA(t, "Other Root")
	otherPool := x509.NewCertPool()
	otherPool.AddCert(other.Certificate)
	for _, tc := range []struct {
		name    string
		change  func(*tls.Config)
		want    outbound.Reason
		version uint16
	}{
		{"another CA", func(c *tls.Config) { c.ClientCAs = otherPool }, outbound.ReasonRefusedUnknownCA, tls.VersionTLS12},
		{"another CA", func(c *tls.Config) { c.ClientCAs = otherPool }, outbound.ReasonRefusedUnknownCA, tls.VersionTLS13},
		{"a clock that is ahead", func(c *tls.Config) { c.Time = at(time.Now().Add(200 * day)) }, outbound.ReasonRefusedExpired, tls.VersionTLS12},
		{"a clock that is ahead", func(c *tls.Config) { c.Time = at(time.Now().Add(200 * day)) }, outbound.ReasonRefusedExpired, tls.VersionTLS13},
		{"a rule of the server's own", func(c *tls.Config) { c.VerifyConnection = func(tls.ConnectionState) error { return io.EOF } }, outbound.ReasonRefused, tls.VersionTLS13},
	} {
		t.Run(tc.name+", "+tls.VersionName(tc.version), func(t *testing.T) {
			w := newWorld(t)
			w.put(t, "orders")
			d := w.serve(t, func(c *tls.Config) { c.MaxVersion = tc.version; tc.change(c) }, nil)
			own := open(t, w.config())
			_, _, err := get(t, client(t, own, nil), d.URL)
			reasonIs(t, err, tc.want)
			events := w.journal.of(outbound.OutcomeRefused)
			require.Len(t, events, 1)
			assert.Equal(t, tc.want, events[0].Reason())
			assert.Equal(t, d.Listener.Addr().String(), events[0].Host)
			assert.Empty(t, w.journal.of(outbound.OutcomeAccepted))

			// The same with a TLSConfig, for which Explain finds the reason.
			conn, err := tls.Dial("tcp", d.Listener.Addr().String(), own.TLSConfig("127.0.0.1"))
			if err == nil {
				_, err = conn.Read(make([]byte, 1))
				require.NoError(t, conn.Close())
			}
			reasonIs(t, outbound.Explain(err), tc.want)
		})
	}
}

// The numbers and names are those of RFC 8446, section 6.
func TestExplain_Alerts(t *testing.T) {
	for alert, want := range map[tls.AlertError]outbound.Reason{
		40: outbound.ReasonRefused, 42: outbound.ReasonRefused, 43: outbound.ReasonRefused, 44: outbound.ReasonRefusedRevoked,
		45: outbound.ReasonRefusedExpired, 46: outbound.ReasonRefused, 48: outbound.ReasonRefusedUnknownCA, 49: outbound.ReasonRefused,
		51: outbound.ReasonRefused, 116: outbound.ReasonRefusedRequired,
		// close_notify, record_overflow, protocol_version, internal_error, no_application_protocol: not about the certificate
		0: "", 22: "", 70: "", 80: "", 120: "",
	} {
		sent := &net.OpError{Op: "remote error", Err: errors.New(alert.Error())}
		received := outbound.Explain(fmt.Errorf("driver: %w", sent))
		quic := outbound.Explain(fmt.Errorf("driver: %w", alert))
		for _, err := range []error{received, quic} {
			e, ok := errors.AsType[*outbound.Error](err)
			if want == "" {
				assert.False(t, ok, "%d: %v", alert, err)
				continue
			}
			require.True(t, ok, "%d", alert)
			assert.Equal(t, want, e.Reason, "%d", alert)
		}
		require.ErrorIs(t, received, sent)
		_, ok := errors.AsType[*outbound.Error](outbound.Explain(&net.OpError{Op: "local error", Err: errors.New(alert.Error())}))
		assert.False(t, ok, "our own alert is not the server's")
	}
	assert.NoError(t, outbound.Explain(nil))
	assert.Equal(t, io.EOF, outbound.Explain(io.EOF))
}

func TestRenegotiateOnce_IsTLS12AndHTTP1(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	config := w.config()
	config.RenegotiateOnce = true
	own := open(t, config)
	for _, base := range []*http.Transport{nil, {ForceAttemptHTTP2: true}, protocols(&http.Transport{}, true), protocols(&http.Transport{}, false)} {
		body, response, err := get(t, client(t, own, base), d.URL)
		require.NoError(t, err)
		assert.Equal(t, "orders", body)
		assert.Equal(t, "HTTP/1.1", response.Proto)
		assert.Equal(t, uint16(tls.VersionTLS12), response.TLS.Version)
	}
	attached := own.TLSConfig("127.0.0.1")
	assert.Equal(t, tls.RenegotiateOnceAsClient, attached.Renegotiation)
	assert.Equal(t, uint16(tls.VersionTLS12), attached.MaxVersion)
	assert.Equal(t, tls.RenegotiateNever, open(t, w.config()).TLSConfig("").Renegotiation)
}
