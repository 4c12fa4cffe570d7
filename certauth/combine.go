package certauth

import (
	"fmt"
	"slices"
	"strings"
)

// All accepts a certificate that every policy in it accepts, asked in order. The first
// refusal ends it. An empty All is an error of [New], not an acceptance.
type All []Policy

// Any accepts a certificate that at least one policy in it accepts, asked in order. It
// stops at the first acceptance, except that later policies which contain a [Named] are
// still asked, so that [Identity.Matched] is complete. Each is asked as if it stood alone;
// what the accepting ones established counts behind the Any, and a policy that refused
// leaves nothing behind. If all refuse, the Reason is that of the policy that came furthest.
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
	before, all := c.names, slices.Clip(c.names)
	for i, policy := range p {
		inner := at
		inner.path = index(at.path, "Any", i)
		c.names = slices.Clip(before) // a branch does not see the names of its siblings
		part, after := c.child(policy, inner)
		compiled.parts = append(compiled.parts, part)
		compiled.named = append(compiled.named, len(c.names) > len(before))
		all = append(all, c.names[len(before):]...)
		if i == 0 {
			end = after
		}
		end = end.meet(after)
	}
	c.names = all
	return compiled, end
}

type anyRule struct {
	path  string
	parts []rule
	named []bool
}

// judge gives every branch the state before the Any: what one branch established is no
// help to another. What the accepting branches established is put together at the end.
func (r anyRule) judge(e *evaluation) *Error {
	before, mark, excuses := e.save(), e.aside.save(), len(e.excuses)
	e.aside.vouched, e.aside.revocation = vouchedNothing, Revocation{}
	won, firm := false, false
	e.quiet++
	for i, part := range r.parts {
		if won && !r.named[i] {
			continue
		}
		switch err := part.judge(e); {
		case err == nil:
			won = true
			e.setAside(before, mark)
		case err.Reason == ReasonRequestCanceled || err.Reason == ReasonInternalError || err.Reason == ReasonOverloaded:
			return err
		case isQuiet(err):
			firm = firm || !err.mismatch
		default:
			firm = firm || !err.mismatch
			e.excuses = append(e.excuses, excuse{err: err})
		}
		e.restore(before)
	}
	e.quiet--
	if won {
		e.excuses = e.excuses[:excuses]
		e.takeBack(mark)
		return nil
	}
	e.aside.restore(mark)
	if e.quiet > 0 && firm {
		return errQuietRefusal
	}
	if e.quiet > 0 {
		return errQuietMismatch
	}
	return furthest(e.refusals(excuses))
}

// refusals puts the excuses into words.
func (e *evaluation) refusals(from int) []*Error {
	var refused []*Error
	for _, x := range e.excuses[from:] {
		if x.by != nil {
			x.err = x.by.refusal(e)
		}
		refused = append(refused, x.err)
	}
	e.excuses = e.excuses[:from]
	return refused
}

// furthest picks the refusal that explains most and keeps the others as text behind it.
func furthest(refused []*Error) *Error {
	chosen, firm := 0, false
	for i, err := range refused {
		if err.Reason.info().rank > refused[chosen].Reason.info().rank {
			chosen = i
		}
		firm = firm || !err.mismatch
	}
	best := *refused[chosen]
	best.mismatch = !firm
	if len(refused) > 1 {
		best.Err = branches{chosen: best.Err, others: slices.Delete(slices.Clone(refused), chosen, chosen+1)}
	}
	return &best
}

// branches is the detail of an Any that refused. Only the chosen branch is part of the
// chain that errors.Is walks: a refusal has one class.
type branches struct {
	chosen error
	others []*Error
}

func (b branches) Error() string {
	const most = 4
	var text strings.Builder
	if b.chosen != nil {
		text.WriteString(b.chosen.Error())
	}
	for i, other := range b.others {
		if i == most {
			fmt.Fprintf(&text, "; and %d more", len(b.others)-most)
			break
		}
		text.WriteString("; " + strings.TrimPrefix(other.Error(), "certauth: "))
	}
	return clip(text.String(), maxDetail)
}

func (b branches) Unwrap() error { return b.chosen }

func (r anyRule) describe(p *printer) { p.group("any of", r.parts) }

func (p Not) compile(c *compilation, at place) (rule, standing) {
	inner := at
	inner.path = at.path + ".Not"
	inner.underNot = true
	part, _ := c.child(p.Policy, inner)
	return &notRule{path: inner.path, part: part}, at.standing
}

type notRule struct {
	path string
	part rule
}

func (r *notRule) judge(e *evaluation) *Error {
	before, excuses := e.save(), len(e.excuses)
	e.quiet++ // a mismatch is what is hoped for
	err := r.part.judge(e)
	e.quiet--
	e.restore(before)
	switch {
	case err == nil:
		return e.refuse(r, true)
	case err.mismatch:
		e.excuses = e.excuses[:excuses]
		return nil
	case isQuiet(err) && e.quiet == 0:
		return furthest(e.refusals(excuses))
	}
	return err
}

func (r *notRule) refusal(*evaluation) *Error {
	return mismatch(ReasonPolicyRefused, r.path, "the excluded rule matches")
}

func (r *notRule) describe(p *printer) { p.group("not", []rule{r.part}) }

func (p Named) compile(c *compilation, at place) (rule, standing) {
	if p.Name == "" {
		c.mistake(at.path+".Named.Name", "empty")
	}
	at.path += ".Named(" + quote(p.Name) + ")"
	part, end := c.child(p.Policy, at)
	if !at.underNot {
		c.names = append(slices.Clip(c.names), p.Name)
	}
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
	e.match(r.name)
	return nil
}

func (r namedRule) describe(p *printer) { p.group("named "+quote(r.name), []rule{r.part}) }

// Matched accepts callers whom a [Named] policy accepted before, under one of the listed
// names: a route that is for one role says so with auth.Require(Matched{"admin"}). A name
// that no Named before it has is an error of [New], and so is an empty list. It cannot
// stand under [Not]: a name is missing also where its rule could not be answered.
type Matched []string

func (p Matched) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Matched"
	c.forbidUnderNot(path, at)
	if at.standing.vouched == vouchedNothing {
		c.mistake(path, "stands before any anchor; put a Chain or a pin in front of it")
	}
	c.texts(path, p)
	for i, name := range p {
		if !slices.Contains(c.names, name) {
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "no Named before it is called %s", quote(name))
		}
	}
	return &matchedRule{path: path, names: slices.Clone(p)}, at.standing
}

type matchedRule struct {
	path  string
	names []string
}

func (r *matchedRule) judge(e *evaluation) *Error {
	for _, name := range e.matched {
		if slices.Contains(r.names, name) {
			return nil
		}
	}
	return refusal(ReasonPolicyRefused, r.path, "the caller matched %d names (%s), want one of %s", len(e.matched), quoteList(e.matched), quoteList(r.names))
}

func (r *matchedRule) describe(p *printer) { p.line("matched as one of %s", quoteList(r.names)) }
