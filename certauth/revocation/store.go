package revocation

import (
	"context"
	"time"
)

// Store keeps signed evidence, OCSP responses and CRLs in DER, where all instances of a service
// can find it. It is not trusted: its contents are verified like responses from the network,
// against the newest evidence that the instance has seen. A store that was tampered with, is
// slow, or fails costs time but never changes a decision.
//
// Keys are short and consist of lower-case letters, digits and hyphens. Implementations must be
// safe for concurrent use and must return when ctx ends. An error counts as if nothing was found.
type Store interface {
	// Get returns the evidence stored under the key, or false.
	Get(ctx context.Context, key string) (der []byte, ok bool, err error)
	// Set stores der for at most ttl, replacing a previous value.
	Set(ctx context.Context, key string, der []byte, ttl time.Duration) error
}
