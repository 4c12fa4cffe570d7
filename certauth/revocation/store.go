package revocation

import (
	"context"
	"time"
)

// Store keeps signed evidence where many instances of a service find it: OCSP responses
// and CRLs as they came, in DER. It is not trusted. Its contents are verified as
// if they came from the network, against the newest that the instance has seen. A store that
// was tampered with, is slow, or fails, costs time but never changes a decision.
//
// Keys are short and consist of lower-case letters, digits and hyphens. Implementations
// must be safe for concurrent use and must return when ctx ends.
type Store interface {
	// Get returns the evidence kept for the key, or false.
	Get(ctx context.Context, key string) (der []byte, ok bool, err error)
	// Set keeps der for at most ttl.
	Set(ctx context.Context, key string, der []byte, ttl time.Duration) error
}
