package outbound

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// Transport returns a RoundTripper for an [http.Client] that presents the certificate. Make it once and share it, because
// each Transport has its own connections. It is safe for concurrent use. base is copied for everything but TLS: proxies,
// timeouts, limits. Its TLSClientConfig, DialTLS and DialTLSContext must be nil; what net/http has put into
// TLSClientConfig itself does not count. If base is nil, the settings are those of http.DefaultTransport, with a dial
// timeout of 10 seconds. HTTP/2 is offered unless base or Config.RenegotiateOnce forbids it. Its settings are those of
// base.HTTP2; those of golang.org/x/net/http2 are not copied.
//
// When the certificate or the roots are replaced, later requests use new connections, even if an HTTP/2 connection is
// busy. Requests in progress finish on the old connections, which are then closed.
//
// A proxy with an https URL is treated as a server: it is verified with Config.ServerRoots and Config.ServerKeys, and
// receives the certificate if it requests one.
//
// Only https URLs are accepted, so a redirect to http fails. So does a redirect to another host or port: a server could
// otherwise have any request sent to another one in the name of the application. Where such a redirect is expected, let
// http.Client.CheckRedirect return http.ErrUseLastResponse, compare the Location with what is expected, and send a new
// request.
func (c *Certificate) Transport(base *http.Transport) (http.RoundTripper, error) {
	if err := c.unusable(); err != nil {
		return nil, err
	}
	if base == nil {
		base = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			MaxIdleConns:          100,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
		}
	}
	configured := base.TLSNextProto["h2"] != nil // by golang.org/x/net/http2, which would share connections between certificates
	base = base.Clone()
	if configured {
		base.TLSNextProto = nil
	}
	if err := withoutTLS(base); err != nil {
		return nil, err
	}
	if c.config.RenegotiateOnce {
		base.ForceAttemptHTTP2 = false
		base.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	} else if base.TLSNextProto == nil {
		base.ForceAttemptHTTP2 = true
	}
	beginPatiently(base)
	followCalls(base)
	t := &transport{owner: c, base: base}
	c.mutex.Lock()
	c.transports = append(c.transports, weak.Make(t))
	c.mutex.Unlock()
	return t, nil
}

// withoutTLS removes the list of protocols that net/http itself puts into the TLSClientConfig of a Transport when it is
// cloned or used for the first time, as http.DefaultTransport is. It returns an error for settings of the caller that
// concern TLS.
func withoutTLS(base *http.Transport) error {
	if config := base.TLSClientConfig; config != nil && slices.Contains(config.NextProtos, "h2") {
		config.NextProtos = nil
		if reflect.ValueOf(config).Elem().IsZero() {
			base.TLSClientConfig = nil
		}
	}
	//lint:ignore SA1019 net/http still honors it
	if base.TLSClientConfig != nil || base.DialTLSContext != nil || base.DialTLS != nil { //nolint:staticcheck // SA1019: as above
		return errors.New("outbound: Transport: TLSClientConfig, DialTLS and DialTLSContext must not be set, because they would determine the certificate that is presented")
	}
	return nil
}

// transport is a RoundTripper that replaces its connections one generation at a time.
type transport struct {
	owner *Certificate
	base  *http.Transport // a template, never used itself

	mutex   sync.Mutex
	current *generation
}

// generation holds the connections of one certificate and one set of roots.
type generation struct {
	state     *state
	transport *http.Transport
	underWay  int // guarded by the transport's mutex

	mutex sync.Mutex
	asked map[string]bool // hosts that requested the certificate
}

// maxHosts bounds the number of hosts that a generation remembers.
const maxHosts = 1024

func (g *generation) note(host string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if len(g.asked) < maxHosts {
		g.asked[host] = true
	}
}

func (g *generation) wasAsked(host string) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.asked[host]
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL == nil || request.URL.Scheme != "https" {
		closeBody(request)
		return nil, fail(ReasonNotConfigured, "the URL is not https, so the certificate cannot be presented").at("connection")
	}
	if err := redirected(request); err != nil {
		closeBody(request)
		t.owner.tell(Event{Outcome: OutcomeRefused, Err: err, Host: request.URL.Host}, t.owner.current.Load(), false)
		return nil, err
	}
	g, err := t.enter()
	if err != nil {
		closeBody(request)
		return nil, err
	}
	host := request.URL.Host
	var got atomic.Pointer[httptrace.GotConnInfo]
	own := &call{host: host, asked: g.note}
	ctx := withCall(request.Context(), own)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { got.Store(&info) }, TLSHandshakeStart: own.handshake,
	})
	response, err := g.transport.RoundTrip(request.WithContext(ctx))
	if err != nil {
		t.leave(g)
		if info := got.Load(); info != nil && !info.Reused && ctx.Err() == nil {
			err = withEnd(ctx, err, info.Conn)
		}
		return nil, t.explained(err, g, own.peer())
	}
	if info := got.Load(); info != nil && !info.Reused && g.wasAsked(host) && response.TLS != nil {
		t.owner.tell(Event{Outcome: OutcomeAccepted, Host: host, Protocol: tls.VersionName(response.TLS.Version)}, g.state, false)
	}
	response.Request = request
	response.Body = t.watched(response.Body, g)
	return response, nil
}

// redirected returns an error for the request of an http.Client that follows a redirect to another server, or from an
// unknown one: middleware around the transport may have removed the request from the response.
func redirected(request *http.Request) *Error {
	if request.Response == nil {
		return nil
	}
	from, to := "an unknown server", serverOf(request.URL)
	if before := request.Response.Request; before != nil && before.URL != nil {
		from = serverOf(before.URL)
	}
	if from == to {
		return nil
	}
	err := fail(ReasonNotConfigured, "%s redirects to %s, which would receive the certificate", quote(from), quote(to)).at("connection")
	err.Hint = "use the URL of the server that answers; if it is trusted, follow the redirect by a request of its own (http.Client.CheckRedirect)"
	return err
}

// serverOf returns host and port of an https URL.
func serverOf(u *url.URL) string {
	return net.JoinHostPort(san.FoldASCII(u.Hostname()), cmp.Or(u.Port(), "443"))
}

// explained gives an error its reason and reports it, unless that was done where it occurred.
func (t *transport) explained(err error, g *generation, host string) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Reason != ReasonServerUntrusted {
		return err
	}
	explained := Explain(err)
	if e, ok := errors.AsType[*Error](explained); ok {
		t.owner.tell(Event{Outcome: OutcomeRefused, Err: e, Host: host}, g.state, false)
	}
	return explained
}

// enter adds a request to the generation of the certificate in use.
func (t *transport) enter() (*generation, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	s, err := t.owner.stateInUse() // under the mutex, because otherwise moveTo could run in between and the old state be used again
	if err != nil {
		return nil, err
	}
	if t.current == nil || t.current.state.number < s.number {
		t.retire()
		fresh := t.base.Clone()
		fresh.TLSClientConfig = t.owner.generationConfig(s)
		t.current = &generation{state: s, transport: fresh, asked: map[string]bool{}}
	}
	t.current.underWay++
	return t.current, nil
}

// leave removes a request from its generation.
func (t *transport) leave(g *generation) {
	t.mutex.Lock()
	g.underWay--
	last := g.underWay == 0 && t.current != g
	t.mutex.Unlock()
	if last {
		g.close()
	}
}

// moveTo retires the connections of an older state; nil retires all.
func (t *transport) moveTo(s *state) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.current != nil && (s == nil || t.current.state.number < s.number) {
		t.retire()
	}
}

// retire requires the mutex. If connections have requests in progress, leave closes them after the last one.
func (t *transport) retire() {
	if g := t.current; g != nil {
		t.current = nil
		g.close()
	}
}

// close closes idle connections, and does so again a moment later, because an HTTP/2 connection counts as busy for a
// moment after its last request. http.Transport itself closes HTTP/1.1 connections that become idle afterwards.
func (g *generation) close() {
	g.transport.CloseIdleConnections()
	time.AfterFunc(settling, g.transport.CloseIdleConnections)
}

const settling = time.Second

// CloseIdleConnections is called by http.Client.CloseIdleConnections. Connections of older generations close by
// themselves.
func (t *transport) CloseIdleConnections() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.current != nil {
		t.current.transport.CloseIdleConnections()
	}
}

// watched wraps the body, because the end of the body is the end of the request.
func (t *transport) watched(body io.ReadCloser, g *generation) io.ReadCloser {
	w := &watchedBody{ReadCloser: body, end: sync.OnceFunc(func() { t.leave(g) })}
	if body == nil || body == http.NoBody {
		w.end()
		return body
	}
	if writer, ok := body.(io.Writer); ok { // after 101 Switching Protocols
		return struct {
			*watchedBody
			io.Writer
		}{w, writer}
	}
	return w
}

type watchedBody struct {
	io.ReadCloser
	end func()
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *watchedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// String names the transport. It does not print the fields, which change concurrently.
func (t *transport) String() string   { return "Transport of " + t.owner.String() }
func (t *transport) GoString() string { return t.String() }

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

var _ http.RoundTripper = (*transport)(nil)
