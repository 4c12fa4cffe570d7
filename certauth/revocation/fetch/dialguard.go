package fetch

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// dialTimeout bounds the lookup of a name and the connection together.
const dialTimeout = time.Second

// guard decides which addresses may be connected to. It checks the address of the socket after the
// name is resolved and immediately before the connection is made, so that a name cannot lead
// elsewhere in between.
type guard struct {
	nets     []netip.Prefix
	hosts    map[string]bool
	resolver *net.Resolver
	// connect is (*net.Dialer).DialContext. Tests replace it to see what passes the guard.
	connect func(ctx context.Context, d *net.Dialer, network, address string) (net.Conn, error)
}

// reach says what may be connected to in addition to global addresses and guard.nets.
type reach struct{ private, loopback bool }

// reachOf returns the reach of a host. An operator who configures a URL or a name means the
// network in which it is.
func (g *guard) reachOf(host string, configured bool) reach {
	return reach{private: configured || g.hosts[strings.ToLower(host)], loopback: configured}
}

// admit returns ErrBlockedAddress unless the address may be connected to.
func (g *guard) admit(a netip.Addr, open reach) error {
	a = plain(a)
	class, name := classify(a)
	if class == addressGlobal || class == addressPrivate && open.private || class == addressLoopback && open.loopback {
		return nil
	}
	for _, p := range g.nets {
		if p.Contains(a) && (class == addressPrivate || p.IsSingleIP()) {
			return nil
		}
	}
	if class == addressPrivate {
		return refuseUnless(helpNets, ErrBlockedAddress, "%s is %s", a, name)
	}
	return refuse(ErrBlockedAddress, "%s is %s", a, name)
}

// dialer returns the DialContext of a transport. It permits what the host in the address may lead
// to. A transport keeps the connections of each host apart, so one that was opened for a host of
// AllowHosts serves no other host.
func (g *guard) dialer(configured bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		defer func() { // the transport calls this in its own goroutine
			if p := recover(); p != nil {
				err = refusePanic(p)
			}
		}()
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, refuse(ErrBlockedURL, "%s", logtext.Quote(err.Error()))
		}
		open := g.reachOf(host, configured)
		d := &net.Dialer{
			Timeout:  dialTimeout,
			Resolver: g.resolver,
			ControlContext: func(_ context.Context, network, resolved string, _ syscall.RawConn) error {
				return g.admitSocket(network, resolved, open)
			},
		}
		return g.connect(ctx, d, network, address)
	}
}

// admitSocket checks the address to which a socket is about to be connected.
func (g *guard) admitSocket(network, resolved string, open reach) error {
	if network != "tcp4" && network != "tcp6" {
		return refuse(ErrBlockedAddress, "network %s", logtext.Quote(network))
	}
	address, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return refuse(ErrBlockedAddress, "no address: %s", logtext.Quote(resolved))
	}
	return g.admit(address.Addr(), open)
}

// admitName resolves a host to which a proxy will connect, and refuses it if any of its addresses
// is denied, because it is not known which one the proxy uses.
func (g *guard) admitName(ctx context.Context, host string, open reach) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addresses, err := cmp.Or(g.resolver, net.DefaultResolver).LookupNetIP(ctx, "ip", host)
	if lookup, ok := errors.AsType[*net.DNSError](err); ok && lookup.IsNotFound {
		return refuseUnless(helpResolve, ErrTransport, "the proxy is asked only for names that can be resolved here: %s", describe(err))
	}
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return refuse(ErrTransport, "no address")
	}
	for _, a := range addresses {
		if err := g.admit(a, open); err != nil {
			return err
		}
	}
	return nil
}
