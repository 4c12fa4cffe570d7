package outbound

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
)

// call describes a request, for the handshakes that it causes. If it goes through a proxy with an https URL, the first
// handshake over a connection is with the proxy.
type call struct {
	host       string
	asked      func(host string)      // records that the server requests certificates
	proxy      atomic.Pointer[string] // host and port of a proxy with an https URL
	handshakes atomic.Int32           // that began over the newest connection
}

// callKey is the context key of a *call.
type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// handshake counts a handshake that begins.
func (c *call) handshake() { c.handshakes.Add(1) }

// peer returns the host at the other end of the handshake that began last: the server, or the proxy before it.
func (c *call) peer() string {
	if proxy := c.proxy.Load(); proxy != nil && c.handshakes.Load() == 1 {
		return *proxy
	}
	return c.host
}

// followCalls makes the transport tell the calls about their proxies and connections.
func followCalls(base *http.Transport) {
	if choose := base.Proxy; choose != nil {
		base.Proxy = func(request *http.Request) (*url.URL, error) {
			proxy, err := choose(request)
			if call, ok := request.Context().Value(callKey{}).(*call); ok && err == nil && proxy != nil && proxy.Scheme == "https" {
				host := serverOf(proxy)
				call.proxy.Store(&host)
			}
			return proxy, err
		}
	}
	dial := base.DialContext
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if call, ok := ctx.Value(callKey{}).(*call); ok {
			call.handshakes.Store(0)
		}
		return dial(ctx, network, address)
	}
}
