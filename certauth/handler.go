package certauth

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Handler wraps a handler so that it runs only for requests that the configuration accepts, with
// the caller's identity in the context ([FromContext]).
//
// Before next or Deny sees a request, the headers that the source reads are removed from it, in
// every spelling. So is a request to change to HTTP/2 ("Upgrade: h2c"), because next must not take
// the connection over and serve requests on it that Handler never sees; an Upgrade header of more
// than 4 KiB is removed as a whole. Middleware outside that made a copy of the request, as
// [http.TimeoutHandler] does, still finds the headers in its own: nothing is written to a header
// that it may be reading in another goroutine. next sees the trailers that the Trailer header
// announced, by the rules of [http.Request], but never one of the source's headers.
//
// The connection is closed after a request with an Upgrade header, such as one for WebSocket, after
// CONNECT over HTTP/1, and after a request of HTTP/1.0, unless next takes it over. Middleware outside
// that answers in place of Handler must close it too. net/http itself answers "OPTIONS *" before any
// handler, and keeps the connection, unless http.Server.DisableGeneralOptionsHandler is set;
// [Authenticator.ConfigureServer] sets it. A handler that answers 101 must take the connection over, also
// if the request has no Upgrade header, which the front end may have removed (section "Upgrade" of
// package forwarded).
//
// To protect everything that a server serves use [Authenticator.ConfigureServer].
//
// next receives a copy of the request, which carries the identity. When next has returned, the
// original request has what a [http.ServeMux] and the form parsers left in the copy: Pattern and
// the path values of its wildcards, Form, PostForm, MultipartForm. Middleware outside that logs
// the route can therefore use them. They are not copied if the context of the request has ended
// by then, because its caller may no longer be waiting.
//
// A refusal is answered with 401, "Cache-Control: no-store" and a body that is the same for every
// reason. Every failure, including a panic in a source, policy or hook, is a refusal. A panic in next
// is not recovered. Handler sets no Cache-Control on the responses of next, which need one if they
// depend on the caller and a cache is between (section "Caches" of package forwarded). Handler
// itself panics if next is nil.
func (a *Authenticator) Handler(next http.Handler) http.Handler {
	if isNil(next) {
		panic("certauth: Handler: next is nil")
	}
	return &guard{a, next}
}

// serve calls the handler. If the handler received a copy of the request, serve then copies the
// results of routing and form parsing back. If it received a separate map of trailers, nothing
// writes to that map after the handler has returned.
func serve(next http.Handler, w http.ResponseWriter, r, admitted *http.Request) {
	if admitted != r {
		defer giveBack(r, admitted)
	}
	if body, ok := admitted.Body.(*trailerBody); ok && admitted.Body != r.Body {
		defer body.handlerReturned()
	}
	next.ServeHTTP(w, admitted)
}

// admission decides, reports and strips. It returns the request for the handler, or a refusal with
// the request for the code that answers it. own says that only net/http's server has had the request
// before.
func (a *Authenticator) admission(r *http.Request, own bool) (*http.Request, *Error) {
	if a == nil || a.policy == nil {
		return r, refusal(ReasonNotConfigured, "", "the Authenticator is not the result of New")
	}
	x := a.excluded(r)
	var e *evaluation
	var id *Identity
	var refused *Error
	if x == nil {
		e = a.evaluation()
		e.own = own
		refused = a.connectionNames(r, a.ask(r, e))
	}
	// The headers are stripped before anything waits, because middleware outside may stop waiting
	// for this request and then look at it again.
	a.headers.strip(r, own)
	r = a.headers.withoutTrailers(r)
	if x == nil {
		if refused == nil {
			id, refused = a.decide(r, e)
		}
		a.release(e)
	}
	if id != nil && a.unheard(r) {
		return withOutcome(r, id, nil), nil
	}
	return a.conclude(r, x, id, refused, false, nil)
}

// conclude applies the mode, reports the decision, and returns the request if it is accepted. x is the
// exclusion that applies, and by the policy of the route that judged the caller. It is a separate
// function because an Event is large, and most requests need none.
func (a *Authenticator) conclude(r *http.Request, x *exclusion, id *Identity, refused *Error, route bool, by *judged) (*http.Request, *Error) {
	event := Event{Identity: id, Route: route}
	switch {
	case x != nil:
		event.Outcome, event.Rule = OutcomeExcluded, x.String()
	case refused == nil:
		event.Outcome = OutcomeAccepted
	case refused.absent && a.config.Optional && !route: // a route demands an identity
		event.Outcome = OutcomeAnonymous
	case a.config.InsecureReportOnly:
		event.Outcome, event.Err = OutcomeReported, refused
	default:
		event.Outcome, event.Err = OutcomeDenied, refused
	}
	if failed := a.report(r, &event); failed != nil {
		return r, failed
	}
	switch event.Outcome { //nolint:exhaustive // all others let the request through without an identity
	case OutcomeDenied:
		return r, event.Err
	case OutcomeAccepted:
		return withOutcome(r, id, by), nil
	}
	return withOutcome(r, a.nobody, nil), nil
}

// withOutcome puts the identity into the context, and for a route the policy that judged it.
func withOutcome(r *http.Request, id *Identity, by *judged) *http.Request {
	if by == nil {
		return r.WithContext(&identityContext{r.Context(), id})
	}
	return r.WithContext(&routeContext{identityContext{r.Context(), id}, by})
}

// Require returns middleware for a route that demands more than the Authenticator's own policy.
// It must run behind [Authenticator.Handler]. The request passes if All{P, policy} accepts the
// certificate now, where P is the Authenticator's own policy together with those of the Require
// handlers around this one. The identity in the context is then the result of that All. P is
// evaluated again, functions in it included, using the remembered facts about the certificate. A
// caller without an identity gets 401; a known caller that is refused for any reason, including a
// panic, gets 403.
//
// The policy may build on P: if P has a Chain, the policy may consist of rules on names alone. If
// [New] would refuse the policy in that position, Require panics, when routes are set up and not
// when a request arrives.
func (a *Authenticator) Require(policy Policy) func(http.Handler) http.Handler {
	var own *route // nil if the Authenticator is not the result of New
	if a != nil && a.policy != nil {
		c := &compilation{material: a.material, roles: a.roles.clone(), chains: &a.chains, defects: &a.defects, verified: a.source.FrontEndVerifies}
		compiled, _ := c.compilePolicy(policy, "Require", a.standing)
		if len(c.mistakes) > 0 {
			panic(configError(c.mistakes).Error())
		}
		own = &route{rule: compiled, named: len(c.roles.given) > len(a.roles.given)}
		own.alone = own.behind(a.judged)
		a.checkMaterial(true)
	}
	return func(next http.Handler) http.Handler {
		if isNil(next) {
			panic("certauth: Require: next is nil")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if admitted, ok := a.admitRoute(w, r, own); ok {
				serve(next, w, r, admitted)
			}
		})
	}
}

func (a *Authenticator) admitRoute(w http.ResponseWriter, r *http.Request, own *route) (*http.Request, bool) {
	if own == nil {
		a.deny(w, r, r, refusal(ReasonNotConfigured, "Require", "the Authenticator is not the result of New"), http.StatusUnauthorized)
		return nil, false
	}
	id, by, refused := a.checkRoute(r, own)
	a.headers.strip(r, false)
	stripped := r
	if id == nil { // Handler has removed the trailers of a request with an identity
		stripped = a.headers.withoutTrailers(r)
	}
	admitted, denied := a.conclude(stripped, nil, id, refused, true, by)
	if denied == nil {
		return admitted, true
	}
	status := http.StatusUnauthorized
	if id != nil && denied == refused { // not the failure of a hook
		status = http.StatusForbidden
	}
	a.deny(w, r, stripped, denied, status)
	return nil, false
}

// judged is the policy that judged an identity.
type judged struct {
	rules    allRule
	named    bool // they give roles
	straight bool // no rule is composite: the only path is the rules in their order
}

func newJudged(rules allRule, named bool) *judged {
	return &judged{rules, named, !slices.ContainsFunc(rules, isComposite)}
}

// route is the policy of one Require.
type route struct {
	rule  rule
	named bool
	alone *judged // together with only the Authenticator's own policy, the usual case
}

// behind returns the policy for a request whose identity was judged by outer.
func (own *route) behind(outer *judged) *judged {
	return &judged{append(outer.rules[:len(outer.rules):len(outer.rules)], own.rule), outer.named || own.named, outer.straight && !isComposite(own.rule)}
}

// checkRoute judges the caller in the context by the policies around a route and by the route's
// own. With a refusal it returns the known identity too, which decides between 403 and 401.
func (a *Authenticator) checkRoute(r *http.Request, own *route) (id *Identity, by *judged, refused *Error) {
	known, ok := FromContext(r.Context())
	if !ok {
		return nil, nil, refusal(ReasonCertificateMissing, "Require", "no identity in the context").
			withHint("put Handler around Require; excluded requests and anonymous callers have no identity")
	}
	if known.verdict == nil || known.verdict.owner != a {
		return nil, nil, refusal(ReasonCertificateMissing, "Require", "the identity comes from another Authenticator").
			withHint("put the Handler of the same Authenticator around this route")
	}
	refused = errUnfinished
	defer func() {
		if p := recover(); refused == errUnfinished {
			id, by, refused = known, nil, a.panicked("Require", p)
		}
	}()
	by = own.alone
	if outer, ok := r.Context().Value(judgedKey{}).(*judged); ok && outer != nil {
		by = own.behind(outer)
	}
	now := a.config.Now().Round(0) // dates are of the wall clock
	a.material.Refresh(r.Context(), now)
	id, refused = a.judgeRoute(r.Context(), now, known, by)
	return id, by, refused
}

// judgeRoute judges a known caller again, by more rules.
func (a *Authenticator) judgeRoute(ctx context.Context, now time.Time, known *Identity, by *judged) (*Identity, *Error) {
	e := a.evaluation()
	v := known.verdict
	e.ctx, e.now, e.facts = ctx, now, v.facts
	id, refused := known, e.judge(by, "Require")
	if refused == nil && !(e.same(&v.established) && known.intact()) {
		id = e.newIdentity(&e.established)
	}
	a.release(e)
	if refused != nil {
		return known, refused.about(v.facts, v.vouched)
	}
	return id, nil
}

// observe calls the user's hook. The caller must recover a panic in it.
func (a *Authenticator) observe(ctx context.Context, event Event) {
	if a.config.Observe != nil {
		a.config.Observe(ctx, event)
	}
}
