package fiberauth

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"golang.org/x/net/http/httpguts"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// request returns the request that net/http would have read from the bytes that arrived. It has
// no body; the body stays with Fiber.
func request(c fiber.Ctx) (*http.Request, error) {
	ctx := c.RequestCtx()
	header := &ctx.Request.Header
	raw := header.RawHeaders()
	if !bytes.HasSuffix(raw, []byte("\r\n\r\n")) && !bytes.Equal(raw, []byte("\r\n")) {
		return nil, errors.New("fiberauth: the headers are not as they arrived")
	}
	var text bytes.Buffer
	for _, part := range [][]byte{header.Method(), []byte(" "), header.RequestURI(), []byte(" "), header.Protocol(), []byte("\r\n"), raw} {
		text.Write(part)
	}
	r, err := http.ReadRequest(bufio.NewReader(&text))
	if err != nil {
		return nil, err
	}
	// http.Server checks all of the following, ReadRequest does not; fasthttp has checked the values.
	if !httpguts.ValidHostHeader(string(header.Host())) || r.ProtoAtLeast(1, 1) && r.Method != http.MethodConnect && !hasHost(raw) {
		return nil, errors.New("fiberauth: the Host header is missing or malformed")
	}
	for name := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, errors.New("fiberauth: the name of a header is not a token")
		}
	}
	if r.ProtoMajor != 1 { // fasthttp serves every version as HTTP/1
		return nil, errors.New("fiberauth: the version is not HTTP/1")
	}
	if target, _, _ := strings.Cut(r.RequestURI, "?"); target != c.Path() || r.Method != c.Method() {
		r.RequestURI = "" // middleware has changed what Fiber routes by, so that no Exclusion applies
	}
	r.Body, r.TLS, r.RemoteAddr = http.NoBody, ctx.TLSConnectionState(), ctx.RemoteAddr().String()
	base := c.Context()
	if conn := ctx.Conn(); conn != nil {
		base = certauth.ConnContext(base, conn)
	}
	return r.WithContext(base), nil
}

// hasHost reports whether there is a Host header, which is empty for a target without an authority (RFC 9112,
// section 3.2). If the target is a URL, Request.Host is that of the URL.
func hasHost(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		if name, _, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte(fiber.HeaderHost)) {
			return true
		}
	}
	return false
}

// hostHeaders are headers that net/http does not keep in Request.Header.
var hostHeaders = map[string]bool{"Host": true, "Transfer-Encoding": true, "Content-Length": true}

// maxStripped bounds the header lines that are deleted from a request, and those of names with several
// lines. Sources read few headers and honest clients send few trailers, and fasthttp needs quadratic time to
// delete lines.
const maxStripped = 128

// strip deletes all headers that the admitted request does not have: those of the source, h2c in the
// Upgrade header, and those from trailers. A trailer with the name of a header that stays is an error.
//
// Newer versions of fasthttp keep trailers apart, where only look-ups by name find them, until the header
// that announces them is deleted. net/http shows no handler that header either.
//
// fasthttp moves the last line to the place of one that is deleted. If a name has several lines, the front
// end's is often the last one, so they are put in their order again.
func strip(header *fasthttp.RequestHeader, admitted http.Header) error {
	header.Del(fiber.HeaderTrailer)
	for pass := range 2 {
		var gone [][]byte
		var several []line
		lines := map[string]int{}
		for key, value := range header.All() {
			name := http.CanonicalHeaderKey(string(key))
			lines[name]++
			switch values, stays := admitted[name]; {
			case hostHeaders[name]:
			case max(len(gone), len(several)) == maxStripped:
				return errors.New("fiberauth: too many trailers, or lines of one name")
			case name == fiber.HeaderUpgrade && pass == 0: // whose lines Handler may have joined
				gone = append(gone, bytes.Clone(key))
			case stays && (lines[name] > len(values) || lines[name] > 1 && name == fiber.HeaderUserAgent): // of which fasthttp keeps one line
				return errors.New("fiberauth: a trailer has the name of a header")
			case !stays:
				gone = append(gone, bytes.Clone(key))
			case len(values) > 1 && name != fiber.HeaderConnection: // whose order has no meaning
				several = append(several, line{name, bytes.Clone(key), bytes.Clone(value)})
			}
		}
		if len(gone) == 0 {
			return nil
		}
		several = slices.DeleteFunc(several, func(l line) bool { return lines[l.name] == 1 }) // fasthttp has joined them
		for _, l := range several {
			gone = append(gone, l.key)
		}
		for _, key := range gone {
			header.DelBytes(key)
		}
		for _, value := range admitted[fiber.HeaderUpgrade] {
			header.Add(fiber.HeaderUpgrade, value)
		}
		for _, l := range several {
			header.AddBytesKV(l.key, l.value)
		}
	}
	return errors.New("fiberauth: a header cannot be deleted")
}

// line is a header line with its name as net/http writes it.
type line struct {
	name       string
	key, value []byte
}
