package revocation

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"
)

const (
	storeTimeoutOCSP = 100 * time.Millisecond
	storeTimeoutCRL  = 2 * time.Second
	storeTTLLeast    = time.Minute
	storeTTLMost     = 7 * 24 * time.Hour
)

// turn is how instances that share a store agree on who fetches.
type turn struct {
	lease, wait, look time.Duration
	store             time.Duration // what one look may take
}

var (
	ocspTurn = turn{lease: 10 * time.Second, wait: 2 * time.Second, look: 50 * time.Millisecond, store: storeTimeoutOCSP}
	listTurn = turn{lease: time.Minute, wait: 30 * time.Second, look: 250 * time.Millisecond, store: storeTimeoutCRL}
)

// keys name what is stored by a hash, so that they are short and tell who reads them
// nothing. The first letter is the kind, the number the version of the form.
func ocspKey(r *record) string {
	return "o1-" + hashOf(r.authority.key, string(r.who.serial))
}

func listKey(l *remoteList) string {
	return "c1-" + hashOf(l.authority.key, strings.Join(l.urls, "\n"))
}

func hashOf(authority, what string) string {
	a := sha256.Sum256([]byte(authority))
	sum := sha256.Sum256(append(a[:], what...))
	return hex.EncodeToString(sum[:])
}

// fromStore reads from the store. Errors, slowness and a panic are a miss.
func (c *Checker) fromStore(ctx context.Context, key string, within time.Duration) ([]byte, bool) {
	if c.config.Store == nil {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	type found struct {
		der []byte
		ok  bool
	}
	got, err := patiently(ctx, c.crew, func() (f found, err error) {
		f.der, f.ok, err = c.config.Store.Get(ctx, key)
		return f, err
	})
	if err != nil {
		c.stats.storeErrors.Add(1)
		return nil, false
	}
	if !got.ok {
		c.stats.storeMisses.Add(1)
	}
	return got.der, got.ok
}

// patiently runs f and does not wait for it longer than ctx lasts, even if it ignores it.
// What f returns comes through a channel, since f may still run when the caller has left.
func patiently[T any](ctx context.Context, by *crew, f func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	var o outcome
	started := by.run(func(context.Context) (err error) {
		o.value, err = f()
		return err
	}, func(err error) {
		o.err = err
		done <- o
	})
	var nothing T
	if !started {
		return nothing, ErrClosed
	}
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		return nothing, ctx.Err()
	}
}

// ocspFromStore learns what the store holds, if it verifies and is news. Whatever the
// store answers, the decision rests on the CA's signature.
func (c *Checker) ocspFromStore(ctx context.Context, key string, r *record, cert *x509.Certificate) bool {
	if c.config.Verify.NonceMode == NonceRequire { // what is stored answers another request
		return false
	}
	der, ok := c.fromStore(ctx, key, storeTimeoutOCSP)
	if !ok {
		return false
	}
	known := r.ocsp.Load()
	result, err := c.verifyStored(ctx, r, cert, der, known)
	if err != nil {
		c.stats.storeRejected.Add(1)
		return false
	}
	if known != nil && !result.ThisUpdate.After(known.ThisUpdate) {
		return false
	}
	if c.config.QueryAll && len(r.responders) > 1 && result.Status != Revoked { // it is the word of one of them
		return false
	}
	if c.learn(r, cert, result, true) != nil {
		return false
	}
	c.stats.storeHits.Add(1)
	return result.Status == Good || result.Status == Revoked
}

func (c *Checker) verifyStored(ctx context.Context, r *record, cert *x509.Certificate, der []byte, known *Result) (Result, error) {
	terms := c.terms(c.config.Now())
	terms.NonceMode, terms.Previous = NonceOff, known
	for _, to := range r.responders {
		terms.TrustedResponders = append(terms.TrustedResponders, to.trusted...)
	}
	terms.delegate = c.delegateCheck(ctx, r.authority.cert())
	return VerifyOCSP(der, cert, r.authority.cert(), terms)
}

// ocspToStore keeps what was fetched, unless something newer is there, or what was fetched
// only now finds good what is known to be revoked: the store may hold the proof of that.
func (c *Checker) ocspToStore(ctx context.Context, key string, r *record, cert *x509.Certificate, got answerOf) {
	if c.config.Store == nil || got.result.Status == Unknown || c.config.Verify.NonceMode == NonceRequire {
		return
	}
	if got.result.Status == Revoked {
		if own, err := c.verifyStored(ctx, r, cert, got.der, nil); err != nil || own.Status != Revoked {
			return
		}
	}
	if der, ok := c.fromStore(ctx, key, storeTimeoutOCSP); ok {
		there, err := c.verifyStored(ctx, r, cert, der, r.ocsp.Load())
		if err == nil && there.ThisUpdate.After(got.result.ThisUpdate) {
			return
		}
	}
	c.toStore(ctx, key, got.der, got.result.UsableUntil, storeTimeoutOCSP)
}

func (c *Checker) toStore(ctx context.Context, key string, der []byte, until time.Time, within time.Duration) {
	ttl := min(max(until.Sub(c.config.Now()), storeTTLLeast), storeTTLMost)
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	_, err := patiently(ctx, c.crew, func() (none struct{}, err error) { return none, c.config.Store.Set(ctx, key, der, ttl) })
	if err != nil {
		c.stats.storeErrors.Add(1)
	}
}

// takeTurn lets one instance fetch and the others wait for what it brings, for a bounded
// time: a lease that is never given back costs time alone. appeared reports whether look
// found the evidence meanwhile.
func (c *Checker) takeTurn(ctx context.Context, key string, t turn, look func() bool) (release func(), appeared bool) {
	nothing := func() {}
	leaser, ok := c.config.Store.(Leaser)
	if !ok {
		return nothing, false
	}
	ctx, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	tick := time.NewTicker(t.look)
	defer tick.Stop()
	for {
		giveBack, granted, err := c.lease(ctx, leaser, key, t)
		if err != nil {
			c.stats.storeErrors.Add(1)
			return nothing, false
		}
		if granted {
			// Another instance may have been here between the first look and the lease.
			return giveBack, look()
		}
		select {
		case <-tick.C:
			if look() {
				return nothing, true
			}
		case <-ctx.Done():
			return nothing, false
		}
	}
}

func (c *Checker) lease(ctx context.Context, from Leaser, key string, t turn) (release func(), granted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.store)
	defer cancel()
	giveBack, err := patiently(ctx, c.crew, func() (func(context.Context), error) {
		giveBack, granted, err := from.Lease(ctx, key+"-turn", t.lease)
		if err != nil || !granted {
			return nil, err
		}
		return giveBack, nil
	})
	if err != nil || giveBack == nil {
		return nil, false, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.store)
		defer cancel()
		_, _ = patiently(ctx, c.crew, func() (none struct{}, err error) { // else it ends by itself
			giveBack(ctx)
			return none, nil
		})
	}, true, nil
}
