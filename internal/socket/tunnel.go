package socket

import (
	"crypto/tls"
	"errors"
	"net/http"
	"reflect"
	"strings"
)

// connectionStater is implemented by connections that net/http treats as encrypted.
type connectionStater interface {
	ConnectionState() tls.ConnectionState
}

// Tunnel returns an *Error if the request arrived over a connection that a handler took over
// (http.Hijacker) to speak HTTP/2 on it, as golang.org/x/net/http2/h2c does. A client asks for
// this with "Upgrade: h2c" (RFC 7540, section 3.2; removed by RFC 9113). If a front end passes
// this on and the answer is 101, the client talks directly to the service: it writes every header
// of later requests, while the socket's peer is still the front end.
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

// AsksForTunnel reports whether golang.org/x/net/http2/h2c would treat the request as the start
// of HTTP/2 with prior knowledge. A net/http server that speaks HTTP/2 itself passes no such
// request to a handler.
func AsksForTunnel(r *http.Request) bool { return r.Method == "PRI" && r.ProtoMajor == 2 }

// maxUpgrade bounds the Upgrade header. Its honest values are a few words.
const maxUpgrade = 4 << 10

// DropUpgrade removes h2c from the Upgrade header of an HTTP/1 request and leaves other
// protocols, such as websocket. A server may ignore any of them (RFC 9110, section 7.8), and
// ignores all of a header that is longer than maxUpgrade.
func DropUpgrade(header http.Header) {
	lines, ok := header["Upgrade"]
	if !ok {
		return
	}
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if size > maxUpgrade {
		delete(header, "Http2-Settings")
		delete(header, "Upgrade")
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

// tunnels asks the connection itself whether it is encrypted. On a connection that was taken
// over, the client chooses the scheme and thereby whether Request.TLS is set.
func (c *connection) tunnels(r *http.Request) bool {
	if c.encrypted {
		return c.protocol != "h2"
	}
	return overTunnel(r, r.TLS != nil, protocolOf(r.TLS))
}

// overTunnel reports whether net/http itself cannot have served this HTTP/2 request. It serves
// HTTP/2 if TLS negotiated h2, and without TLS if Protocols permits it.
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

// TakesOver reports whether the handler is that of golang.org/x/net/http2/h2c. Together with
// Protocols, its only effect is to take over connections that ask for an upgrade.
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
