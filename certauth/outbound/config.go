package outbound

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
)

// Config describes the application's own certificate and the servers it is for. It is copied by [Open].
type Config struct {
	// Source is where the certificate and its key come from. Required.
	Source Source

	// Select says which certificate of the source is meant, and is a check if there is only one. The zero value takes any,
	// unless there are several with different names.
	Select Select

	// Password gives the password of PKCS#12 data before each load; nil and an empty one mean none. An error fails
	// the load.
	Password func(context.Context) (string, error)

	// AllowServerAuth also takes a certificate whose extended key usage is serverAuth without clientAuth, as public CAs
	// issue them. Servers that check the usage refuse it.
	AllowServerAuth bool

	// ServerRoots are the CAs that servers are verified by; they are reloaded as Source is. Nil means the system's,
	// as everywhere in Go. A source with a private key in it, or with a piece that cannot be read, is an error.
	ServerRoots Source

	// ServerKeys pins the servers' public keys: SHA-256 digests of the SubjectPublicKeyInfo, in hex or standard base64. A
	// server's own key must be one of them, besides everything else. Empty pins nothing. List the next key too, or its
	// renewal cuts the connection.
	ServerKeys []string

	// RenegotiateOnce lets a server ask for the certificate after the handshake, once, as App Service does when it has
	// exclusion paths or OptionalInteractiveUser. This needs TLS 1.2 and HTTP/1.1, so neither TLS 1.3 nor HTTP/2 is
	// offered. App Service refuses request bodies above 100 KB on such connections: send a HEAD request first, or
	// "Expect: 100-continue".
	RenegotiateOnce bool

	// Interval is how often Source and ServerRoots are read again, at least a second. Up to a fifth of it is taken off at
	// random. 0 means 4 seconds, or 15 minutes if one of them is a [Fetch]. After a failure the next attempt comes
	// sooner, first after a sixteenth of the interval and then doubling.
	Interval time.Duration

	// Logger gets a record for every event; nil for none. A failure that repeats is logged ever more rarely.
	Logger *slog.Logger

	// Observe gets every event. It is called during handshakes and from several goroutines, so it must be fast and safe
	// for concurrent use, and it must not call Reload or Close, which wait for it. A panic in it is dropped.
	Observe func(Event)

	// Now is the clock that certificates are judged by; nil means time.Now. Waiting goes by the runtime's clock, so
	// a step of this one delays nothing.
	Now func() time.Time
}

const (
	localInterval = 4 * time.Second
	fetchInterval = 15 * time.Minute
)

// compile checks the configuration, sets the defaults and returns all mistakes at once.
func (c *Config) compile() (*selection, [][]byte, error) {
	var found []error
	switch {
	case isNil(c.Source):
		found = append(found, errors.New("Source: not set"))
	default:
		found = append(found, mistakes.Prefix("Source."+c.Source.name(), c.Source.check()...)...)
	}
	if c.ServerRoots != nil {
		if isNil(c.ServerRoots) {
			found = append(found, errors.New("ServerRoots: a nil value, want none or a source"))
		} else {
			found = append(found, mistakes.Prefix("ServerRoots."+c.ServerRoots.name(), c.ServerRoots.check()...)...)
		}
	}
	selected, wrong := c.Select.compile()
	found = append(found, mistakes.Prefix("Select", wrong...)...)
	var pins [][]byte
	for i, text := range c.ServerKeys {
		pin, err := parsePin(text)
		if err != nil {
			found = append(found, fmt.Errorf("ServerKeys[%d]: %w", i, err))
		}
		pins = append(pins, pin)
	}
	if c.ServerKeys != nil && len(c.ServerKeys) == 0 {
		found = append(found, errors.New("ServerKeys: empty, want nil or pins"))
	}
	if c.Interval != 0 && c.Interval < time.Second {
		found = append(found, fmt.Errorf("Interval: %s, want at least 1s", c.Interval))
	}
	if len(found) > 0 {
		return nil, nil, fmt.Errorf("outbound: %d mistakes in Config: %w", len(found), errors.Join(found...))
	}
	if c.Interval == 0 {
		c.Interval = localInterval
		if !c.Source.local() || c.ServerRoots != nil && !c.ServerRoots.local() {
			c.Interval = fetchInterval
		}
	}
	now := c.Now
	if now == nil {
		now = time.Now //nolint:forbidigo // the one default
	}
	// Without the monotonic reading, which would hide that the clock was set.
	c.Now = func() time.Time { return now().Round(0) }
	return selected, pins, nil
}

// isNil finds a nil interface and a nil pointer or function in one.
func isNil(s Source) bool {
	if s == nil {
		return true
	}
	value := reflect.ValueOf(s)
	return (value.Kind() == reflect.Pointer || value.Kind() == reflect.Func) && value.IsNil()
}

func parsePin(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	pin, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(text))
	if err != nil {
		if pin, err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
			return nil, errors.New("neither hex nor padded standard base64")
		}
	}
	if len(pin) != 32 {
		return nil, fmt.Errorf("%d bytes, want the 32 of SHA-256", len(pin))
	}
	return pin, nil
}
