package revocation

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// fetched is one fetch and what came of it.
type fetched struct {
	source Source
	url    string
	serial *big.Int // of the certificate, for OCSP
	took   time.Duration
	bytes  int
	result Result
	err    error
}

// tell counts a fetch, logs what an operator should see, and hands it to Observe.
func (c *Checker) tell(ctx context.Context, f fetched) {
	if errors.Is(f.err, context.Canceled) { // another responder was faster, or nobody waits any more
		return
	}
	c.stats.count(f)
	host, err := hostOf(f.url)
	if err != nil {
		host = "(unreadable)"
	}
	evidence := &certauth.Evidence{
		Kind: f.source.String(), Host: host, Latency: f.took, Bytes: f.bytes,
		ThisUpdate: f.result.ThisUpdate, NextUpdate: f.result.NextUpdate,
	}
	if f.serial != nil {
		evidence.Serial = logtext.Clip(f.serial.Text(16), maxSerialText)
		evidence.Status = statusFor(f.result.Status)
	}
	event := certauth.Event{Time: c.config.Now(), Outcome: certauth.OutcomeFetched, Evidence: evidence}
	level, message := slog.LevelDebug, "revocation: fetched"
	if f.err != nil {
		event.Outcome, evidence.Err = certauth.OutcomeFetchFailed, f.err
		level, message = slog.LevelWarn, "revocation: no evidence"
		switch {
		case wantsBackOff(f.err) || errors.Is(f.err, ErrBreakerOpen): // the outage has a record of its own
			level = slog.LevelDebug
		case isFromTheFuture(f.err):
			message = "revocation: evidence from the future: the clock of this machine or that of the signer is wrong"
		case isSuspicious(f.err):
			level, message = slog.LevelError, "revocation: evidence that does not verify; somebody may be in between"
		}
	}
	if level == slog.LevelDebug || c.aboutFetches.may(host+message, c.config.Now()) {
		c.log(ctx, level, message, evidence)
	}
	c.observe(ctx, event)
}

const maxSerialText = 48

func (c *Checker) log(ctx context.Context, level slog.Level, message string, e *certauth.Evidence) {
	if c.config.Logger == nil {
		return
	}
	attrs := []slog.Attr{slog.String("kind", e.Kind), slog.String("host", e.Host), slog.Duration("took", e.Latency), slog.Int("bytes", e.Bytes)}
	if e.Serial != "" {
		attrs = append(attrs, slog.String("serial", e.Serial), slog.String("status", e.Status.String()))
	}
	if !e.ThisUpdate.IsZero() {
		attrs = append(attrs, slog.Time("this_update", e.ThisUpdate))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", logtext.Clip(e.Err.Error(), maxErrorText)))
	}
	c.write(ctx, level, message, attrs...)
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

const maxErrorText = 512

// complain logs what keeps the Checker from its sources.
func (c *Checker) complain(ctx context.Context, message string, err error) {
	c.write(ctx, slog.LevelError, "revocation: "+message, slog.String("error", logtext.Clip(err.Error(), maxErrorText)))
}

// outageChanged is told by the gate. An outage has one record when it begins and one when it
// ends, however many callers it keeps out.
func (c *Checker) outageChanged(ctx context.Context, change outageChange) {
	if change.isBreaker {
		event := certauth.Event{Time: c.config.Now(), Outcome: certauth.OutcomeBreakerOpened, Evidence: &certauth.Evidence{Host: change.host}}
		if change.over {
			event.Outcome = certauth.OutcomeBreakerClosed
		}
		c.observe(ctx, event)
		return
	}
	attrs := []slog.Attr{slog.String("host", change.host), slog.String("anchor", change.partner)}
	message := "revocation: a host begins to fail; it is left alone for a while after each failure"
	if change.over {
		message = "revocation: the host answers again"
		attrs = append(attrs, slog.Int("fetches_not_made", change.refused))
	}
	attrs = append(attrs, slog.Time("since", change.since))
	if change.err != nil {
		attrs = append(attrs, slog.String("error", logtext.Clip(change.err.Error(), maxErrorText)))
	}
	c.write(ctx, slog.LevelWarn, message, attrs...)
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

// say complains, unless it has just done so.
func (o *atMostOften) say(ctx context.Context, c *Checker, message string, err error) {
	if o.may(message, c.config.Now()) {
		c.complain(ctx, message, err)
	}
}

// observe guards against a panic in what is not ours: an event lost decides nothing.
func (c *Checker) observe(ctx context.Context, event certauth.Event) {
	if c.config.Observe == nil {
		return
	}
	err := guarded(func() error {
		c.config.Observe(ctx, event)
		return nil
	})
	if err != nil {
		c.complain(ctx, "Observe", err)
	}
}

// isSuspicious reports whether bytes came that no honest responder sends. An older answer
// is none of them: caches in between give those. Nor is what an option would accept.
func isSuspicious(err error) bool {
	if adviceIn(err) != "" {
		return false
	}
	for _, bad := range []error{
		ErrMalformed, ErrLimits, ErrBadSignature, ErrNoSigner, ErrResponderNotAuthorized, ErrNonce, ErrNoMatch, ErrCRLIssuer,
		ErrIssuerMismatch, ErrProducedAt,
	} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
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
	return errors.Is(err, ErrProducedAt) || adviceIn(err) == helpClock
}
