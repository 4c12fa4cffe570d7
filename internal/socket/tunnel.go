package socket

import (
	"crypto/tls"
	"errors"
	"net/http"
	"reflect"
	"strings"
)

// connectionStater is a connection that net/http takes for an encrypted one.
type connectionStater interface {
	ConnectionState() tls.ConnectionState
}

// Tunnel returns an *Error if the request came over a connection that a handler took over
// (http.Hijacker) to speak HTTP/2 on it, as golang.org/x/net/http2/h2c does. A client asks
// for it by "Upgrade: h2c" (RFC 7540, section 3.2; RFC 9113 knows it no more). A front end
// that passes this on, and the answer 101, connects the client with the service: the
// client writes every header of the requests that follow, and the socket's peer is the
// front end all the same.
func Tunnel(r *http.Request) error {
	if r.ProtoMajor != 2 {
		return nil
	}
	_, err := connectionOf(r)
	if err == nil || errors.Is(err, errTunnel) {
		return err
	}
	if overTunnel(r, r.TLS != nil, protocolOf(r.TLS)) {
		return errTunnel
	}
	return nil
}

// AsksForTunnel reports whether the request is what golang.org/x/net/http2/h2c takes for
// the beginning of HTTP/2 with prior knowledge. No server of net/http that speaks HTTP/2
// itself hands it to a handler.
func AsksForTunnel(r *http.Request) bool { return r.Method == "PRI" && r.ProtoMajor == 2 }

// DropUpgrade removes the wish for h2c from an HTTP/1 request, and leaves others, such as
// websocket. A server may ignore any of them (RFC 9110, section 7.8).
func DropUpgrade(header http.Header) {
	lines, ok := header["Upgrade"]
	if !ok {
		return
	}
	var kept []string
	found := false
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.Trim(option, " \t"); strings.EqualFold(option, "h2c") {
				found = true
			} else if option != "" {
				kept = append(kept, option)
			}
		}
	}
	if !found {
		return
	}
	delete(header, "Http2-Settings")
	if delete(header, "Upgrade"); len(kept) > 0 {
		header["Upgrade"] = []string{strings.Join(kept, ", ")}
	}
}

func protocolOf(state *tls.ConnectionState) string {
	if state == nil {
		return ""
	}
	return state.NegotiatedProtocol
}

// tunnels asks the connection itself whether it is encrypted: on one that was taken over
// the client chooses the scheme, and so whether Request.TLS is set.
func (c *connection) tunnels(r *http.Request) bool {
	if c.encrypted {
		return c.protocol != "h2"
	}
	return overTunnel(r, r.TLS != nil, protocolOf(r.TLS))
}

// overTunnel reports whether net/http cannot itself have served this HTTP/2 request: it
// does so where TLS negotiated h2, and in clear where Protocols says so.
func overTunnel(r *http.Request, encrypted bool, protocol string) bool {
	if encrypted {
		return protocol != "h2"
	}
	server := serverOf(r.Context())
	if server == nil || server.Protocols == nil || !server.Protocols.UnencryptedHTTP2() {
		return true
	}
	return TakesOver(server.Handler)
}

// TakesOver reports whether the handler is that of golang.org/x/net/http2/h2c. Beside
// Protocols it has nothing to do but to take over what asks for an upgrade.
func TakesOver(handler http.Handler) bool {
	if handler == nil {
		return false
	}
	of := reflect.TypeOf(handler)
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	return strings.HasSuffix(of.PkgPath(), "golang.org/x/net/http2/h2c")
}
