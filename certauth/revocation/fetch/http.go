package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// The bounds of a fetch that are not options.
const (
	tlsTimeout     = time.Second
	idleTimeout    = 30 * time.Second
	maxIdle        = 16
	maxIdlePerHost = 2
	maxHeaderBytes = 8 << 10
	crlRedirects   = 2
)

// HTTPFetcher is the [Fetcher] for URLs in certificates. A CA may be asked to write any URL into
// a certificate, so the URL alone does not permit a connection:
//
//   - only http and https, ports 80 and 443, names and addresses that can be read in only one
//     way ([ErrBlockedURL]);
//   - no private, loopback, link-local, multicast, or reserved address, and none of the
//     platforms' metadata services; the address that is checked is the one that is connected to,
//     after the name is resolved ([ErrBlockedAddress]);
//   - two redirects for a CRL, none for OCSP, each checked like the URL itself, never from
//     https to http ([ErrRedirect]);
//   - a timeout for the whole fetch, and shorter ones for its parts: one second each for
//     connecting and for the TLS handshake, three seconds for the response headers
//     ([ErrTimeout]);
//   - a limit on headers and body; compressed bodies are refused ([ErrTooLarge],
//     [ErrEncoding]);
//   - status 200, or 304 in response to a conditional request ([ErrHTTPStatus]).
//
// A URL that the operator configured may also lead to private and loopback addresses and to any
// port; a redirect keeps this permission only within the same origin. Addresses of platforms stay
// blocked unless [HTTPOptions] list them.
//
// It speaks HTTP/1.1, keeps no cookies, and ignores proxies in the environment. The zero value
// fetches nothing; [NewHTTPFetcher] makes one. It is safe for concurrent use. It does not limit
// the number of concurrent fetches or how often a host is contacted; the Checker of package
// revocation does.
type HTTPFetcher struct {
	options HTTPOptions
	guard   *guard
	// A connection that was opened for a configured URL may lead where a certificate's
	// must not, so the two have pools of their own.
	strict, configured http.RoundTripper
}

// NewHTTPFetcher checks the options, copies them and reports all mistakes at once. It opens no
// socket.
func NewHTTPFetcher(o HTTPOptions) (*HTTPFetcher, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.AllowNets, o.AllowPorts = slices.Clone(o.AllowNets), slices.Clone(o.AllowPorts)
	if o.RootCAs != nil {
		o.RootCAs = o.RootCAs.Clone()
	}
	if o.Proxy != nil {
		o.Proxy = new(*o.Proxy)
	}
	headers := max(o.OCSPTimeout, o.CRLTimeout, DefaultOCSPTimeout) // an operator who waits longer has a reason
	o.OCSPTimeout, o.CRLTimeout = cmp.Or(o.OCSPTimeout, DefaultOCSPTimeout), cmp.Or(o.CRLTimeout, DefaultCRLTimeout)
	o.UserAgent = cmp.Or(o.UserAgent, DefaultUserAgent)
	g := &guard{nets: o.AllowNets, hosts: map[string]bool{}, resolver: o.Resolver, connect: (&net.Dialer{}).DialContext}
	for _, name := range o.AllowHosts {
		g.hosts[strings.ToLower(name)] = true
	}
	o.AllowHosts = nil // guard.hosts has them
	// The address of a proxy is configured by the operator.
	return &HTTPFetcher{options: o, guard: g, strict: newTransport(o, headers, g, o.Proxy != nil), configured: newTransport(o, headers, g, true)}, nil
}

func newTransport(o HTTPOptions, headers time.Duration, g *guard, configured bool) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:            g.dialer(configured),
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headers,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // a bound on compressed bytes would bound nothing
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		Protocols:              &protocols,
		ProxyConnectHeader:     http.Header{"User-Agent": {o.UserAgent}},
	}
	if o.Proxy != nil { // http.ProxyURL(nil) would also mean none, but nil is unmistakable
		t.Proxy = func(*http.Request) (*url.URL, error) { return o.Proxy, nil }
	}
	return t
}

// Fetch implements [Fetcher]. errors.Is finds the sentinel errors that the type lists;
// ErrTransport covers every failure of the connection, and ErrRequest an invalid request. If ctx
// ends, errors.Is also finds its error; the fetcher's own timeouts are ErrTimeout only. A
// redirect to a blocked URL is ErrRedirect and the error of the blocked URL.
//
// ETag and LastModified are sent only for CRLs, and only if they have the form of validators. The
// response's MaxAge, if present, is at least one second.
func (f *HTTPFetcher) Fetch(ctx context.Context, r Request) (_ Response, err error) {
	defer refusePanic(&err)
	if f == nil || f.guard == nil {
		return Response{}, refuse(ErrRequest, "HTTPFetcher was not made by NewHTTPFetcher")
	}
	if err := checkRequest(ctx, r); err != nil {
		return Response{}, err
	}
	kind := string(r.Kind)
	t, err := checkURL(r.URL, r.Configured, f.options.AllowPorts)
	if err != nil {
		return Response{}, located(kind, err)
	}
	timeout, redirects := f.options.OCSPTimeout, 0
	if r.Kind == CRL {
		timeout, redirects = f.options.CRLTimeout, crlRedirects
	}
	own, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for hop := 0; ; hop++ {
		answer, next, err := f.hop(own, t, r, redirects-hop)
		if err != nil {
			err = failure(ctx, own, err)
			if hop > 0 {
				err = redirectedTo(err)
			}
			return Response{}, located(kind+" "+t.origin(), err)
		}
		if next == nil {
			return answer, nil
		}
		t = next
	}
}

// checkRequest refuses requests that no answer could satisfy.
func checkRequest(ctx context.Context, r Request) error {
	switch {
	case ctx == nil:
		return refuse(ErrRequest, "no context")
	case r.Kind != OCSP && r.Kind != CRL:
		return refuse(ErrRequest, "Kind %s", logtext.Quote(string(r.Kind)))
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return refuse(ErrRequest, "Method is neither GET nor POST")
	case r.Kind == CRL && r.Method != http.MethodGet:
		return refuse(ErrRequest, "Method %s for a CRL", r.Method)
	case r.Method == http.MethodGet && len(r.Body) > 0:
		return refuse(ErrRequest, "GET with a body")
	case r.MaxBytes <= 0 || r.MaxBytes == math.MaxInt64:
		return refuse(ErrRequest, "MaxBytes %d", r.MaxBytes)
	}
	return nil
}

// Close closes idle connections. Fetches in progress continue, and a later fetch opens a new
// connection. The error is always nil.
func (f *HTTPFetcher) Close() error {
	if f == nil {
		return nil
	}
	for _, t := range []http.RoundTripper{f.strict, f.configured} {
		if t, ok := t.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
	return nil
}
