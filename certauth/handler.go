package certauth

import (
	"context"
	"net/http"
	"time"
)

// Handler wraps a handler so that it runs only for requests that the configuration lets
// in, with the caller's identity in the context ([FromContext]). The headers that the
// source reads are removed, in every spelling, from each request before next or Deny
// sees it. Of the trailers next sees those that the Trailer header announced, by the rules
// of [http.Request], and never one of these headers.
//
// A refusal is 401 with a body that is the same for every reason. Whatever goes wrong,
// a panic in a source, policy or hook included, is a refusal; a panic in next is not
// touched.
func (a *Authenticator) Handler(next http.Handler) http.Handler {
	if isNil(next) {
		panic("certauth: Handler: next is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if admitted, ok := a.admit(w, r); ok {
			serve(next, w, r, admitted)
		}
	})
}

// serve calls the handler and, where this middleware gave it trailers of its own, lets nobody
// touch them when it has returned.
func serve(next http.Handler, w http.ResponseWriter, r, admitted *http.Request) {
	if body, ok := admitted.Body.(*trailerBody); ok && admitted.Body != r.Body {
		defer body.handlerReturned()
	}
	next.ServeHTTP(w, admitted)
}

// admit decides, reports, strips, and answers refused requests itself.
func (a *Authenticator) admit(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	if a == nil || a.policy == nil {
		a.deny(w, r, refusal(ReasonNotConfigured, "", "the Authenticator is not the result of New"), http.StatusUnauthorized)
		return nil, false
	}
	x := a.excluded(r)
	var id *Identity
	var refused *Error
	if x == nil {
		id, refused = a.check(r)
	}
	a.headers.strip(r)
	r = a.headers.withoutTrailers(r)
	if id != nil && a.unheard(r) {
		return withOutcome(r, id), true
	}
	event := a.eventOf(r, x, id, refused)
	if event.Outcome != OutcomeAccepted {
		id = nil
	}
	if refused := a.report(r, &event); refused != nil {
		event.Outcome, event.Err, event.Identity, id = OutcomeDenied, refused, nil, nil
	}
	if event.Outcome == OutcomeDenied {
		a.deny(w, r, event.Err, http.StatusUnauthorized)
		return nil, false
	}
	return withOutcome(r, id), true
}

// eventOf puts exclusion or check in the light of mode and report-only.
func (a *Authenticator) eventOf(r *http.Request, x *exclusion, id *Identity, refused *Error) Event {
	event := a.newEvent(r)
	switch {
	case x != nil:
		event.Outcome, event.Rule = OutcomeExcluded, x.String()
	case refused == nil:
		event.Outcome, event.Identity = OutcomeAccepted, id
	case refused.absent && a.config.Mode == Optional:
		event.Outcome = OutcomeAnonymous
	case a.config.InsecureReportOnly:
		event.Outcome, event.Err = OutcomeReported, refused
	default:
		event.Outcome, event.Err = OutcomeDenied, refused
	}
	return event
}

// withOutcome puts the identity into the context, or makes sure that none is there, not
// even one that an outer Authenticator put in.
func withOutcome(r *http.Request, id *Identity) *http.Request {
	if id == nil {
		if _, inherited := FromContext(r.Context()); !inherited {
			return r
		}
	}
	return r.WithContext(withIdentity(r.Context(), id))
}

// Require returns middleware for a route that asks more than the Authenticator's own
// policy: it stands behind [Authenticator.Handler] and judges the identity that Handler
// put into the context. A caller without one gets 401; a known caller whom the policy
// refuses, for whatever reason, a panic in it included, gets 403.
//
// The policy may build on what the Authenticator's own policy establishes: behind a
// Chain it can name names at once. A policy that [New] would refuse makes Require
// panic, when routes are set up and not when a request comes.
func (a *Authenticator) Require(policy Policy) func(http.Handler) http.Handler {
	var judged rule
	if a != nil && a.policy != nil {
		c := &compilation{material: a.material, names: a.names, memos: &a.memos}
		judged, _ = c.compilePolicy(policy, "Require", a.standing)
		if len(c.mistakes) > 0 {
			panic(configError(c.mistakes).Error())
		}
	}
	return func(next http.Handler) http.Handler {
		if isNil(next) {
			panic("certauth: Require: next is nil")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if admitted, ok := a.admitRoute(w, r, judged); ok {
				serve(next, w, r, admitted)
			}
		})
	}
}

func (a *Authenticator) admitRoute(w http.ResponseWriter, r *http.Request, judged rule) (*http.Request, bool) {
	status := http.StatusUnauthorized
	id, refused := a.checkRoute(r, judged)
	if a == nil || a.policy == nil {
		a.deny(w, r, refused, status)
		return nil, false
	}
	a.headers.strip(r)
	if id == nil { // whoever has an identity came through Handler
		r = a.headers.withoutTrailers(r)
	}
	event := a.newEvent(r)
	event.Outcome, event.Identity, event.Route = OutcomeAccepted, id, true
	if refused != nil {
		event.Outcome, event.Err = OutcomeDenied, refused
		if id != nil {
			status = http.StatusForbidden
		}
		if a.config.InsecureReportOnly {
			event.Outcome = OutcomeReported
		}
		id = nil
	}
	if failed := a.report(r, &event); failed != nil {
		event.Outcome, event.Err, event.Identity, id, status = OutcomeDenied, failed, nil, nil, http.StatusUnauthorized
	}
	if event.Outcome == OutcomeDenied {
		a.deny(w, r, event.Err, status)
		return nil, false
	}
	return withOutcome(r, id), true
}

// checkRoute judges the identity of the context by a route's rule. It returns the known
// identity beside the refusal: that is the difference between 403 and 401.
func (a *Authenticator) checkRoute(r *http.Request, judged rule) (id *Identity, refused *Error) {
	if a == nil || a.policy == nil || judged == nil {
		return nil, refusal(ReasonNotConfigured, "Require", "the Authenticator is not the result of New")
	}
	known, ok := FromContext(r.Context())
	if !ok {
		return nil, refusal(ReasonCertificateMissing, "Require", "no identity in the context").
			withHint("an excluded route, an anonymous caller, or Require without Handler around it")
	}
	if known.verdict == nil || known.verdict.owner != a {
		return nil, refusal(ReasonCertificateMissing, "Require", "the identity is of another Authenticator").
			withHint("put the Handler of the same Authenticator around this route")
	}
	defer func() {
		if p := recover(); p != nil {
			id, refused = nil, a.panicked("Require", p)
		}
	}()
	now := a.config.Now()
	a.material.refresh(r.Context(), now)
	return a.judgeRoute(r.Context(), now, known, judged)
}

// judgeRoute goes on from what the Authenticator's own policy established for this request.
func (a *Authenticator) judgeRoute(ctx context.Context, now time.Time, known *Identity, judged rule) (*Identity, *Error) {
	e, ok := a.scratch.Get().(*evaluation)
	if !ok {
		e = new(evaluation)
	}
	v := known.verdict
	e.begin(ctx, now, a, v.facts)
	e.matched, e.chains, e.last = append(e.matched, v.matched...), append(e.chains, v.chains...), append(e.last, v.last...)
	e.vouched, e.revocation = v.vouched, v.revocation
	id, refused := known, e.judge(judged, "Require")
	if refused == nil && !(e.same(&v.established) && known.intact()) {
		id = e.newIdentity()
	}
	e.clear()
	a.scratch.Put(e)
	if refused != nil {
		return known, refused.about(v.facts)
	}
	return id, nil
}

// observe calls the user's hook; a panic in it is the caller's to recover.
func (a *Authenticator) observe(ctx context.Context, event Event) {
	if a.config.Observe != nil {
		a.config.Observe(ctx, event)
	}
}
