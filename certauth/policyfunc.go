package certauth

import "context"

// PolicyFunc is a rule of your own, for example a look-up in your user store. It must follow an
// anchor and never is one. If the only anchor is a public-key pin, call [Identity.NamesVouched]
// before you rely on a name. It is called on every request, concurrently, and its result is never
// remembered.
//
// Wherever it is in the policy, it is called when all other rules on its path through the policy
// (see [Any]) have accepted the caller; several functions on a path are called in their order. It
// may be called more than once for a request: for each path that contains it, and again for a
// route with [Authenticator.Require].
//
// A nil result accepts. An error refuses with [ReasonPolicyRefused], or with the Reason of an
// [*Error] that the function returns; a panic refuses with [ReasonInternalError]. A nil Func or
// an empty Name is an error of [New], and so is a PolicyFunc under [Not].
type PolicyFunc struct {
	// Name appears in logs and errors. Required.
	Name string
	// Func receives a copy of the identity, with the names of all [Named] policies that accepted
	// the caller, and with the chains of this path that no [NotRevoked] has excluded. It must
	// return when ctx ends. Required.
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
	c.needAnchor(path, at)
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

func (r *funcRule) settle(e *evaluation, p *policyPath) *Error {
	id := e.newIdentity(&established{roles: e.roles, chains: p.chains, vouched: p.vouched, revocation: p.revocation})
	e.waited = true
	if err := r.f(e.ctx, id); err != nil {
		return asError(err, ReasonPolicyRefused, r.path)
	}
	return nil
}

func (r *funcRule) describe(p *printer) { p.line("function %s", quote(r.name)) }
