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

// MinSecret is the minimum length of a shared secret, in bytes.
const MinSecret = 16

// maxSecret is the maximum length of a shared secret. Longer values are not hashed.
const maxSecret = 4 << 10

// sharedSecret holds the values in a function, because package fmt prints the fields of a
// struct where it cannot call String.
type sharedSecret struct {
	header string
	values func() []string
}

// SharedSecret admits a request that carries the header exactly once with one of the
// values. Configure two values while the secret is rotated. The comparison takes constant
// time, and the header is removed before any handler runs.
//
// It is an error of certauth.New if there is no value, or if a value is shorter than
// [MinSecret] or longer than 4096 bytes, begins or ends with a space, holds a byte outside
// printable ASCII, or is a reference to Key Vault or App Configuration that App Service has not
// resolved.
//
// Your infrastructure must ensure that the front end overwrites the header on every route,
// that the connection from there to this process is TLS or a private link, and that nothing
// which receives the header shows it to clients: Apache does in answers to TRACE, see [Apache].
func SharedSecret(header string, values ...string) Gate {
	return sharedSecret{header, func() []string { return values }}
}

// String keeps the values out of printed configurations. It omits the header name as well,
// because name and value may have been swapped by mistake.
func (sharedSecret) String() string { return "SharedSecret" }

// GoString is String.
func (s sharedSecret) GoString() string { return s.String() }

func (s sharedSecret) prepare(source.Environment) (gate, error) {
	var mistakes []error
	values := s.values()
	if strings.TrimSpace(s.header) == "" {
		mistakes = append(mistakes, errors.New("SharedSecret: header is empty"))
	} else if httpheader.Check(s.header) != nil { // the name may be the secret, so it is not printed
		mistakes = append(mistakes, errors.New("SharedSecret: header name: not a header that can arrive; check whether header and value are swapped"))
	}
	if len(values) == 0 {
		mistakes = append(mistakes, errors.New("SharedSecret: no value"))
	}
	header := http.CanonicalHeaderKey(s.header)
	var sums [][sha256.Size]byte
	for i, value := range values {
		if err := checkSecret(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("SharedSecret: value %d: %w", i, err))
		}
		sums = append(sums, sha256.Sum256([]byte(value)))
	}
	prepared := check("SharedSecret("+header+")", func(r *http.Request) error { return holdsSecret(r.Header[header], header, sums) })
	prepared.headers = []string{header}
	return prepared, errors.Join(mistakes...)
}

func checkSecret(value string) error {
	if len(value) < MinSecret {
		return fmt.Errorf("%d bytes, want at least %d", len(value), MinSecret)
	}
	if len(value) > maxSecret {
		return fmt.Errorf("%d bytes, want at most %d", len(value), maxSecret)
	}
	for _, prefix := range []string{"@microsoft.", "$(", "${"} {
		if strings.HasPrefix(strings.ToLower(value), prefix) {
			// If App Service cannot resolve a reference, it delivers the text of the
			// reference (Microsoft Learn, "Use Key Vault references" and "Use App
			// Configuration references").
			return errors.New("an unresolved reference, not a secret; check that the app can read what it refers to")
		}
	}
	if len(value) > 2 && strings.EqualFold(value[:2], "x-") && httpheader.Check(value) == nil {
		return errors.New("it looks like the name of a header; check whether header and value are swapped")
	}
	if strings.TrimSpace(value) != value {
		return errors.New("leading or trailing space, which servers trim")
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("byte outside printable ASCII")
	}
	return nil
}

// holdsSecret requires one value, whose hash is one of the sums.
func holdsSecret(values []string, header string, sums [][sha256.Size]byte) error {
	if len(values) != 1 {
		return fmt.Errorf("%d values of %s, want 1", len(values), header)
	}
	if len(values[0]) > maxSecret {
		return fmt.Errorf("%s is not the shared secret", header)
	}
	// Hashing first makes all lengths equal, so that timing does not reveal the length.
	have := sha256.Sum256([]byte(values[0]))
	match := 0
	for i := range sums {
		match |= subtle.ConstantTimeCompare(have[:], sums[i][:])
	}
	if match != 1 {
		return fmt.Errorf("%s is not the shared secret", header)
	}
	return nil
}
