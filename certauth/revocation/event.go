package revocation

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
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
		if isSuspicious(f.err) {
			level, message = slog.LevelError, "revocation: evidence that does not verify; somebody may be in between"
		}
	}
	c.log(ctx, level, message, evidence)
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

// breakerChanged is told by the gate.
func (c *Checker) breakerChanged(ctx context.Context, host string, open bool) {
	event := certauth.Event{Time: c.config.Now(), Outcome: certauth.OutcomeBreakerClosed, Evidence: &certauth.Evidence{Host: host}}
	message := "revocation: the host answers again"
	if open {
		event.Outcome, message = certauth.OutcomeBreakerOpened, "revocation: the host is left alone after failures in a row"
	}
	c.write(ctx, slog.LevelWarn, message, slog.String("host", host))
	c.observe(ctx, event)
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
