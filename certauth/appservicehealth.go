package certauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"strings"
)

const (
	healthTokenHeader = "X-Ms-Auth-Internal-Token" //nolint:gosec // the name of a header, not a secret
	healthKeyVariable = "WEBSITE_AUTH_ENCRYPTION_KEY"
)

// newHealthToken reads the key of the platform. The widely copied check accepts the hash of
// nothing where the variable is unset.
//
// Source: Microsoft Learn, "Monitor App Service instances by using health check".
func newHealthToken() (*healthToken, error) {
	key := os.Getenv(healthKeyVariable)
	if strings.TrimSpace(key) == "" {
		return nil, errors.New(healthKeyVariable + " is empty, and anyone can compute the hash of an empty key")
	}
	if strings.HasPrefix(strings.ToLower(key), "@microsoft.") {
		return nil, errors.New(healthKeyVariable + " is an unresolved reference, not a secret; check that the app can read what it refers to")
	}
	sum := sha256.Sum256([]byte(key))
	token := healthToken(sha256.Sum256([]byte(base64.StdEncoding.EncodeToString(sum[:]))))
	return &token, nil
}

// healthToken is the hash of the token: the token itself opens the door and is kept nowhere.
type healthToken [sha256.Size]byte

func (t *healthToken) holds(r *http.Request) bool {
	values := r.Header[healthTokenHeader]
	if len(values) != 1 || len(values[0]) != base64.StdEncoding.EncodedLen(sha256.Size) {
		return false
	}
	have := sha256.Sum256([]byte(values[0]))
	return subtle.ConstantTimeCompare(have[:], t[:]) == 1
}
