package certauth

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// Outcome is the result of a request, a short stable string that is safe as a metric label.
//
// Events about the configuration, rather than a request, have one of these outcomes; Event.Rule
// is the place in the configuration:
//
//	reloaded   new material is in use, or the same can be read again after a failure
//	kept       a reload failed and the last good set stays in use; Event.Err says why
//	expiring   Event.Certificate expires within 30 days; again within 7 days, and within one
//	expired    Event.Certificate has expired
//	unchained  Event.Certificate is an intermediate that chains to no root
//	rootless   no root of a Chain is valid now; Event.Certificate is zero
//
// The last four are reported once for each certificate: by New, after a reload, or by the check
// that requests make every 24 hours. A reload of Event.Rule supersedes earlier reports; defects that remain are
// reported again after "reloaded". It also supersedes each "unchained", whatever its Rule,
// because a new root can repair it. Without a Source, "reloaded" is about a whole policy document,
// whose path is Rule, and supersedes every earlier report.
type Outcome string

const (
	outcomeReloaded  Outcome = "reloaded"
	outcomeKept      Outcome = "kept"
	outcomeExpiring  Outcome = "expiring"
	outcomeExpired   Outcome = "expired"
	outcomeUnchained Outcome = "unchained"
	outcomeRootless  Outcome = "rootless"
)

// The outcomes of requests.
const (
	OutcomeAccepted  Outcome = "accepted"  // the policy accepted; Identity is set
	OutcomeDenied    Outcome = "denied"    // refused; Err is set
	OutcomeAnonymous Outcome = "anonymous" // no certificate, and Config.Optional is set
	OutcomeExcluded  Outcome = "excluded"  // an Exclusion let it through
	OutcomeReported  Outcome = "reported"  // would have been refused; InsecureReportOnly let it through; Err is set
)

// Event is one decision, one reload, or a report about the configuration, for metrics and audit.
type Event struct {
	// Time is the time of the event by the Authenticator's clock.
	Time time.Time
	// Outcome is the kind of the event.
	Outcome Outcome
	// Err is the refusal, or the failure of a reload; otherwise nil.
	Err *Error
	// Rule is the path of the material for a reload and for certificates of the configuration,
	// and the exclusion for an excluded request.
	Rule string
	// Source is the name of the source. It is empty for a report about a whole policy document.
	Source string
	// Method, Host, Path and TraceID describe the request; they are empty for an event that is
	// not about a request. Their texts come from the client: one line of ASCII, escaped as in Go
	// and cut to 256 bytes, so they are safe to log, but they prove nothing. Texts that look like
	// a key or a certificate are not shown. Path is decoded and has no query. TraceID is the
	// trace-id of the traceparent header (W3C Trace Context, section 3.2), 32 hex digits in lower
	// case; it is empty unless there is exactly one such header and it is valid.
	Method, Host, Path, TraceID string
	// Peer is the sender of the request, see [PeerOf].
	Peer Peer
	// Certificate describes the certificate that was judged, also for refused callers. It is zero
	// if no certificate could be read.
	Certificate CertificateInfo
	// Identity is the accepted caller, or the known caller that a route's Require refused.
	Identity *Identity
	// Revocation is the result of a checker, if one was asked: for accepted callers, and for
	// those that were refused because of it.
	Revocation Revocation
	// ServerAuth is the Reason of the [AcceptServerAuth] that accepted the caller without
	// clientAuth; it is empty otherwise.
	ServerAuth string
	// Route is true for a decision of a Require. The Handler around it reports its own decision
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

// unheard reports whether neither Logger nor Observe receives acceptances, so that no Event needs to
// be made. A panic counts as no: report repeats the call, and there a panic is a refusal.
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

// report passes the event to Logger and Observe. A panic in either is a refusal.
func (a *Authenticator) report(r *http.Request, event *Event) (refused *Error) {
	refused = errUnfinished
	defer func() {
		if p := recover(); refused == errUnfinished {
			refused = a.panicked("Observe", p)
		}
	}()
	logged := a.config.Logger != nil && a.config.Logger.Enabled(r.Context(), levelOf(event))
	if !logged && a.config.Observe == nil {
		return nil
	}
	event.Time, event.Source, event.Peer = a.config.Now(), a.source.Name, PeerOf(r)
	event.Method, event.Host, event.TraceID = requestText(r.Method), requestText(r.Host), traceID(r.Header)
	if r.URL != nil {
		event.Path = requestText(r.URL.Path)
	}
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

// panicked turns a panic into a refusal and logs it, unless the logger panics.
func (a *Authenticator) panicked(path string, value any) *Error {
	refused := panicked(path, value)
	if a.config.Logger != nil {
		_, _ = safely.Do(func() (bool, error) {
			a.config.Logger.Error("certauth: panic", "rule", path, "detail", refused.Error())
			return true, nil
		})
	}
	return refused
}
