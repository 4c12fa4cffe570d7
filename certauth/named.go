package certauth

import (
	"fmt"
	"slices"
)

// Named accepts what its policy accepts and then adds Name to [Identity.Matched]. Use it to give
// callers roles. An empty name is an error of [New]. Under [Not] names are not recorded.
//
// With several partners, put the Chain and the names of each into a Named of its own, and all of
// these into an [Any]. If one Chain has the roots of several partners, the CA of each can issue the
// names of the others and thereby gets their roles.
type Named struct {
	Name   string
	Policy Policy
}

// Matched accepts callers that a preceding [Named] policy accepted under one of the listed names:
// use auth.Require(Matched{"admin"}) for a route that requires a role. It is an error of [New] if
// no preceding Named has the name, if a Named with a listed name follows, or if the list is
// empty. It considers all names that are in [Identity.Matched] at the end. It is not permitted
// under [Not], because a name is also missing if its rule could not be evaluated.
type Matched []string

func (p Named) compile(c *compilation, at place) (rule, standing) {
	if p.Name == "" {
		c.mistake(at.path+".Named.Name", "empty")
	}
	at.path += ".Named(" + quote(p.Name) + ")"
	part, end := c.child(p.Policy, at)
	if at.nots > 0 {
		return part, end
	}
	if slices.Contains(c.roles.wanted, p.Name) {
		c.mistake(at.path, "comes after a Matched that refers to it; put the Named first")
	}
	c.roles.given = append(c.roles.given, p.Name)
	return namedRule{name: p.Name, part: part}, end
}

type namedRule struct {
	name string
	part rule
}

// judge is never called: a Named is not plain.
func (r namedRule) judge(*evaluation) *Error {
	return refusal(ReasonInternalError, "Policy", "a Named was evaluated as a plain rule")
}

func (r namedRule) describe(p *printer) { p.group("named "+quote(r.name), []rule{r.part}) }

func (p Matched) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Matched"
	c.forbidUnderNot(path, at)
	c.needAnchor(path, at)
	c.texts(path, p)
	for i, name := range p {
		if !slices.Contains(c.roles.given, name) {
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "no Named before it has the name %s", quote(name))
			continue
		}
		c.roles.wanted = append(c.roles.wanted, name)
	}
	return &matchedRule{path: path, names: slices.Clone(p)}, at.standing
}

type matchedRule struct {
	path  string
	names []string
}

func (r *matchedRule) judge(e *evaluation) *Error {
	e.path.note(r)
	return nil
}

func (r *matchedRule) stage() stage { return stageCaller }

func (r *matchedRule) settle(e *evaluation, _ *policyPath) *Error {
	if slices.ContainsFunc(r.names, func(name string) bool { return slices.Contains(e.roles, name) }) {
		return nil
	}
	return refusal(ReasonPolicyRefused, r.path, "the caller matched %d names (%s), want one of %s", len(e.roles), quoteList(e.roles), quoteList(r.names)).
		withHint("the caller is known but has none of these roles; to give it one, it needs a Named that accepts it")
}

func (r *matchedRule) describe(p *printer) { p.line("matched as one of %s", quoteList(r.names)) }
