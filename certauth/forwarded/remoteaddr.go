package forwarded

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

type remoteAddr []string

// InsecureRemoteAddr admits requests whose Request.RemoteAddr, at the time of the check, is
// in the list. The syntax of the list is that of [Peers]. What can happen: RemoteAddr holds
// the value that was written last. Behind middleware that takes it from X-Forwarded-For or
// X-Real-IP (gorilla's ProxyHeaders, chi's RealIP), or behind a listener that reads PROXY
// headers, a client chooses its own address. Use it only for servers that do not support
// http.Server.ConnContext and that have no such middleware or listener in front.
func InsecureRemoteAddr(prefixes ...string) Gate { return remoteAddr(prefixes) }

func (a remoteAddr) prepare(source.Environment) (gate, error) {
	networks, err := parseNetworks("InsecureRemoteAddr", a)
	return check("InsecureRemoteAddr("+networks.String()+")", func(r *http.Request) error {
		if err := socket.Tunnel(r); err != nil {
			return err
		}
		address, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !networks.contain(address.Addr().Unmap().WithZone("")) {
			return fmt.Errorf("RemoteAddr %s is not in InsecureRemoteAddr", logtext.Quote(r.RemoteAddr[:min(len(r.RemoteAddr), maxFlag)]))
		}
		return nil
	}), err
}
