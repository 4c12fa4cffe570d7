package forwarded

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// MinSecret is the least length of a shared secret, in bytes.
const MinSecret = 16

// maxSecret bounds it. Nothing longer is hashed.
const maxSecret = 4 << 10

// sharedSecret holds the values in a function: package fmt prints the fields of a struct
// where it cannot ask for String.
type sharedSecret struct {
	header string
	values func() []string
}

// SharedSecret opens if the request carries the header exactly once with one of the
// values. Give two while the secret rotates. It is compared in constant time and removed
// before any handler runs.
//
// A value shorter than [MinSecret] bytes or longer than 4096, with a space at either end or a byte outside
// printable ASCII, one that is an unresolved Key Vault reference, or no value at all, is an
// error of certauth.New.
//
// What must be true of your infrastructure: the front end overwrites the header on
// every route, and the way from there to here is TLS or a private link.
func SharedSecret(header string, values ...string) Gate {
	return sharedSecret{header, func() []string { return values }}
}

// String keeps the values out of printed configurations, and the header name until
// it is known that the two were not swapped.
func (sharedSecret) String() string { return "SharedSecret" }

// GoString is String.
func (s sharedSecret) GoString() string { return s.String() }

func (s sharedSecret) prepare(source.Environment) (gate, error) {
	var mistakes []error
	values := s.values()
	if strings.TrimSpace(s.header) == "" {
		mistakes = append(mistakes, errors.New("SharedSecret: header is empty"))
	} else if httpheader.Check(s.header) != nil { // which may be the secret, and is not shown
		mistakes = append(mistakes, errors.New("SharedSecret: header name: not one that can arrive; are header and value swapped?"))
	}
	if len(values) == 0 {
		mistakes = append(mistakes, errors.New("SharedSecret: no value"))
	}
	prepared := sharedSecretGate{header: http.CanonicalHeaderKey(s.header)}
	for i, value := range values {
		if err := checkSecret(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("SharedSecret: value %d: %w", i, err))
		}
		prepared.sums = append(prepared.sums, sha256.Sum256([]byte(value)))
	}
	return prepared, errors.Join(mistakes...)
}

func checkSecret(value string) error {
	if len(value) < MinSecret {
		return fmt.Errorf("%d bytes, want at least %d", len(value), MinSecret)
	}
	if len(value) > maxSecret {
		return fmt.Errorf("%d bytes, want at most %d", len(value), maxSecret)
	}
	for _, prefix := range []string{"@Microsoft.KeyVault(", "$(", "${"} {
		if strings.HasPrefix(value, prefix) {
			// App Service delivers the text of a reference that it could not resolve.
			return errors.New("an unresolved reference, which is no secret")
		}
	}
	if len(value) > 2 && strings.EqualFold(value[:2], "x-") && httpheader.Check(value) == nil {
		return errors.New("it looks like the name of a header; are header and value swapped?")
	}
	if strings.TrimSpace(value) != value {
		return errors.New("space at an end; servers trim it")
	}
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7E {
			return errors.New("byte outside printable ASCII")
		}
	}
	return nil
}

type sharedSecretGate struct {
	header string
	sums   [][sha256.Size]byte
}

func (g sharedSecretGate) admit(r *http.Request) (bool, error) {
	values := r.Header[g.header]
	if len(values) != 1 {
		return false, fmt.Errorf("%d values of %s, want 1", len(values), g.header)
	}
	if len(values[0]) > maxSecret {
		return false, fmt.Errorf("%s is not the shared secret", g.header)
	}
	// Hashing first makes all lengths equal, so that time says nothing about the length.
	have := sha256.Sum256([]byte(values[0]))
	match := 0
	for i := range g.sums {
		match |= subtle.ConstantTimeCompare(have[:], g.sums[i][:])
	}
	if match != 1 {
		return false, fmt.Errorf("%s is not the shared secret", g.header)
	}
	return false, nil
}

func (g sharedSecretGate) headers() []string { return []string{g.header} }
func (g sharedSecretGate) String() string    { return "SharedSecret(" + g.header + ")" }
