package certauth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// evaluation judges one certificate by a policy. It walks the paths of the policy, keeps those
// that accept, and combines their results. It is reused for other requests, so no result may
// point into it.
type evaluation struct {
	ctx   context.Context
	now   time.Time
	owner *Authenticator
	offer source.Offer // what the request offers
	facts *facts       // about the certificate in it

	own    bool // nothing but net/http's server has had the request before
	waited bool // for a search, a checker or a function: the context may have ended meanwhile

	path    policyPath // the current one
	named   bool       // the policy gives roles, so every path must be walked
	pending []pending
	steps   int
	found   []policyPath // accepted except for stageCaller; elements after its length are reused
	answers []statusOf
	left    []*verifiedChain // buffer for the remaining chains of the path
	merged  []*verifiedChain // buffer for the chains of several paths

	established // by all paths that accepted

	quiet          int             // number of enclosing Any and Not, which may ignore a refusal
	branchRefusals []branchRefusal // of their rules, so far
}

// established holds the combined results of the accepting paths.
type established struct {
	roles      []string
	chains     []*verifiedChain
	vouched    vouching
	revocation *Revocation // nil if no checker was asked
}

// maxSteps bounds how many members of Any are tried for one request. The number of paths is the
// product over all Any of the members that the caller satisfies.
const maxSteps = 1 << 14

// pending holds the rules that follow the current place of a walk. They are on a stack in the
// evaluation, and a walk refers to one by its height, 0 for none, so that a walk does not
// allocate.
type pending struct {
	parts allRule
	role  string // of a Named whose policy has just accepted
	next  int
}

// judge runs the policy. Every failure in it, including a panic, is a refusal.
func (e *evaluation) judge(by *judged, at string) (refused *Error) {
	refused = errUnfinished
	defer func() {
		if p := recover(); refused == errUnfinished {
			refused = panicked(at, p)
			*e = evaluation{owner: e.owner} // its state is undefined
		}
	}()
	if err := e.ctx.Err(); err != nil {
		return refusal(ReasonRequestCanceled, at, "%w", err)
	}
	e.named = by.named
	var err *Error
	if !by.straight {
		err = e.walkAll(by.rules, 0)
	} else if err = by.rules.judge(e); err == nil {
		err = e.end()
	}
	if err == nil && len(e.found) > 0 { // the policy gives roles
		err = e.decide()
	}
	if err != nil {
		return err
	}
	if e.waited {
		if err := e.ctx.Err(); err != nil {
			return refusal(ReasonRequestCanceled, at, "%w", err)
		}
	}
	if e.vouched == vouchedNothing {
		return refusal(ReasonInternalError, at, "accepted without an anchor")
	}
	return nil
}

// walk judges a rule and then the rules after it. It returns nil when a path has ended and
// accepts; the path then stays as it is.
func (e *evaluation) walk(r rule, rest int) *Error {
	switch r := r.(type) {
	case allRule:
		return e.walkAll(r, rest)
	case namedRule:
		return e.walkBefore(r.part, pending{role: r.name, next: rest})
	case serverAuthRule:
		return e.walk(r.part, rest)
	case *anyRule:
		if !r.plain {
			return e.walkAny(r, rest)
		}
	}
	if err := r.judge(e); err != nil {
		return err
	}
	return e.proceed(rest)
}

// walkBefore walks a rule and then what is pending after it.
func (e *evaluation) walkBefore(r rule, behind pending) *Error {
	height := len(e.pending)
	e.pending = append(e.pending, behind)
	err := e.walk(r, height+1)
	e.pending = e.pending[:height]
	return err
}

func (e *evaluation) walkAll(parts allRule, rest int) *Error {
	for i, part := range parts {
		if isComposite(part) {
			if i == len(parts)-1 {
				return e.walk(part, rest)
			}
			return e.walkBefore(part, pending{parts: parts[i+1:], next: rest})
		}
		if err := part.judge(e); err != nil {
			return err
		}
	}
	return e.proceed(rest)
}

func isComposite(r rule) bool {
	switch r := r.(type) {
	case allRule, namedRule:
		return true
	case serverAuthRule:
		return isComposite(r.part)
	case *anyRule:
		return !r.plain
	}
	return false
}

// proceed continues after a rule that has accepted; after the last one the path ends.
func (e *evaluation) proceed(rest int) *Error {
	for rest > 0 {
		next := e.pending[rest-1]
		rest = next.next
		if next.role != "" {
			if !slices.Contains(e.path.roles, next.role) {
				e.path.roles = append(e.path.roles, next.role)
			}
			continue
		}
		return e.walkAll(next.parts, rest)
	}
	return e.end()
}

// walkAny walks a path through each member and through the rules after the Any. The first path
// that accepts ends it, unless the policy gives roles.
func (e *evaluation) walkAny(r *anyRule, rest int) *Error {
	start, noted, accepted := e.path.mark(), len(e.branchRefusals), false
	e.quiet++
	for _, part := range r.parts {
		if e.steps++; e.steps > maxSteps {
			break
		}
		err := e.walk(part, rest)
		switch {
		case err == nil && !e.named, err != nil && err.final():
			e.quiet--
			return err
		case err == nil:
			accepted = true
		default:
			e.noteRefusal(err)
		}
		e.path.back(start)
	}
	e.quiet--
	switch {
	case accepted:
		e.branchRefusals = e.branchRefusals[:noted]
		return nil
	case e.steps > maxSteps && len(e.found) == 0:
		return refusal(ReasonOverloaded, "Policy", "no member of Any accepted the caller within %d steps", maxSteps)
	}
	return e.refused(noted)
}

// end judges a complete path, and keeps it if it accepts.
func (e *evaluation) end() *Error {
	p := &e.path
	verified := p.chains
	p.revocation = nil
	var refused *Error
	if p.stages != 0 {
		refused = e.judgeLate(p)
	}
	switch {
	case refused != nil:
	case e.named: // decide needs all accepting paths
		n := len(e.found)
		e.found = slices.Grow(e.found, 1)[:n+1]
		p.copyTo(&e.found[n])
	default:
		e.establish(p)
	}
	p.chains = verified
	return refused
}

// establish adds the results of an accepting path.
func (e *evaluation) establish(p *policyPath) {
	e.vouched = max(e.vouched, p.vouched)
	if e.chains == nil { // usually there is no other path
		e.chains = p.chains[:len(p.chains):len(p.chains)]
	} else {
		e.merged = appendChains(append(e.merged[:0], e.chains...), p.chains)
		e.chains = e.merged
	}
	if e.revocation == nil {
		e.revocation = p.revocation
	}
}

// judgeLate judges a path by its late rules. Afterwards the path has only the chains that
// revocation leaves.
func (e *evaluation) judgeLate(p *policyPath) *Error {
	if err := p.judge(e, stageVerified); err != nil {
		return err
	}
	left, worst, err := e.askStatus(p)
	if err != nil {
		return err
	}
	verified := len(p.chains)
	p.chains = left
	if err := p.judge(e, stageLeft); err != nil {
		return err
	}
	if len(left) < verified {
		for _, chains := range p.anchors {
			if p.holds(chains) {
				continue
			}
			if worst == nil {
				worst = refusal(ReasonRevocationUnavailable, "Policy", "%d chains verify; revocation was checked for the %d shortest, and a Chain needs one of the others", verified, len(left))
			}
			return worst
		}
	}
	if e.named { // the roles are not all known yet, and decide runs the last stage
		return nil
	}
	return p.judge(e, stageCaller)
}

// decide runs stageCaller when all roles are known, and combines the results of the paths that
// accept. A path that is refused loses its roles, on which another may depend; so the stage is
// repeated until no path is refused.
func (e *evaluation) decide() *Error {
	accepted, noted := e.found, len(e.branchRefusals)
	for again := true; again; {
		e.roles = rolesOf(e.roles[:0], accepted)
		n := 0
		for i := range accepted {
			err := accepted[i].judge(e, stageCaller)
			switch {
			case err == nil:
				accepted[n], accepted[i] = accepted[i], accepted[n]
				n++
			case err.final():
				return err
			default:
				e.branchRefusals = append(e.branchRefusals, branchRefusal{err: err})
			}
		}
		if n == 0 {
			return furthest(e.refusals(noted))
		}
		again = n < len(accepted)
		accepted = accepted[:n]
	}
	for i := range accepted {
		e.establish(&accepted[i])
	}
	return nil
}

func rolesOf(roles []string, paths []policyPath) []string {
	for i := range paths {
		for _, role := range paths[i].roles {
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// clear forgets the request but keeps the buffers. The owner stays, because evaluations do not
// leave their Authenticator.
func (e *evaluation) clear() {
	e.offer = source.Offer{}
	e.ctx, e.facts = nil, nil
	e.path.back(mark{})
	e.path.reached = vouchedNothing
	e.pending = e.pending[:0]
	e.found = e.found[:0]
	e.steps, e.quiet, e.own, e.waited = 0, 0, false, false
	e.answers = e.answers[:0]
	e.roles = e.roles[:0]
	e.chains, e.vouched, e.revocation = nil, vouchedNothing, nil
	clear(e.branchRefusals)
	e.branchRefusals = e.branchRefusals[:0]
}

// errUnfinished is what functions that recover panics would return if they did not end. What recover
// returns does not show it: with GODEBUG=panicnil=1 that is nil after panic(nil) too.
var errUnfinished = &Error{Reason: ReasonInternalError}

func panicked(path string, value any) *Error {
	return refusal(ReasonInternalError, path, "panic: %s", logtext.Line(fmt.Sprint(value), maxDetail))
}
