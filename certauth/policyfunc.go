package certauth

import (
	"context"
)

// PolicyFunc is a rule of your own: a look at your user store, for example. It stands
// behind an anchor and is never one; under a public-key pin alone, ask
// [Identity.NamesVouched] before believing a name. It is called on every request,
// concurrently, and its answer is never remembered.
//
// A nil return accepts. An error refuses with [ReasonPolicyRefused], or with the Reason
// of an [*Error] that it returns; a panic refuses with [ReasonInternalError]. A nil
// Func or an empty Name is an error of [New], and so is a PolicyFunc under [Not].
type PolicyFunc struct {
	// Name appears in logs and errors.
	Name string
	// Func gets a copy of the identity as the policy so far has established it, and
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
	if err := r.f(e.ctx, e.newIdentity()); err != nil {
		return asError(err, ReasonPolicyRefused, r.path)
	}
	return nil
}

func (r *funcRule) describe(p *printer) { p.line("function %s", quote(r.name)) }
