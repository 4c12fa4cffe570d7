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
	f.guard.connect = func(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error) {
		judge, passed := d.ControlContext, false
		d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
			if err := judge(ctx, network, address, c); err != nil {
				return err
			}
			passed = true
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.addresses = append(seen.addresses, address)
			return errDiverted
		}
		conn, err := d.DialContext(ctx, network, address)
		if !passed || to == "" {
			return conn, err
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", to)
	}
	return seen
}

// Hang makes connections to an address hang after the guard, as if the machine were switched off.
func Hang(f *HTTPFetcher, dead string) {
	f.guard.connect = func(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error) {
		judge := d.ControlContext
		d.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
			err := judge(ctx, network, address, c)
			if host, _, _ := net.SplitHostPort(address); err == nil && host == dead {
				<-ctx.Done()
				err = ctx.Err()
			}
			return err
		}
		return d.DialContext(ctx, network, address)
	}
}

// WrapConnections lets a test see the bytes of the connections.
func WrapConnections(f *HTTPFetcher, wrap func(net.Conn) net.Conn) {
	f.guard.connect = func(d *net.Dialer, ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(conn), nil
	}
}

// PanicOnDial panics where the transport dials, in a separate goroutine.
func PanicOnDial(f *HTTPFetcher) {
	f.guard.connect = func(*net.Dialer, context.Context, string, string) (net.Conn, error) { panic("odd\nhost") }
}

// PanicOnRoundTrip panics where the fetcher calls the transport.
func PanicOnRoundTrip(f *HTTPFetcher) { f.strict, f.configured = panicking{}, panicking{} }

type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("odd\nhost") }
