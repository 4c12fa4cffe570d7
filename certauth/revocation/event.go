package revocation

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Event is one fetch of evidence, or the beginning or the end of a host's outage, for metrics. It
// never contains a certificate.
type Event struct {
	// Time is the time of the event by the Checker's clock.
	Time time.Time
	// Kind is the kind of evidence that was fetched; SourceNone for an outage.
	Kind Source
	// Host is host and port of the responder.
	Host string
	// Serial is the certificate's serial number in hex, for OCSP.
	Serial string
	// Status is the status in an OCSP response, or Good for a CRL that was verified.
	Status Status
	// ThisUpdate and NextUpdate are those of the evidence.
	ThisUpdate, NextUpdate time.Time
	// Latency is the duration of the fetch; Bytes is the size of the response.
	Latency time.Duration
	Bytes   int
	// Err is the reason why there is no evidence, or the failure with which an outage began. It
	// is nil for evidence that was fetched and verified, and at the end of an outage.
	Err error
	// Since is the beginning of an outage; it is zero for a fetch. At the end of an outage Over
	// is true, and Refused is the number of callers that were refused for lack of evidence from
	// the host.
	Since   time.Time
	Over    bool
	Refused int
}

const (
	maxSerialText = 48
	maxErrorText  = 512
)

// tell counts a fetch, logs it for the operator, and hands it to Observe.
func (c *Checker) tell(ctx context.Context, e Event, url string, result Result) {
	if errors.Is(e.Err, context.Canceled) { // another responder was faster, or no request is waiting any more
		return
	}
	e.Time, e.Host = c.config.Now(), hostOf(url)
	e.Status, e.ThisUpdate, e.NextUpdate = result.Status, result.ThisUpdate, result.NextUpdate
	c.stats.count(&e)
	level, message := slog.LevelDebug, "revocation: fetched"
	switch {
	case e.Err == nil:
	case countsAgainstHost(e.Err): // the outage has a record of its own
		message = "revocation: no evidence"
	case isFromTheFuture(e.Err):
		level, message = slog.LevelWarn, "revocation: evidence from the future: the clock of this machine or that of the signer is wrong"
		if c.ahead.several(e.Host, e.Time) {
			level, message = slog.LevelError, "revocation: evidence of several signers is from the future: the clock of this machine is wrong"
		}
	case isSuspicious(e.Err):
		level, message = slog.LevelError, "revocation: evidence does not verify; someone may be tampering with the connection"
	default:
		level, message = slog.LevelWarn, "revocation: no evidence"
	}
	if level == slog.LevelDebug || c.said.may(e.Host+message, e.Time) {
		c.write(ctx, level, message, e.attrs()...)
	}
	c.observe(ctx, e)
}

func (e *Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("kind", e.Kind.String()), slog.String("host", e.Host), slog.Duration("took", e.Latency), slog.Int("bytes", e.Bytes)}
	if e.Serial != "" {
		attrs = append(attrs, slog.String("serial", e.Serial), slog.String("status", e.Status.String()))
	}
	if !e.ThisUpdate.IsZero() {
		attrs = append(attrs, slog.Time("this_update", e.ThisUpdate))
	}
	return withError(attrs, e.Err)
}

func withError(attrs []slog.Attr, err error) []slog.Attr {
	if err == nil {
		return attrs
	}
	return append(attrs, slog.String("error", logtext.Clip(err.Error(), maxErrorText)))
}

// write protects against a panic of the Logger's handler, by which evidence must not be lost.
func (c *Checker) write(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	if c.config.Logger == nil {
		return
	}
	_ = guarded(func() error { c.config.Logger.LogAttrs(ctx, level, message, attrs...); return nil })
}

// complain logs an error that keeps the Checker from its sources.
func (c *Checker) complain(ctx context.Context, message string, err error) {
	c.write(ctx, slog.LevelError, "revocation: "+message, withError(nil, err)...)
}

// outageChanged is called by a partner's gate. An outage has one record when it begins and one when it
// ends, however many callers it affects.
func (c *Checker) outageChanged(ctx context.Context, partner string, e Event) {
	attrs := []slog.Attr{slog.String("host", e.Host), slog.String("anchor", partner)}
	message := "revocation: a host begins to fail; it is not contacted for a while after each failure"
	if e.Over {
		message = "revocation: the host answers again"
		attrs = append(attrs, slog.Int("callers_refused", e.Refused))
	}
	if partner != configured || c.said.may(e.Host+message, e.Time) { // each of Lists has an outage of its own
		c.write(ctx, slog.LevelWarn, message, withError(append(attrs, slog.Time("since", e.Since)), e.Err)...)
	}
	c.observe(ctx, e)
}

// signersAhead remembers the host of the last evidence from the future.
type signersAhead struct {
	mu   sync.Mutex
	host string
	at   time.Time
}

// several reports whether evidence of another host was from the future, too, within the last ten
// minutes. Then this machine's clock is wrong, not the signer's.
func (s *signersAhead) several(host string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.host != "" && s.host != host && !hasCome(s.at.Add(overdueAfter), now, overdueAfter) {
		s.at = now
		return true
	}
	s.host, s.at = host, now
	return false
}

// atMostOften limits each message to one a minute.
type atMostOften struct {
	mu   sync.Mutex
	said map[string]time.Time
}

const (
	maySayAgain = time.Minute
	maxSaid     = 1024 // messages remembered
)

func (o *atMostOften) may(what string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if last, known := o.said[what]; known && !hasCome(last.Add(maySayAgain), now, maySayAgain) {
		return false
	}
	if o.said == nil || len(o.said) >= maxSaid {
		o.said = map[string]time.Time{}
	}
	o.said[what] = now
	return true
}

// observe protects against a panic of Config.Observe: a lost event must not change a decision.
func (c *Checker) observe(ctx context.Context, event Event) {
	if c.config.Observe == nil {
		return
	}
	if err := guarded(func() error { c.config.Observe(ctx, event); return nil }); err != nil {
		c.complainOnce(ctx, "Observe", err)
	}
}

// isSuspicious reports whether the evidence is something that no honest responder sends. Older
// evidence is not, because caches return it, and neither is evidence that an option would accept.
func isSuspicious(err error) bool {
	return advice.In(err) == "" && isAny(err,
		ErrMalformed, fetch.ErrEncoding, evidence.ErrLimits, ErrBadSignature, evidence.ErrNoSigner, evidence.ErrResponderNotAuthorized,
		evidence.ErrNonce, evidence.ErrNoMatch, ErrCRLIssuer, ErrIssuerMismatch, evidence.ErrProducedAt)
}

func isFromTheFuture(err error) bool {
	return isAny(err, evidence.ErrProducedAt, evidence.ErrFuture)
}

// complainOnce is complain for errors that recur: it logs each message at most once a minute.
func (c *Checker) complainOnce(ctx context.Context, message string, err error) {
	if c.said.may(message, c.config.Now()) {
		c.complain(ctx, message, err)
	}
}
