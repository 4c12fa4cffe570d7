package certauth

import (
	"fmt"
	"slices"
	"strings"
)

// All accepts a certificate that every policy in it accepts. The order of its members changes
// neither the decision nor the roles, only which refusal is reported. An empty All is an error of
// [New], not an acceptance.
type All []Policy

// Any accepts a certificate that at least one policy in it accepts. Each member is evaluated as
// if it were the only one, together with everything around the Any: All{Any{X, Y}, Z} decides as
// Any{All{X, Z}, All{Y, Z}} does. Therefore adding a member never turns an acceptance into a
// refusal, and a member that refuses has no other effect. The [Identity] combines the results of
// the members that accepted.
//
// All{X, Z} and All{Y, Z} are the paths through this policy. In general a path consists of one
// member of each Any that it meets, and of everything around them; a policy without Any is one
// path.
//
// Members are evaluated in order until one accepts. If the policy contains a [Named] anywhere,
// all members are evaluated, so that [Identity.Matched] is complete. If none accepts, the Reason
// is that of the member that came furthest. One request tries at most 16384 combinations of
// members. Only a policy with several Any of which one caller satisfies many members each reaches
// this limit; beyond it the caller is refused, or no more roles are added.
//
// A panic, an overload, or the end of the context refuses the whole request. An empty Any is an
// error of [New].
type Any []Policy

// Not accepts what its policy refuses. It permits only rules on names, issuers and extensions,
// and combinations of them. An anchor, a revocation or date rule, or a function under it is an
// error of [New], because there an error would become an acceptance. A certificate with an
// unreadable name is refused with and without Not. Not vouches for nothing: it must follow an
// anchor.
//
// The laws of logic hold: Not{Not{X}} decides as X does, and Not{Any{X, Y}} as All{Not{X},
// Not{Y}} does.
type Not struct {
	Policy Policy
}

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

func (p All) compile(c *compilation, at place) (rule, standing) {
	if len(p) == 0 {
		c.mistake(at.path+".All", "empty")
		return denyRule{path: at.path}, at.standing
	}
	outer, anchors := at.skew, c.anchors
	at.skew = c.skewOf(p, at)
	var parts []rule
	for i, policy := range p {
		inner := at
		inner.path = index(at.path, "All", i)
		part, after := c.child(policy, inner)
		parts = append(parts, part)
		at.standing = after
	}
	if at.skew != outer && c.anchors == anchors && !(c.verified && at.path == "Policy") { // there it applies to the front end's
		c.mistake(at.path+".All.Validity.ClockSkew", skewWithoutEffect)
	}
	if at.negated() {
		return newAnyRule(parts), at.standing
	}
	return allRule(parts), at.standing
}

func (p Any) compile(c *compilation, at place) (rule, standing) {
	if len(p) == 0 {
		c.mistake(at.path+".Any", "empty")
		return denyRule{path: at.path}, at.standing
	}
	var parts []rule
	var end standing
	before, all := c.roles, c.roles.clone()
	for i, policy := range p {
		inner := at
		inner.path = index(at.path, "Any", i)
		c.roles = before.clone() // a member does not see the names of its siblings
		part, after := c.child(policy, inner)
		parts = append(parts, part)
		all = all.plus(c.roles, before)
		if i == 0 {
			end = after
		}
		end = end.meet(after)
	}
	c.roles = all
	if at.negated() {
		return allRule(parts), end
	}
	return newAnyRule(parts), end
}

// compile passes the negation down to the single rules, by De Morgan's laws, so that no
// combinator is ever negated.
func (p Not) compile(c *compilation, at place) (rule, standing) {
	inner := at
	inner.path = at.path + ".Not"
	inner.nots++
	part, _ := c.child(p.Policy, inner)
	return part, at.standing
}

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

// allRule and anyRule are judged by evaluation.walk, which knows the rules after them. Their judge
// methods are for rules whose parts are plain.
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

type anyRule struct {
	parts []rule
	plain bool // every part is plain: it does not matter which of them accepts
}

func newAnyRule(parts []rule) *anyRule {
	return &anyRule{parts: parts, plain: !slices.ContainsFunc(parts, func(part rule) bool { return !isPlain(part) })}
}

func (r *anyRule) judge(e *evaluation) *Error {
	excuses := len(e.excuses)
	e.quiet++
	for _, part := range r.parts {
		err := part.judge(e)
		if err == nil || err.final() {
			e.quiet--
			e.excuses = e.excuses[:excuses]
			return err
		}
		e.excuse(err)
	}
	e.quiet--
	return e.refused(excuses)
}

func (r *anyRule) describe(p *printer) { p.group("any of", r.parts) }

type namedRule struct {
	name string
	part rule
}

// judge is never called: a Named is not plain.
func (r namedRule) judge(*evaluation) *Error {
	return refusal(ReasonInternalError, "Policy", "a Named was evaluated as a plain rule")
}

func (r namedRule) describe(p *printer) { p.group("named "+quote(r.name), []rule{r.part}) }

// notRule is the negation of a single rule.
type notRule struct {
	path string
	part rule
}

func (r *notRule) judge(e *evaluation) *Error {
	excuses := len(e.excuses)
	e.quiet++ // a mismatch becomes an acceptance
	err := r.part.judge(e)
	e.quiet--
	switch {
	case err == nil:
		return e.refuse(r, true)
	case err == errQuietMismatch:
		e.excuses = e.excuses[:excuses]
		return nil
	case isQuiet(err) && e.quiet == 0:
		return furthest(e.refusals(excuses))
	}
	return err
}

func (r *notRule) refusal(*evaluation) *Error {
	return excluded(r.path)
}

// excluded is the refusal of a certificate that has what a Not excludes.
func excluded(path string) *Error {
	return refusal(ReasonPolicyRefused, path, "the excluded rule matches").
		withHint("a Not of the policy excludes this certificate; if its caller is to be accepted, narrow what is listed under the Not")
}

// unlisted is the refusal of a rule that does not list what a certificate has. The last two
// arguments are the number of entries and the list.
//
// Under Not a mismatch is no refusal. There it means that an excluded name may be the same in
// another spelling, or that the name has a form that is not compared.
func unlisted(reason Reason, path string, negated bool, have string, args ...any) *Error {
	if negated {
		return refusal(reason, path, have+", not certainly different from %d excluded (%s)", args...).
			withHint("a name that may be an excluded one in another spelling is refused; ask the CA for a certificate with a name that differs in plain letters")
	}
	return refusal(reason, path, have+", want one of %d (%s)", args...)
}

func (r *notRule) describe(p *printer) { p.group("not", []rule{r.part}) }

// isPlain reports whether a rule depends only on the leaf and the clock and establishes nothing,
// so that its answer does not depend on the rest of the policy.
func isPlain(r rule) bool {
	switch r := r.(type) {
	case *altRule, *ipRule, *dnRule, *attributeRule, *extensionRule, *keysRule, *validityRule, denyRule, *notRule:
		return true
	case allRule:
		return !slices.ContainsFunc(r, func(part rule) bool { return !isPlain(part) })
	case *anyRule:
		return r.plain
	}
	return false
}

// refusals turns the excuses into refusals, each once: a rule after an Any may have refused
// several of its members.
func (e *evaluation) refusals(from int) []*Error {
	var refused []*Error
	seen := make(map[excuse]bool, len(e.excuses)-from)
	for _, x := range e.excuses[from:] {
		if seen[x] {
			continue
		}
		seen[x] = true
		if x.by != nil {
			x.err = x.by.refusal(e)
		}
		refused = append(refused, x.err)
	}
	e.excuses = e.excuses[:from]
	return refused
}

// furthest picks the refusal that explains most and appends the texts of the others to it.
func furthest(refused []*Error) *Error {
	chosen := 0
	for i, err := range refused {
		if err.Reason.info().rank > refused[chosen].Reason.info().rank {
			chosen = i
		}
	}
	best := *refused[chosen]
	if len(refused) > 1 {
		best.Err = branches{chosen: best.Err, others: slices.Delete(slices.Clone(refused), chosen, chosen+1)}
	}
	return &best
}

// branches is the detail of an Any that refused. errors.Is finds only the chosen branch, because
// a refusal has one class.
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

// Matched accepts callers that a preceding [Named] policy accepted under one of the listed names:
// use auth.Require(Matched{"admin"}) for a route that requires a role. It is an error of [New] if
// no preceding Named has the name, if a Named with a listed name follows, or if the list is
// empty. It considers all names that are in [Identity.Matched] at the end. It is not permitted
// under [Not], because a name is also missing if its rule could not be evaluated.
type Matched []string

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
