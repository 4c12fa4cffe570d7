package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

const (
	arrSSL = "2048|256|CN=Microsoft Azure RSA TLS Issuing CA 03, O=Microsoft Corporation, C=US|" +
		"CN=*.azurewebsites.net, O=Microsoft Corporation, L=Redmond, S=WA, C=US"
	arrLogID = "f4b3b2a1-0000-4000-8000-000000000000"
)

// tenHeaders are in every request, together with the certificate: the platform's evidence and the
// headers of an API client.
var tenHeaders = [][2]string{
	{"X-ARR-LOG-ID", arrLogID},
	{"X-ARR-SSL", arrSSL},
	{"X-AppService-Proto", "https"},
	{"X-Forwarded-For", "192.0.2.1:50000"},
	{"Accept", "*/*"},
	{"Accept-Encoding", "gzip"},
	{"Content-Type", "application/json"},
	{"User-Agent", "partner/1.0"},
	{"Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
}

// moreHeaders increase the number to twenty-five: other headers of App Service, and those of browsers
// and vendors' libraries.
var moreHeaders = [][2]string{
	{"X-Forwarded-Proto", "https"},
	{"X-Forwarded-TlsVersion", "1.3"},
	{"X-Original-URL", "/orders"},
	{"X-WAWS-Unencoded-URL", "/orders"},
	{"X-Site-Deployment-Id", "partner-api"},
	{"WAS-DEFAULT-HOSTNAME", "partner-api.azurewebsites.net"},
	{"DISGUISED-HOST", "api.example"},
	{"CLIENT-IP", "192.0.2.1:50000"},
	{"Max-Forwards", "10"},
	{"Accept-Language", "en"},
	{"Cache-Control", "no-cache"},
	{"Tracestate", "vendor=00f067aa0ba902b7"},
	{"Request-Id", "|4bf92f3577b34da6a3ce929d0e0e4736.00f067aa0ba902b7."},
	{"Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324"},
	{"Authorization", "Bearer opaque"},
}

// listener accepts the connections for real requests.
type listener struct{ net.Listener }

func newListener() (*listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed by the caller
	if err != nil {
		return nil, err
	}
	return &listener{l}, nil
}

// request returns a request as net/http's server passes it to a handler: with ten or twenty-five
// headers, including the one that the loop sets, and a context with the server, an address, the
// connection and two cancel functions.
func (l *listener) request(server *http.Server, wide bool) (*http.Request, func(), error) {
	dialed, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // loopback
	if err != nil {
		return nil, nil, err
	}
	accepted, err := l.Accept()
	if err != nil {
		dialed.Close()
		return nil, nil, err
	}
	ctx := context.WithValue(context.Background(), http.ServerContextKey, server)
	ctx = certauth.ConnContext(ctx, accepted)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, accepted.LocalAddr())
	ctx, endConnection := context.WithCancel(ctx)
	ctx, endRequest := context.WithCancel(ctx)
	end := func() {
		endRequest()
		endConnection()
		accepted.Close()
		dialed.Close()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/orders", http.NoBody)
	if err != nil {
		end()
		return nil, nil, err
	}
	r.Host, r.RequestURI, r.RemoteAddr = "api.example", "/orders", accepted.RemoteAddr().String()
	for _, h := range tenHeaders {
		r.Header.Set(h[0], h[1])
	}
	if wide {
		for _, h := range moreHeaders {
			r.Header.Set(h[0], h[1])
		}
	}
	return r, end, nil
}

// answer is a ResponseWriter that keeps only the status.
type answer struct {
	header http.Header
	status int
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) Write(b []byte) (int, error) { return len(b), nil }
func (w *answer) WriteHeader(status int)      { w.status = status }

// loop passes requests with each of the headers in turn to the handler. It sets the header again before
// each, because the handler removes it; an empty one is not set. It ends with an error at the first
// response with another status, so that only the intended case is measured.
func loop(h http.Handler, r *http.Request, headers []string, status int) func(n int) error {
	values := make([][]string, len(headers))
	for i, header := range headers {
		values[i] = []string{header}
	}
	w := &answer{header: http.Header{}}
	at := 0
	return func(n int) error {
		for range n {
			if headers[at] != "" {
				r.Header[certificateKey] = values[at]
			}
			if at++; at == len(values) {
				at = 0
			}
			w.status = 0
			if status != http.StatusOK {
				clear(w.header)
			}
			h.ServeHTTP(w, r)
			if w.status != status {
				return fmt.Errorf("status %d, want %d", w.status, status)
			}
		}
		return nil
	}
}
