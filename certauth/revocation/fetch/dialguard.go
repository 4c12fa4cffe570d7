package fetch

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

const (
	dialTimeout  = time.Second            // of the lookup of a name and the connection together
	dialInterval = 200 * time.Millisecond // after which the next address of a host is tried as well
)

// guard decides which addresses may be connected to. It resolves names itself, and connects to the very
// address that it has checked, so that a name cannot lead elsewhere in between.
type guard struct {
	nets     []netip.Prefix
	hosts    map[string]bool
	resolver *net.Resolver
	// connect is (*net.Dialer).DialContext. Tests replace it to see what passes the guard.
	connect func(ctx context.Context, network, address string) (net.Conn, error)
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
		defer refusePanic(&err) // the transport calls this in its own goroutine
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, refuse(ErrBlockedURL, "%s", logtext.Quote(err.Error()))
		}
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		addresses, err := g.lookUp(ctx, host)
		if err != nil {
			return nil, err
		}
		least := g.reachOf(host, configured)
		return dialAny(addresses, func(a netip.Addr) (_ net.Conn, err error) {
			defer refusePanic(&err)
			if err := g.admit(a, least); err != nil {
				return nil, err
			}
			return g.connect(ctx, network, net.JoinHostPort(a.String(), port))
		})
	}
}

// lookUp returns the addresses of a host in the order in which to try them. The second one is of the
// other family, if there is one, because all of a family may be out of reach (RFC 8305, section 4).
func (g *guard) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	all, err := cmp.Or(g.resolver, net.DefaultResolver).LookupNetIP(ctx, "ip", host)
	for i := range all {
		all[i] = all[i].Unmap()
	}
	if i := slices.IndexFunc(all, func(a netip.Addr) bool { return a.Is4() != all[0].Is4() }); i > 1 {
		all = slices.Concat(all[:1], all[i:i+1], all[1:i], all[i+1:])
	}
	if err == nil && len(all) == 0 {
		err = refuse(ErrTransport, "no address")
	}
	return all, err
}

// dialAny connects to the first address that answers. The next one is begun when one has failed, or has
// not answered for a while; the dialer of package net would wait for a dead one until ctx ends. The error
// is that of the first one that failed.
func dialAny(addresses []netip.Addr, dial func(netip.Addr) (net.Conn, error)) (_ net.Conn, err error) {
	type end struct {
		conn net.Conn
		err  error
	}
	ends := make(chan end, len(addresses))
	var connected atomic.Bool
	next := time.NewTimer(0)
	defer next.Stop()
	for failed, left := 0, addresses; failed < len(addresses); {
		select {
		case <-next.C:
			if len(left) == 0 {
				continue
			}
			a := left[0]
			go func() {
				conn, err := dial(a)
				if err == nil && connected.Swap(true) {
					_ = conn.Close() // another one was faster
					return
				}
				ends <- end{conn, err}
			}()
			left = left[1:]
			next.Reset(dialInterval)
		case e := <-ends:
			if e.err == nil {
				return e.conn, nil
			}
			err = cmp.Or(err, e.err)
			failed++
			next.Reset(0)
		}
	}
	return nil, err
}

// admitName resolves a host to which a proxy will connect, and refuses it if any of its addresses
// is denied, because it is not known which one the proxy uses.
func (g *guard) admitName(ctx context.Context, host string, least addressClass) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addresses, err := g.lookUp(ctx, host)
	if lookup, ok := errors.AsType[*net.DNSError](err); ok && lookup.IsNotFound {
		return refuseUnless(helpResolve, ErrTransport, "the proxy is asked only for names that can be resolved here: %s", describe(err))
	}
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := g.admit(a, least); err != nil {
			return err
		}
	}
	return nil
}
