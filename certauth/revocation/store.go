package revocation

import (
	"context"
	"time"
)

// Store keeps signed evidence where many instances of a service find it: OCSP responses
// and CRLs as they came, in DER. It is not trusted. Whatever comes out of it is verified as
// if it came from the network, against the newest that the instance has seen. A store that
// was tampered with, is slow, or fails, costs time and never a decision.
//
// Keys are short and consist of lower-case letters, digits and hyphens. Implementations
// must be safe for concurrent use and must return when ctx ends.
type Store interface {
	// Get returns what is kept for the key, or false.
	Get(ctx context.Context, key string) (der []byte, ok bool, err error)
	// Set keeps der for at most ttl.
	Set(ctx context.Context, key string, der []byte, ttl time.Duration) error
}

// Leaser is a Store through which instances agree on who fetches. Without it, instances
// that start together fetch each for itself.
type Leaser interface {
	Store
	// Lease reports whether the caller is the one to fetch what the key stands for: true
	// for one caller until ttl has passed or release was called; release is nil if the
	// lease was not granted. Who does not get the lease waits a bounded time for the
	// evidence to appear, then fetches anyway.
	Lease(ctx context.Context, key string, ttl time.Duration) (release func(context.Context), granted bool, err error)
}
