package revocation

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Event is one fetch of evidence, or the beginning or the end of a host's outage, for metrics. It
// never holds a certificate.
type Event struct {
	// Time is when it happened by the Checker's clock.
	Time time.Time
	// Kind is what was fetched; SourceNone for an outage.
	Kind Source
	// Host is host and port of the responder.
	Host string
	// Serial is the certificate's serial number in hex, for OCSP.
	Serial string
	// Status is the status in an OCSP answer, or Good for a CRL that was verified.
	Status Status
	// ThisUpdate and NextUpdate bound the evidence.
	ThisUpdate, NextUpdate time.Time
	// Latency is how long the fetch took; Bytes is the size of the answer.
	Latency time.Duration
	Bytes   int
	// Err is why there is no evidence, or the failure that an outage began with; nil for evidence
	// that was fetched and verified, and for the end of an outage.
	Err error
	// Since is when an outage began; zero for a fetch. At its end Over is true, and Refused is how
	// many callers were refused for lack of evidence from the host.
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
	e.Time, e.Host = c.config.Now(), fetch.HostOf(url)
	e.Status, e.ThisUpdate, e.NextUpdate = result.Status, result.ThisUpdate, result.NextUpdate
	c.stats.count(&e)
	level, message := slog.LevelDebug, "revocation: fetched"
	switch {
	case e.Err == nil:
	case fetch.CountsAgainstHost(e.Err), errors.Is(e.Err, ErrBreakerOpen): // the outage has a record of its own
		message = "revocation: no evidence"
	case isFromTheFuture(e.Err):
		level, message = slog.LevelWarn, "revocation: evidence from the future: the clock of this machine or that of the signer is wrong"
		if c.ahead.several(e.Host, e.Time) {
			level, message = slog.LevelError, "revocation: evidence of several signers is from the future: the clock of this machine is wrong"
		}
	case isSuspicious(e.Err):
		level, message = slog.LevelError, "revocation: evidence that does not verify; somebody may be in between"
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

// write guards against a panic of the Logger's handler: what is not logged decides
// nothing, and evidence must not be lost over it.
func (c *Checker) write(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	if c.config.Logger == nil {
		return
	}
	_ = guarded(func() error {
		c.config.Logger.LogAttrs(ctx, level, message, attrs...)
		return nil
	})
}

// complain logs the cause that keeps the Checker from its sources.
func (c *Checker) complain(ctx context.Context, message string, err error) {
	c.write(ctx, slog.LevelError, "revocation: "+message, withError(nil, err)...)
}

// outageChanged is told by the gate. An outage has one record when it begins and one when it
// ends, however many callers it keeps out.
func (c *Checker) outageChanged(ctx context.Context, o fetch.Outage) {
	attrs := []slog.Attr{slog.String("host", o.Host), slog.String("anchor", o.Partner)}
	message := "revocation: a host begins to fail; it is left alone for a while after each failure"
	if o.Over {
		message = "revocation: the host answers again"
		attrs = append(attrs, slog.Int("callers_refused", o.Refused))
	}
	c.write(ctx, slog.LevelWarn, message, withError(append(attrs, slog.Time("since", o.Since)), o.Err)...)
	c.observe(ctx, Event{Time: c.config.Now(), Host: o.Host, Since: o.Since, Over: o.Over, Refused: o.Refused, Err: o.Err})
}

// signersAhead remembers whose evidence was from the future.
type signersAhead struct {
	mu   sync.Mutex
	host string
	at   time.Time
}

// several reports whether that was so of another host as well within the last ten minutes: then
// it is not the signer's clock that is wrong.
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

// atMostOften bounds how often the same thing is said: once a minute.
type atMostOften struct {
	mu   sync.Mutex
	said map[string]time.Time
}

const (
	maySayAgain = time.Minute
	maxSaid     = 1024 // remembered
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

// observe guards against a panic in what is not ours: an event lost decides nothing.
func (c *Checker) observe(ctx context.Context, event Event) {
	if c.config.Observe == nil {
		return
	}
	err := guarded(func() error {
		c.config.Observe(ctx, event)
		return nil
	})
	if err != nil {
		c.complainOnce(ctx, "Observe", err)
	}
}

// isSuspicious reports whether bytes came that no honest responder sends. An older answer
// is none of them: caches in between give those. Nor is what an option would accept.
func isSuspicious(err error) bool {
	return advice.In(err) == "" && isAny(err,
		ErrMalformed, fetch.ErrEncoding, evidence.ErrLimits, ErrBadSignature, evidence.ErrNoSigner, evidence.ErrResponderNotAuthorized,
		evidence.ErrNonce, evidence.ErrNoMatch, ErrCRLIssuer, ErrIssuerMismatch, evidence.ErrProducedAt)
}

func statusFor(s Status) certauth.RevocationStatus {
	switch s {
	case Good:
		return certauth.RevocationGood
	case Revoked:
		return certauth.RevocationRevoked
	case Unknown:
		return certauth.RevocationUnknown
	case NotApplicable:
		return certauth.RevocationWaived
	case Unavailable:
	}
	return certauth.RevocationUnavailable
}

// isFromTheFuture reports whether evidence was refused because its time has not come.
func isFromTheFuture(err error) bool {
	return isAny(err, evidence.ErrProducedAt, evidence.ErrFuture)
}

// complainOnce is complain for what would be said again and again.
func (c *Checker) complainOnce(ctx context.Context, message string, err error) {
	if c.said.may(message, c.config.Now()) {
		c.complain(ctx, message, err)
	}
}
