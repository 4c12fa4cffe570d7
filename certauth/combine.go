package certauth

import (
	"errors"
	"slices"
)

// All accepts a certificate that every policy in it accepts, asked in order. The first
// refusal ends it. An empty All is an error of [New], not an acceptance.
type All []Policy

// Any accepts a certificate that at least one policy in it accepts, asked in order. It
// stops at the first acceptance, except that later policies which contain a [Named] are
// still asked, so that [Identity.Matched] is complete. A policy that refused leaves
// nothing behind. If all refuse, the Reason is that of the policy that came furthest.
//
// A panic, or a context that ends, refuses the whole Any. An empty Any is an error of
// [New].
type Any []Policy

// Not accepts what its policy refuses. It takes rules on names, issuers and extensions
// only, and combinations of them; an anchor, a revocation or date rule, or a function
// under it is an error of [New], because there an error would become an acceptance. Not
// vouches for nothing: an anchor must stand before it.
type Not struct {
	Policy Policy
}

// Named accepts what its policy accepts and then adds Name to [Identity.Matched]: a way
// to give callers roles. An empty name is an error of [New]. Under [Not] names are not
// recorded.
type Named struct {
	Name   string
	Policy Policy
}

func (p All) compile(c *compilation, at place) (rule, standing) {
	if len(p) == 0 {
		c.mistake(at.path+".All", "empty")
		return denyRule{path: at.path}, at.standing
	}
	at.skew = c.skewOf(p, at)
	compiled := allRule{}
	for i, policy := range p {
		inner := at
		inner.path = index(at.path, "All", i)
		part, after := c.child(policy, inner)
		compiled = append(compiled, part)
		at.standing = after
	}
	return compiled, at.standing
}

type allRule []rule

func (r allRule) judge(e *evaluation) *Error {
	for _, part := range r {
		if err := part.judge(e); err != nil {
			return err
		}
	}
	return nil
}

func (r allRule) describe(p *printer) { p.group("all of", r) }

func (p Any) compile(c *compilation, at place) (rule, standing) {
	if len(p) == 0 {
		c.mistake(at.path+".Any", "empty")
		return denyRule{path: at.path}, at.standing
	}
	compiled := anyRule{path: at.path + ".Any"}
	var end standing
	for i, policy := range p {
		inner := at
		inner.path = index(at.path, "Any", i)
		part, after := c.child(policy, inner)
		compiled.parts = append(compiled.parts, part)
		compiled.named = append(compiled.named, containsNamed(policy, 0))
		if i == 0 {
			end = after
		}
		end = end.meet(after)
	}
	return compiled, end
}

type anyRule struct {
	path  string
	parts []rule
	named []bool
}

func (r anyRule) judge(e *evaluation) *Error {
	accepted := false
	var refused []*Error
	for i, part := range r.parts {
		if accepted && !r.named[i] {
			continue
		}
		before := e.save()
		err := part.judge(e)
		if err == nil {
			accepted = true
			continue
		}
		if err.Reason == ReasonRequestCanceled || err.Reason == ReasonInternalError {
			return err
		}
		e.restore(before)
		refused = append(refused, err)
	}
	if accepted {
		return nil
	}
	return furthest(refused)
}

// furthest picks the refusal that explains most and keeps the others behind it.
func furthest(refused []*Error) *Error {
	const most = 8
	best, firm := *refused[0], false
	var details []error
	for i, err := range refused {
		if err.Reason.info().rank > best.Reason.info().rank {
			best = *err
		}
		firm = firm || !err.mismatch
		if i < most {
			details = append(details, err)
		}
	}
	best.mismatch = !firm
	if len(details) > 1 {
		best.Err = errors.Join(append([]error{best.Err}, details...)...)
	}
	return &best
}

func (r anyRule) describe(p *printer) { p.group("any of", r.parts) }

func (p Not) compile(c *compilation, at place) (rule, standing) {
	inner := at
	inner.path = at.path + ".Not"
	inner.underNot = true
	part, _ := c.child(p.Policy, inner)
	return notRule{path: inner.path, part: part}, at.standing
}

type notRule struct {
	path string
	part rule
}

func (r notRule) judge(e *evaluation) *Error {
	before := e.save()
	err := r.part.judge(e)
	e.restore(before)
	if err == nil {
		return mismatch(ReasonPolicyRefused, r.path, "the excluded rule matches")
	}
	if err.mismatch {
		return nil
	}
	return err
}

func (r notRule) describe(p *printer) { p.group("not", []rule{r.part}) }

func (p Named) compile(c *compilation, at place) (rule, standing) {
	if p.Name == "" {
		c.mistake(at.path+".Named.Name", "empty")
	}
	at.path += ".Named(" + quote(p.Name) + ")"
	part, end := c.child(p.Policy, at)
	return namedRule{name: p.Name, part: part}, end
}

type namedRule struct {
	name string
	part rule
}

func (r namedRule) judge(e *evaluation) *Error {
	if err := r.part.judge(e); err != nil {
		return err
	}
	if !slices.Contains(e.id.Matched, r.name) {
		e.id.Matched = append(e.id.Matched, r.name)
	}
	return nil
}

func (r namedRule) describe(p *printer) { p.group("named "+quote(r.name), []rule{r.part}) }

func containsNamed(policy Policy, depth int) bool {
	if depth > maxPolicyDepth {
		return false
	}
	within := func(inner Policy) bool { return containsNamed(inner, depth+1) }
	switch p := policy.(type) {
	case Named:
		return true
	case All:
		return slices.ContainsFunc(p, within)
	case Any:
		return slices.ContainsFunc(p, within)
	}
	return false
}
