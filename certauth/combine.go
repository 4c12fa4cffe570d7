package certauth

import "slices"

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

func (p All) compile(c *compilation, at place) (rule, standing) {
	if len(p) == 0 {
		c.mistake(at.path+".All", "empty")
		return invalidRule{path: at.path}, at.standing
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
		return invalidRule{path: at.path}, at.standing
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
	return &anyRule{parts: parts, plain: isPlain(allRule(parts))}
}

func (r *anyRule) judge(e *evaluation) *Error {
	noted := len(e.branchRefusals)
	e.quiet++
	for _, part := range r.parts {
		err := part.judge(e)
		if err == nil || err.final() {
			e.quiet--
			e.branchRefusals = e.branchRefusals[:noted]
			return err
		}
		e.noteRefusal(err)
	}
	e.quiet--
	return e.refused(noted)
}

func (r *anyRule) describe(p *printer) { p.group("any of", r.parts) }

// notRule is the negation of a single rule.
type notRule struct {
	path string
	part rule
}

func (r *notRule) judge(e *evaluation) *Error {
	noted := len(e.branchRefusals)
	e.quiet++ // a mismatch becomes an acceptance
	err := r.part.judge(e)
	e.quiet--
	switch {
	case err == nil:
		return e.refuse(r, true)
	case err == errQuietMismatch:
		e.branchRefusals = e.branchRefusals[:noted]
		return nil
	case isQuiet(err) && e.quiet == 0:
		return furthest(e.refusals(noted))
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
	case *altRule, *ipRule, *dnRule, *attributeRule, *extensionRule, *keysRule, *validityRule, invalidRule, *notRule:
		return true
	case allRule:
		return !slices.ContainsFunc(r, func(part rule) bool { return !isPlain(part) })
	case *anyRule:
		return r.plain
	}
	return false
}
