package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
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
// test leaves the machine. An empty address refuses the connection.
func Divert(f *HTTPFetcher, to string) *Dialled {
	seen := &Dialled{}
	f.guard.connect = func(ctx context.Context, network, address string) (net.Conn, error) {
		seen.mu.Lock()
		seen.addresses = append(seen.addresses, address)
		seen.mu.Unlock()
		if to == "" {
			return nil, errDiverted
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}
	return seen
}

// Hang makes connections to an address hang after the guard, as if the machine were switched off.
func Hang(f *HTTPFetcher, dead string) {
	connect := f.guard.connect
	f.guard.connect = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); host == dead {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return connect(ctx, network, address)
	}
}

// WrapConnections lets a test see the bytes of the connections.
func WrapConnections(f *HTTPFetcher, wrap func(net.Conn) net.Conn) {
	connect := f.guard.connect
	f.guard.connect = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}
}

// PanicOnDial panics where the transport dials, in a separate goroutine.
func PanicOnDial(f *HTTPFetcher) {
	f.guard.connect = func(context.Context, string, string) (net.Conn, error) { panic("odd\nhost") }
}

// PanicOnRoundTrip panics where the fetcher calls the transport.
func PanicOnRoundTrip(f *HTTPFetcher) { f.strict, f.configured = panicking{}, panicking{} }

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("odd\nhost") }
