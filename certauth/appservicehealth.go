package certauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// AppServiceHealth lets an [Exclusion] apply only to Azure App Service's own health
// probe. On Windows plans the platform sends the header x-ms-auth-internal-token: the
// base64 of the SHA-256 of WEBSITE_AUTH_ENCRYPTION_KEY. Linux plans send none, so there
// the probe is refused; exclude the path without a Proof.
//
// A request without exactly this token is judged like any other. The token proves a
// platform probe, not a caller: the request gets no identity.
//
// Source: Microsoft Learn, "Monitor App Service instances by using health check". The
// widely copied check accepts the hash of nothing where the variable is unset; here an
// empty key is an error of [New]. The comparison takes constant time.
type AppServiceHealth struct {
	// Key is the encryption key. Empty means the environment variable
	// WEBSITE_AUTH_ENCRYPTION_KEY, read by New.
	Key string
}

// String keeps the key out of whatever prints a configuration. Package fmt does not ask where
// the value stands in an unexported field of another struct; leave Key empty if yours does.
func (AppServiceHealth) String() string { return "AppServiceHealth" }

// Format implements [fmt.Formatter]: String for every verb.
func (p AppServiceHealth) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.String()) }

// MarshalText implements [encoding.TextMarshaler] for JSON and the handlers of log/slog.
func (p AppServiceHealth) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

const (
	healthTokenHeader = "X-Ms-Auth-Internal-Token" //nolint:gosec // the name of a header, not a secret
	healthKeyVariable = "WEBSITE_AUTH_ENCRYPTION_KEY"
)

func (p AppServiceHealth) prepare() (proof, error) {
	key := p.Key
	if key == "" {
		key = os.Getenv(healthKeyVariable)
	}
	if strings.TrimSpace(key) == "" {
		return nil, errors.New("AppServiceHealth: Key and " + healthKeyVariable + " are empty; anybody can hash an empty key")
	}
	if strings.HasPrefix(key, "@Microsoft.KeyVault(") {
		return nil, errors.New("AppServiceHealth: the key is an unresolved reference, which is no secret")
	}
	sum := sha256.Sum256([]byte(key))
	return healthToken(sha256.Sum256([]byte(base64.StdEncoding.EncodeToString(sum[:])))), nil
}

// healthToken is the hash of the token: the token itself opens the door and is kept nowhere.
type healthToken [sha256.Size]byte

func (t healthToken) holds(r *http.Request) bool {
	values := r.Header[healthTokenHeader]
	if len(values) != 1 || len(values[0]) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return false
	}
	have := sha256.Sum256([]byte(values[0]))
	return subtle.ConstantTimeCompare(have[:], t[:]) == 1
}

func (healthToken) String() string { return "the App Service health token" }
