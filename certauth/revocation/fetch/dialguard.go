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

// reachOf returns the least class that a host may lead to. An operator who configures a URL or a name
// means the network in which it is.
func (g *guard) reachOf(host string, configured bool) addressClass {
	switch {
	case configured:
		return addressLoopback
	case g.hosts[strings.ToLower(host)]:
		return addressPrivate
	}
	return addressGlobal
}

// admit returns ErrBlockedAddress unless the address is of this class or a higher one, or is named.
func (g *guard) admit(a netip.Addr, least addressClass) error {
	a = plain(a)
	class, name := classify(a)
	if class >= least {
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
		least := g.reachOf(host, configured)
		d := &net.Dialer{
			Timeout:  dialTimeout,
			Resolver: g.resolver,
			ControlContext: func(_ context.Context, network, resolved string, _ syscall.RawConn) error {
				return g.admitSocket(network, resolved, least)
			},
		}
		return g.connect(ctx, d, network, address)
	}
}

// admitSocket checks the address to which a socket is about to be connected.
func (g *guard) admitSocket(network, resolved string, least addressClass) error {
	if network != "tcp4" && network != "tcp6" {
		return refuse(ErrBlockedAddress, "network %s", logtext.Quote(network))
	}
	address, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return refuse(ErrBlockedAddress, "no address: %s", logtext.Quote(resolved))
	}
	return g.admit(address.Addr(), least)
}

// admitName resolves a host to which a proxy will connect, and refuses it if any of its addresses
// is denied, because it is not known which one the proxy uses.
func (g *guard) admitName(ctx context.Context, host string, least addressClass) error {
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
		if err := g.admit(a, least); err != nil {
			return err
		}
	}
	return nil
}
