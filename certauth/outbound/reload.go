package outbound

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certpem"
)

// loadTimeout bounds one load of the sources, including the user's functions.
const loadTimeout = 30 * time.Second

// attempts is how often local files are read again if they change while they are read.
const attempts = 3

// loaded records the last load of a source: digests, never its bytes.
type loaded struct {
	digest     [sha256.Size]byte
	seen       bool
	err        *Error    // the result for the data with this digest
	at         time.Time // time of the load, by Config.Now
	reconsider time.Time // time from which the same data may give another result
}

// unchanged reports whether another load would have the same result as the last one. If the clock was set back, it may
// not.
func (l *loaded) unchanged(digest [sha256.Size]byte, now time.Time) bool {
	return l.seen && l.digest == digest && !now.Before(l.at) && (l.reconsider.IsZero() || now.Before(l.reconsider))
}

// reading is the result of reading both sources once.
type reading struct {
	own, roots loaded
	ownErr     *Error
	rootsErr   *Error
	chosen     candidate // without a leaf if nothing is new
	chain      [][]byte
	passedOver *Error // why a piece, or a newer certificate, was skipped
	pool       *x509.CertPool
	newPool    bool
}

// reload reads the sources once and puts new material into use. Only one runs at a time.
func (c *Certificate) reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	stop := context.AfterFunc(c.life, cancel)
	defer stop()
	select {
	case c.loading <- struct{}{}:
		defer func() { <-c.loading }()
	case <-ctx.Done():
		return c.failed(c.unanswered("another reload is under way: %w", context.Cause(ctx)))
	}
	if rule := c.rule(); !c.busy.CompareAndSwap(nil, &rule) {
		return c.failed(c.unanswered("the previous reading has not returned yet"))
	}
	own, roots, current := c.own, c.roots, c.current.Load()
	r, ok := await(ctx, func() *reading {
		defer c.busy.Store(nil)
		return c.readSources(ctx, own, roots, current)
	})
	if !ok {
		return c.failed(c.unanswered("no answer in time: %w", context.Cause(ctx)))
	}
	if c.closed.Load() {
		return fail(ReasonClosed, "closed").at(c.rule())
	}
	return c.apply(r)
}

func (c *Certificate) rule() string { return "Source." + c.config.Source.name() }

// unanswered returns the error about the source that is being read and does not answer.
func (c *Certificate) unanswered(format string, args ...any) *Error {
	err := fail(ReasonSourceUnavailable, format, args...).at(c.rule())
	if rule := c.busy.Load(); rule != nil {
		err.Rule = *rule
	}
	err.Hint = "does the disk, the share or the vault answer? a Fetch or a Password that does not return when its context ends prevents every later load"
	return err
}

// readSources changes nothing in c, because its caller may no longer be waiting.
func (c *Certificate) readSources(ctx context.Context, own, roots loaded, current *state) *reading {
	r := &reading{own: own, roots: roots}
	if err := safely(func() error { return c.readOwn(ctx, r, current) }); err != nil {
		r.ownErr = asError(err, ReasonSourceUnavailable).at(c.rule())
	}
	if c.config.ServerRoots != nil {
		rule := "ServerRoots." + c.config.ServerRoots.name()
		c.busy.Store(&rule)
		if err := safely(func() error { return c.readRoots(ctx, r) }); err != nil {
			r.rootsErr = asError(err, ReasonSourceUnavailable).at(rule)
		}
	}
	return r
}

// readOwn reads the certificate. While local files are being replaced, the first read may be inconsistent; the next one
// then returns other data.
func (c *Certificate) readOwn(ctx context.Context, r *reading, current *state) error {
	var tried [sha256.Size]byte
	var failure error
	for range attempts {
		password, err := c.password(ctx)
		if err != nil {
			return err
		}
		blobs, err := c.config.Source.read(ctx)
		if err != nil {
			return err
		}
		now := c.config.Now()
		digest := digestOf(blobs, password)
		if failure != nil && digest == tried {
			return failure
		}
		if r.own.unchanged(digest, now) {
			return r.own.err.orNil()
		}
		tried = digest
		r.own = loaded{digest: digest, seen: true, at: now}
		if failure = c.chooseFrom(ctx, r, blobs, password, now, current); failure == nil {
			return nil
		}
		r.own.err = asError(failure, ReasonMalformed)
		r.own.seen = ctx.Err() == nil // a read that was interrupted says nothing about the data
		if !c.config.Source.local() {
			return failure
		}
	}
	return failure
}

func (c *Certificate) chooseFrom(ctx context.Context, r *reading, blobs []blob, password string, now time.Time, current *state) error {
	pool, err := decodeAll(ctx, blobs, password)
	if err != nil {
		return err
	}
	r.own.reconsider, r.passedOver = pool.nextDate(now), nil
	chosen, err := pool.choose(c.selected, c.config.AllowServerAuth, now)
	if err != nil {
		return err
	}
	if skipped := pool.skipped(chosen.leaf, c.selected, c.config.AllowServerAuth, now); skipped != nil {
		r.passedOver = skipped.at(c.rule())
	}
	if err := pool.torn(chosen, current, now); err != nil {
		r.own.reconsider = earliest(r.own.reconsider, current.leaf.NotAfter.Add(1))
		return err
	}
	r.chosen, r.chain = chosen, pool.chain(chosen.leaf, now)
	return nil
}

// torn returns an error if an older certificate would replace the one in use, which is not there any more, and a piece
// cannot be read or a certificate of the same name has no key: its files, or those of its successor, may just be being
// written. If everything fits together, the one in use was removed.
func (p *pool) torn(chosen candidate, current *state, now time.Time) error {
	if current == nil || now.After(current.leaf.NotAfter) || !chosen.leaf.NotBefore.Before(current.leaf.NotBefore) {
		return nil
	}
	pairs := p.pairs()
	complete := func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(pairs, func(c candidate) bool { return c.leaf.Equal(cert) })
	}
	if complete(current.leaf) {
		return nil // it is not valid yet, because the clock was set back
	}
	if len(p.failures) > 0 {
		return p.failures[0]
	}
	for _, cert := range p.certs {
		if sameIdentity(cert, current.leaf) && cert.NotBefore.After(chosen.leaf.NotBefore) && !complete(cert) {
			return noKeyOf(cert)
		}
	}
	return nil
}

func (c *Certificate) readRoots(ctx context.Context, r *reading) error {
	blobs, err := c.config.ServerRoots.read(ctx)
	if err != nil {
		return err
	}
	digest := digestOf(blobs, "")
	now := c.config.Now()
	if r.roots.unchanged(digest, now) {
		return r.roots.err.orNil()
	}
	r.roots = loaded{digest: digest, seen: true, at: now}
	if err = rootsFrom(ctx, r, blobs); err != nil {
		r.roots.err = asError(err, ReasonMalformed)
		r.roots.seen = ctx.Err() == nil
	}
	return err
}

func rootsFrom(ctx context.Context, r *reading, blobs []blob) error {
	for i := range blobs {
		if err := certpem.CheckConflict(blobs[i].data); err != nil {
			return fail(ReasonMalformed, "%s: %w", blobs[i].name, err)
		}
	}
	p, err := decodeAll(ctx, blobs, "")
	switch {
	case err != nil:
		return err
	case len(p.failures) > 0:
		return p.failures[0]
	case len(p.keys) > 0:
		err := fail(ReasonMalformed, "%s holds a private key; roots are certificates", p.keys[0].where)
		err.Hint = "name a file with the CA certificates of the servers alone; the application's own certificate and key belong into Source"
		return err
	case len(p.certs) == 0:
		return fail(ReasonSourceUnavailable, "no certificate")
	case slices.ContainsFunc(p.certs, slowToVerify):
		return fail(ReasonMalformed, "a root with an RSA key of more than %d bits", maxIssuerBits)
	}
	r.pool, r.newPool = x509.NewCertPool(), true
	for _, cert := range p.certs {
		r.pool.AddCert(cert)
	}
	return nil
}

// apply puts the result of a read into use. The caller holds c.loading.
func (c *Certificate) apply(r *reading) error {
	now, before := c.config.Now(), c.current.Load()
	c.own, c.roots = r.own, r.roots
	failure := both(r.ownErr, r.rootsErr)
	if before == nil && failure != nil {
		return failure
	}
	next := before
	if r.chosen.leaf != nil && (before == nil || !sameChain(before.cert.Certificate, r.chain)) {
		var number uint64
		var roots *x509.CertPool
		if before != nil {
			number, roots = before.number, before.roots
		}
		next = newState(number+1, r.chosen, r.chain, roots, now)
	}
	if r.newPool && (before == nil || !r.pool.Equal(before.roots)) {
		replaced := *next
		replaced.roots = r.pool
		if next == before {
			replaced.number++
		}
		next = &replaced
	}
	if next != before {
		c.current.Store(next)
		c.eachTransport(func(t *transport) { t.moveTo(next) })
		c.tell(Event{Outcome: OutcomeLoaded, Err: r.passedOver}, next, false)
	} else if r.passedOver != nil {
		c.tell(Event{Outcome: OutcomeWarned, Err: r.passedOver}, next, false)
	}
	c.warnExposed(r.chosen)
	if failure != nil {
		return c.failed(failure)
	}
	c.mutex.Lock()
	repaired := c.lastErr != nil
	c.checked, c.lastErr, c.failures = now, nil, 0
	c.mutex.Unlock()
	if repaired && next == before {
		c.tell(Event{Outcome: OutcomeLoaded}, next, false)
	}
	return nil
}

// both joins the errors of the two sources. The result has the reason of the first.
func both(own, roots *Error) error {
	switch {
	case roots == nil:
		return own.orNil()
	case own == nil:
		return roots
	}
	joined := *own
	joined.Err = fmt.Errorf("%w; %w", own.Err, roots)
	return &joined
}

// failed reports a failed reload. Before the first success, the error of Open is the report.
func (c *Certificate) failed(failure error) error {
	s := c.current.Load()
	if s == nil || c.closed.Load() {
		return failure
	}
	e := asError(failure, ReasonSourceUnavailable)
	c.mutex.Lock()
	if c.lastErr == nil || c.lastErr.Error() != e.Error() {
		c.failures = 0
	}
	c.lastErr = e
	c.failures++
	quiet := c.failures&(c.failures-1) != 0 // the failures 1, 2, 4, 8, ... are logged
	c.mutex.Unlock()
	c.tell(Event{Outcome: OutcomeKept, Err: e}, s, quiet)
	return failure
}

func (c *Certificate) warnExposed(chosen candidate) {
	if chosen.leaf == nil {
		return
	}
	if where := chosen.key.where; chosen.key.exposed && !c.exposed[where] {
		c.tell(Event{Outcome: OutcomeWarned, Err: fail(ReasonKeyExposed, "%s is readable by every user", where).at(c.rule())}, c.current.Load(), false)
	}
	c.exposed = map[string]bool{chosen.key.where: chosen.key.exposed}
}

func (c *Certificate) password(ctx context.Context) (string, error) {
	if c.config.Password == nil {
		return "", nil
	}
	password, err := c.config.Password(ctx)
	if err != nil {
		return "", fail(ReasonSourceUnavailable, "Password: %w", err)
	}
	if isReference(password) {
		return "", fail(ReasonReferenceUnresolved, "Password returns an unresolved reference")
	}
	return password, nil
}

func digestOf(blobs []blob, password string) (digest [sha256.Size]byte) {
	h := sha256.New()
	write := func(part string) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	write(password)
	for i := range blobs {
		b := &blobs[i]
		write(b.name)
		write(fmt.Sprint(b.form, b.exposed, b.certificatesOnly))
		write(string(b.data))
		if b.err != nil {
			write(b.err.Error())
		}
	}
	h.Sum(digest[:0])
	return digest
}

func sameChain(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// orNil keeps a nil *Error from becoming a non-nil error.
func (e *Error) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

// await runs f in a goroutine and stops waiting when ctx ends, because f may ignore ctx.
func await[T any](ctx context.Context, f func() T) (answer T, ok bool) {
	answers := make(chan T, 1)
	go func() { answers <- f() }()
	select {
	case answer = <-answers:
		return answer, true
	case <-ctx.Done():
		return answer, false
	}
}

// safely turns a panic of f into an error. The panic value of a user's function is not included, because it may hold
// the secret. The runtime's own errors cannot.
func safely(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(runtime.Error); ok {
				err = fail(ReasonSourceUnavailable, "panic: %w", e)
				return
			}
			err = fail(ReasonSourceUnavailable, "panic with a %T", p)
		}
	}()
	return f()
}
