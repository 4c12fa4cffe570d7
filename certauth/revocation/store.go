package revocation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
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

const (
	storeTimeoutOCSP = 100 * time.Millisecond
	storeTimeoutCRL  = 2 * time.Second
	storeTTLLeast    = time.Minute
	storeTTLMost     = 7 * 24 * time.Hour
)

// Keys are hashes, so that they are short and tell a reader of the Store nothing. The first letter
// is the kind of evidence, the digit the version of the key's form.
func ocspKey(r *record) string {
	return "o1-" + hashOf(r.authority.key, string(r.who.Serial()))
}

func listKey(l *remoteList) string {
	return "c1-" + hashOf(l.authority.key, strings.Join(l.urls, "\n"))
}

func hashOf(authority, what string) string {
	a := sha256.Sum256([]byte(authority))
	sum := sha256.Sum256(append(a[:], what...))
	return hex.EncodeToString(sum[:])
}

// fromStore reads from the Store. It waits no longer than ctx and within, even if the Store
// ignores them. Errors, slowness and panics count as a miss. ended is called once, when the Store
// has returned, which may be after fromStore has.
func (c *Checker) fromStore(ctx context.Context, key string, within time.Duration, ended func()) (der []byte, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, min(within, c.config.MaxWait/4))
	defer cancel()
	var came struct { // read after the flight, since the caller may leave before
		der []byte
		ok  bool
	}
	err := c.background.begin(func(context.Context) (err error) {
		defer ended()
		came.der, came.ok, err = c.config.Store.Get(ctx, key)
		return err
	}).wait(ctx)
	if err != nil {
		c.storeFails(ctx, err)
		return nil, false
	}
	if !came.ok {
		c.stats.storeMisses.Add(1)
	}
	return came.der, came.ok
}

// ocspFromStore learns the stored response, if it verifies and is newer, and returns it if it is
// Good or Revoked. Whatever the Store returns, the decision rests on the CA's signature: an
// expired response that says revoked denies, as it does from the network.
func (c *Checker) ocspFromStore(ctx context.Context, r *record, cert *x509.Certificate) *Result {
	if !c.storesOCSP() {
		return nil
	}
	der, ok := c.fromStore(ctx, ocspKey(r), storeTimeoutOCSP, func() {})
	if !ok {
		return nil
	}
	known := r.state.Load().ocsp
	result, err := c.verifyStored(r, cert, der, known)
	r.accuse(&result)
	if err != nil {
		c.storeLies(ctx, err)
		return nil
	}
	if !isForStore(&result) || known != nil && c.outranks(known, c.config.Now()) != nil && !result.ThisUpdate.After(known.ThisUpdate) {
		return nil
	}
	c.learn(r, cert, result, true) // what has arrived meanwhile may be newer
	c.stats.storeHits.Add(1)
	return r.state.Load().ocsp
}

// storesOCSP reports whether responses are shared. With NonceRequire a stored one answers another request.
func (c *Checker) storesOCSP() bool {
	return c.config.Store != nil && c.config.Verify.NonceMode != NonceRequire
}

// isForStore reports whether a response may be shared through the Store. A Good without nextUpdate
// may not: newer information is available all the time (RFC 6960, section 4.2.2.1), so it is used for
// a few minutes after it was received, and the Store does not know when that was. Unknown is used for
// as short a time.
func isForStore(r *Result) bool {
	return r.Status == Revoked || r.Status == Good && !r.NextUpdate.IsZero()
}

func (c *Checker) verifyStored(r *record, cert *x509.Certificate, der []byte, known *Result) (Result, error) {
	terms := c.terms(c.config.Now())
	terms.NonceMode, terms.Previous = NonceOff, c.outranks(known, terms.Now)
	for _, to := range r.responders {
		terms.TrustedResponders = append(terms.TrustedResponders, to.trusted...)
	}
	return VerifyOCSP(der, cert, r.authority.cert(), terms)
}

// ocspToStore stores the fetched response, unless the Store has a newer one, or the response alone
// does not prove the known revocation: the Store may hold the proof.
func (c *Checker) ocspToStore(ctx context.Context, r *record, cert *x509.Certificate, got answerOf) {
	if !c.storesOCSP() || !isForStore(&got.result) {
		return
	}
	if got.result.Status == Revoked {
		if own, err := c.verifyStored(r, cert, got.der, nil); err != nil || own.Status != Revoked {
			return
		}
	}
	if der, ok := c.fromStore(ctx, ocspKey(r), storeTimeoutOCSP, func() {}); ok {
		there, err := c.verifyStored(r, cert, der, r.state.Load().ocsp)
		if err == nil && isForStore(&there) && there.ThisUpdate.After(got.result.ThisUpdate) {
			c.learn(r, cert, there, true) // newer than the fetched response
			return
		}
	}
	c.toStore(ocspKey(r), got.der, got.result.UsableUntil, storeTimeoutOCSP, func() {})
}

// toStore stores evidence without making a request wait, and calls then at the end.
func (c *Checker) toStore(key string, der []byte, until time.Time, within time.Duration, then func()) {
	ttl := min(max(until.Sub(c.config.Now()), storeTTLLeast), storeTTLMost)
	c.background.begin(func(base context.Context) error {
		defer then()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(base), within) // Close waits for it
		defer cancel()
		if err := guarded(func() error { return c.config.Store.Set(ctx, key, der, ttl) }); err != nil {
			c.storeFails(ctx, err)
		}
		return nil
	})
}

// storeFails counts and logs an error of the Store.
func (c *Checker) storeFails(ctx context.Context, err error) {
	c.stats.storeErrors.Add(1)
	c.complainOnce(ctx, "the store fails; evidence is fetched instead", err)
}

// storeLies counts and logs a stored value that does not verify.
func (c *Checker) storeLies(ctx context.Context, err error) {
	c.stats.storeRejected.Add(1)
	c.complainOnce(ctx, "a value in the store does not verify; evidence is fetched instead", err)
}
