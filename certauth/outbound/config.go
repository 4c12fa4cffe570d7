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

// Config describes the application's own certificate and the servers to which it is presented. [Open] copies it.
type Config struct {
	// Source provides the certificate and its key. Required.
	Source Source

	// Select selects one certificate of the source, and is a check if there is only one. The zero value accepts any
	// certificate, unless the source holds several with different names.
	Select Select

	// Password returns the password of PKCS#12 data. It is called before each load. Nil, or an empty result, means that
	// there is no password. If it returns an error, the load fails.
	Password func(context.Context) (string, error)

	// AllowServerAuth also accepts a certificate whose extended key usage is serverAuth without clientAuth, as public
	// CAs issue them. Servers that check the usage refuse it.
	AllowServerAuth bool

	// ServerRoots are the CAs with which servers are verified. They are reloaded like Source. Nil means the system's
	// roots, as everywhere in Go. A source that holds a private key, or a piece that cannot be read, is an error.
	ServerRoots Source

	// ServerKeys pins the servers' public keys: SHA-256 digests of the SubjectPublicKeyInfo, in hex or standard base64.
	// The key of the server's own certificate must be one of them, in addition to the usual verification. Nil pins
	// nothing, and an empty slice is an error. List the next key before the server changes to it, or connections fail.
	ServerKeys []string

	// RenegotiateOnce lets a server request the certificate once after the handshake, as App Service does if it has
	// exclusion paths or OptionalInteractiveUser. This needs TLS 1.2 and HTTP/1.1, so neither TLS 1.3 nor HTTP/2 is
	// offered. App Service refuses request bodies above 100 KB on such connections: send a HEAD request first, or
	// "Expect: 100-continue".
	RenegotiateOnce bool

	// Interval is the time between two loads of Source and ServerRoots, at least 1s. Up to a fifth is subtracted at
	// random. 0 means 4s, or 15m if one of the sources is a [Fetch]. After a failure the next attempt comes sooner:
	// first after a sixteenth of the interval, but at least 1s, and then after twice as long each time.
	Interval time.Duration

	// Logger receives a record for every event; nil logs nothing. A failed load that repeats is logged less and less
	// often, and a failure or warning about connections to one host, for one reason, once a minute; the attribute
	// repeated counts those in between.
	Logger *slog.Logger

	// Observe receives every event; nil is ignored. It is called during handshakes and from several goroutines, so it
	// must be fast and safe for concurrent use. It must not call Reload or Close, which wait for it. A panic in it is
	// recovered.
	Observe func(Event)

	// Now is the clock with which certificates are judged, safe for concurrent use; nil means time.Now. Timers use the
	// runtime's clock, so a step of this one delays nothing. A panic in it is recovered, and time.Now is used instead.
	Now func() time.Time
}

const (
	localInterval = 4 * time.Second
	fetchInterval = 15 * time.Minute
)

// compile checks the configuration, sets the defaults and reports all mistakes at once.
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
			found = append(found, errors.New("ServerRoots: a nil value of a source type, want nil or a source"))
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
		noun := "mistakes"
		if len(found) == 1 {
			noun = "mistake"
		}
		return nil, nil, fmt.Errorf("outbound: %d %s in Config: %w", len(found), noun, errors.Join(found...))
	}
	if c.Interval == 0 {
		c.Interval = localInterval
		if !c.Source.local() || c.ServerRoots != nil && !c.ServerRoots.local() {
			c.Interval = fetchInterval
		}
	}
	now, usual := c.Now, time.Now //nolint:forbidigo // the one use of it as a default
	if now == nil {
		now = usual
	}
	c.Now = func() (t time.Time) {
		defer func() {
			if recover() != nil { // handshakes and loads run in goroutines whose panics nobody else recovers
				t = usual().Round(0)
			}
		}()
		return now().Round(0) // without the monotonic reading, which would hide that the clock was set
	}
	return selected, pins, nil
}

// isNil reports whether the interface is nil or holds a nil pointer or function.
func isNil(s Source) bool {
	if s == nil {
		return true
	}
	value := reflect.ValueOf(s)
	return (value.Kind() == reflect.Pointer || value.Kind() == reflect.Func) && value.IsNil()
}

func parsePin(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(strings.ToLower(text), "sha256/") {
		return nil, errors.New("begins with the name of the hash; the pin is the part after it")
	}
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
