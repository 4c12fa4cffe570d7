// Package httpheader determines which names and values a header field can have in a request that a
// net/http server passes to a handler.
package httpheader

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// MaxName bounds a name, in bytes.
const MaxName = 63

// never lists names of fields that a handler does not find in the request's header, or that
// belong to one connection rather than to the request (RFC 9110, section 7.6.1).
var never = map[string]string{
	"Host":                "net/http moves it to Request.Host",
	"Content-Length":      "it is the framing of the body, and net/http's to read",
	"Transfer-Encoding":   "it is the framing of the body, and net/http's to read",
	"Trailer":             "net/http moves it to Request.Trailer",
	"Connection":          "it belongs to one connection",
	"Proxy-Connection":    "it belongs to one connection",
	"Keep-Alive":          "it belongs to one connection",
	"Te":                  "it belongs to one connection",
	"Upgrade":             "it belongs to one connection",
	"Http2-Settings":      "it belongs to one connection",
	"Proxy-Authenticate":  "it belongs to one connection",
	"Proxy-Authorization": "it belongs to one connection",
	"Expect":              "net/http answers it itself",
}

// Check returns an error if a front end cannot transmit data in a header of this name: it is not
// a token (RFC 9110, section 5.6.2), is too long, or is one that the front end cannot set. The
// pseudo-header fields of HTTP/2, which begin with a colon, are not tokens.
func Check(name string) error {
	if !IsToken(name) || len(name) > MaxName {
		return fmt.Errorf("header name %s is not a token of at most %d bytes", logtext.Quote(name), MaxName)
	}
	folded := strings.NewReplacer("_", "-", ".", "-").Replace(name)
	if why, ok := never[http.CanonicalHeaderKey(folded)]; ok {
		return fmt.Errorf("header %s cannot carry it: %w", logtext.Quote(name), errors.New(why))
	}
	return nil
}

// CheckValue returns an error if no header can have the value (RFC 9110, section 5.5), or if it is
// longer than most bytes.
func CheckValue(value string, most int) error {
	if strings.TrimSpace(value) != value {
		return errors.New("leading or trailing space, which servers trim")
	}
	for i := range len(value) {
		if c := value[i]; c < 0x20 && c != '\t' || c == 0x7F {
			return fmt.Errorf("byte 0x%02x at offset %d, which no header has", c, i)
		}
	}
	if len(value) > most {
		return fmt.Errorf("%d bytes, want at most %d", len(value), most)
	}
	return nil
}

// IsToken reports whether s is a token of RFC 9110, section 5.6.2, the syntax of header names,
// methods and schemes.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
