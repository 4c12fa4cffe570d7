package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
)

// Dialled holds the addresses that the guard of a fetcher permitted, in order.
type Dialled struct {
	mu        sync.Mutex
	addresses []string
}

// Addresses returns the addresses that were dialled so far.
func (d *Dialled) Addresses() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.addresses)
}

var errDiverted = errors.New("diverted")

// Divert sends every connection that passes the guard to an address on loopback instead, so that no
// test leaves the machine. An empty address refuses the connection. The name is still resolved and
// the address checked; only then does the fetcher's own dialer stop.
func Divert(f *HTTPFetcher, to string) *Dialled {
	seen := &Dialled{}
	f.guard.connect = func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
		judge, passed := d.ControlContext, false
		var mu sync.Mutex // addresses of both families are tried concurrently
		d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
			if err := judge(ctx, network, address, c); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			passed = true
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.addresses = append(seen.addresses, address)
			return errDiverted
		}
		conn, err := d.DialContext(ctx, network, address)
		mu.Lock()
		defer mu.Unlock()
		if !passed || to == "" {
			return conn, err
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", to)
	}
	return seen
}

// WrapConnections lets a test see the bytes of the connections.
func WrapConnections(f *HTTPFetcher, wrap func(net.Conn) net.Conn) {
	f.guard.connect = func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}
}

// PanicOnDial panics where the transport dials, in a separate goroutine.
func PanicOnDial(f *HTTPFetcher) {
	f.guard.connect = func(context.Context, *net.Dialer, string, string) (net.Conn, error) { panic("odd\nhost") }
}

// PanicOnRoundTrip panics where the fetcher calls the transport.
func PanicOnRoundTrip(f *HTTPFetcher) { f.strict, f.configured = panicking{}, panicking{} }

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("odd\nhost") }
