package certauth

import (
	"context"
)

// PolicyFunc is a rule of your own: a look at your user store, for example. It stands
// behind an anchor and is never one; under a public-key pin alone, ask
// [Identity.NamesVouched] before believing a name. It is called on every request,
// concurrently, and its answer is never remembered.
//
// Wherever it stands, it is called when all other rules on its path through the policy (see
// [Any]) have accepted the caller, and on a path with several functions in their order. It
// may be called more than once for a request: for each path that it stands on, and again in
// a route with [Authenticator.Require].
//
// A nil return accepts. An error refuses with [ReasonPolicyRefused], or with the Reason
// of an [*Error] that it returns; a panic refuses with [ReasonInternalError]. A nil
// Func or an empty Name is an error of [New], and so is a PolicyFunc under [Not].
type PolicyFunc struct {
	// Name appears in logs and errors.
	Name string
	// Func gets a copy of the identity: with all names of [Named] policies that accepted
	// the caller, and with the chains of this path that no [NotRevoked] has taken out. It
	// must return when ctx ends.
	Func func(ctx context.Context, id *Identity) error
}

func (p PolicyFunc) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".PolicyFunc"
	if p.Name == "" {
		c.mistake(path+".Name", "empty")
	} else {
		path += "(" + quote(p.Name) + ")"
	}
	c.forbidUnderNot(path, at)
	if p.Func == nil {
		c.mistake(path+".Func", "nil")
	}
	if at.standing.vouched == vouchedNothing {
		c.mistake(path, "stands before any anchor; put a Chain or a pin in front of it")
	}
	return &funcRule{path: path, name: p.Name, f: p.Func}, at.standing.withName()
}

type funcRule struct {
	path, name string
	f          func(context.Context, *Identity) error
}

func (r *funcRule) judge(e *evaluation) *Error {
	e.path.note(r)
	return nil
}

func (r *funcRule) stage() stage { return stageCaller }

func (r *funcRule) settle(e *evaluation, p *policyPath, roles []string) *Error {
	id := e.newIdentity(&established{roles: roles, chains: p.chains, vouched: p.vouched, revocation: p.revocation})
	e.waited = true
	if err := r.f(e.ctx, id); err != nil {
		return asError(err, ReasonPolicyRefused, r.path)
	}
	return nil
}

func (r *funcRule) describe(p *printer) { p.line("function %s", quote(r.name)) }
