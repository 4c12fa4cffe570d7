package certauth

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// Outcome is what became of a request, in a word that is safe as a metric label.
type Outcome string

// The outcomes.
const (
	OutcomeAccepted  Outcome = "accepted"  // the policy accepted; Identity is set
	OutcomeDenied    Outcome = "denied"    // refused; Err is set
	OutcomeAnonymous Outcome = "anonymous" // no certificate, and Mode is Optional
	OutcomeExcluded  Outcome = "excluded"  // an Exclusion let it through
	OutcomeReported  Outcome = "reported"  // would have been refused; InsecureReportOnly let it through; Err is set
	OutcomeReloaded  Outcome = "reloaded"  // not a request: new material is in use
	OutcomeKept      Outcome = "kept"      // not a request: a reload failed, the last good set stays; Err is set

	// Of a certificate of the configuration, not of a request: Rule is its place, Certificate
	// says which. Each is reported once: in New, by a reload, or on the first request of a day.
	OutcomeExpiring  Outcome = "expiring"  // it ends within 30 days; again within 7 days, and within one
	OutcomeExpired   Outcome = "expired"   // it has ended
	OutcomeUnchained Outcome = "unchained" // an intermediate that chains to no root
	OutcomeRootless  Outcome = "rootless"  // no root of a Chain is valid now; Certificate is zero
)

// Event is one decision, one reload, or news of the configuration, for metrics and audit.
type Event struct {
	// Time is when it happened by the Authenticator's clock.
	Time time.Time
	// Outcome is what happened.
	Outcome Outcome
	// Err is the refusal, or for a reload what went wrong.
	Err *Error
	// Rule is the path of the material for a reload and for certificates of the
	// configuration, the exclusion for an excluded request.
	Rule string
	// Source names the source.
	Source string
	// Request says which request it was; zero for what is none.
	Request RequestInfo
	// Peer is who sent the request, as [PeerOf] tells.
	Peer Peer
	// Certificate names the certificate that was judged, of refused callers too; zero where
	// none could be read.
	Certificate CertificateInfo
	// Identity is the caller if accepted, and the known caller whom a route's Require
	// refused.
	Identity *Identity
	// Revocation is what a checker found, if one was asked: for accepted callers, and for
	// those that were refused because of it.
	Revocation Revocation
	// ServerAuth is the Reason of the [AcceptServerAuth] that let the caller in without
	// clientAuth; empty for all others.
	ServerAuth string
	// Route is true for the decision of a Require; the Handler around it reports its own
	// first.
	Route bool
}

// Reason returns the reason of the refusal, or [ReasonNone].
func (e Event) Reason() Reason {
	if e.Err == nil {
		return ReasonNone
	}
	return e.Err.Reason
}

// unheard reports whether nobody listens to an acceptance: then nothing is put together for
// it. What panics when asked is asked again by report, where a panic is a refusal.
func (a *Authenticator) unheard(r *http.Request) (yes bool) {
	if a.config.Observe != nil {
		return false
	}
	if a.config.Logger == nil {
		return true
	}
	defer func() {
		if recover() != nil {
			yes = false
		}
	}()
	return !a.config.Logger.Enabled(r.Context(), slog.LevelDebug)
}

// report tells Logger and Observe, if one of them listens. A panic in either is a refusal.
func (a *Authenticator) report(r *http.Request, event *Event) (refused *Error) {
	defer func() {
		if p := recover(); p != nil {
			refused = a.panicked("Observe", p)
		}
	}()
	logged := a.config.Logger != nil && a.config.Logger.Enabled(r.Context(), levelOf(event))
	if !logged && a.config.Observe == nil {
		return nil
	}
	event.Time, event.Source, event.Peer = a.config.Now(), a.sourceName, PeerOf(r)
	event.Request = requestInfo(r)
	switch {
	case event.Err != nil && event.Err.leaf != nil:
		event.Certificate = event.Err.leaf.info()
	case event.Identity != nil && event.Identity.verdict != nil:
		event.Certificate = event.Identity.verdict.facts.info()
		event.Certificate.Verified = event.Identity.NamesVouched()
	}
	switch {
	case event.Err != nil && event.Err.revocation != nil:
		event.Revocation = *event.Err.revocation
	case event.Identity != nil:
		event.Revocation = event.Identity.Revocation
	}
	event.ServerAuth = a.byServerAuth(event.Identity)
	a.observe(r.Context(), *event)
	if logged {
		a.log(r.Context(), event)
	}
	return nil
}

// panicked makes a refusal of a panic and logs it, unless logging is what panics.
func (a *Authenticator) panicked(path string, value any) *Error {
	refused := panicked(path, value)
	if a.config.Logger != nil {
		_, _ = safely(func() (bool, error) {
			a.config.Logger.Error("certauth: panic", "rule", path, "detail", refused.Error())
			return true, nil
		})
	}
	return refused
}

// reloadedWithin tells of a reload, or of certificates that end, in an Authenticator that the source made for itself.
func (a *Authenticator) reloadedWithin(event Event) {
	var err error
	if event.Err != nil {
		err = event.Err.Err
	}
	switch event.Outcome { //nolint:exhaustive // what it decides about the front end is part of the request's own
	case OutcomeReloaded, OutcomeKept:
		a.reloaded("Source: "+event.Rule, err)
	case OutcomeExpiring, OutcomeExpired, OutcomeUnchained, OutcomeRootless:
		event.Rule, event.Source = "Source: "+event.Rule, a.sourceName
		a.tellMaterial(event)
	}
}

// reloaded tells of a reload, good or bad.
func (a *Authenticator) reloaded(path string, err error) {
	event := Event{Time: a.config.Now(), Outcome: OutcomeReloaded, Rule: path, Source: a.sourceName}
	if err != nil {
		event.Outcome = OutcomeKept
		event.Err = &Error{
			Reason: ReasonNotConfigured, Rule: path, Err: err,
			Hint: "mend the file or function; until then the last good set is in use",
		}
	}
	if logger := a.config.Logger; logger != nil {
		if err != nil {
			logger.Error("certauth: reload failed, last good set kept", "rule", path, "detail", event.Err.Error())
		} else {
			logger.Info("certauth: reloaded", "rule", path)
		}
	}
	a.observe(context.Background(), event)
}
