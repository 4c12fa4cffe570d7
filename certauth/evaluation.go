package certauth

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// evaluation is one run of a policy over the facts about one certificate. What rules
// establish grows as anchors accept and becomes an identity only if the whole tree
// accepts. It is used again for other requests; nothing that is handed out is part of it.
type evaluation struct {
	ctx   context.Context
	now   time.Time
	owner *Authenticator
	facts *facts

	established

	aside   established // of accepting branches of the Any nodes that are being asked
	quiet   int         // how many Any and Not nodes stand above: a refusal may come to nothing
	excuses []excuse    // of what they have asked so far
}

// established is what rules on the accepting path so far have found.
type established struct {
	matched    []string
	chains     []*verifiedChain
	spoiled    []*verifiedChain // of them: with a revoked CA, or nothing known about one
	last       []pending        // to look at once more when the tree has accepted
	vouched    vouching
	revocation Revocation
}

// pending is a rule about chains, which may grow behind it, and how many it has seen.
type pending struct {
	rule looker
	seen int
}

type looker interface {
	look(e *evaluation, seen int) *Error
}

// saved is what a failed branch must not leave behind.
type saved struct {
	matched, chains, spoiled, last int
	vouched                        vouching
	revocation                     Revocation
}

func (s *established) save() saved {
	return saved{len(s.matched), len(s.chains), len(s.spoiled), len(s.last), s.vouched, s.revocation}
}

func (s *established) restore(to saved) {
	s.matched, s.chains, s.last = s.matched[:to.matched], s.chains[:to.chains], s.last[:to.last]
	s.spoiled = s.spoiled[:to.spoiled]
	s.vouched = to.vouched
	if s.revocation.Status != to.revocation.Status || s.revocation.Status != RevocationUnavailable {
		s.revocation = to.revocation
	}
}

// setAside puts away what was found since the state was saved. The first evidence of a
// revocation check counts, and the most that any branch vouches for.
func (e *evaluation) setAside(before, mark saved) {
	e.aside.matched = append(e.aside.matched, e.matched[before.matched:]...)
	e.aside.last = append(e.aside.last, e.last[before.last:]...)
	e.aside.spoiled = append(e.aside.spoiled, e.spoiled[before.spoiled:]...)
	for _, chain := range e.chains[before.chains:] {
		if !slices.ContainsFunc(e.aside.chains[mark.chains:], chain.equal) {
			e.aside.chains = append(e.aside.chains, chain)
		}
	}
	e.aside.vouched = max(e.aside.vouched, e.vouched)
	if e.aside.revocation.Status == RevocationUnavailable {
		e.aside.revocation = e.revocation
	}
}

// takeBack adds what was put away since the mark.
func (e *evaluation) takeBack(mark saved) {
	for _, name := range e.aside.matched[mark.matched:] {
		e.match(name)
	}
	e.chains = append(e.chains, e.aside.chains[mark.chains:]...)
	e.last = append(e.last, e.aside.last[mark.last:]...)
	for _, chain := range e.aside.spoiled[mark.spoiled:] {
		e.spoil(chain)
	}
	e.vouched, e.revocation = e.aside.vouched, e.aside.revocation
	e.aside.restore(mark)
}

// match records the name of a Named policy, once.
func (e *evaluation) match(name string) {
	if !slices.Contains(e.matched, name) {
		e.matched = append(e.matched, name)
	}
}

// anchor records that a rule vouches for the certificate.
func (e *evaluation) anchor(v vouching, chains []*verifiedChain) {
	e.vouched = max(e.vouched, v)
	for _, chain := range chains { // each once: rules count them
		if !slices.ContainsFunc(e.chains, chain.equal) {
			e.chains = append(e.chains, chain)
		}
	}
}

// spoil takes a chain out of what later rules and the identity may rest on.
func (e *evaluation) spoil(chain *verifiedChain) {
	if !slices.Contains(e.spoiled, chain) {
		e.spoiled = append(e.spoiled, chain)
	}
}

func (e *evaluation) isSpoiled(chain *verifiedChain) bool {
	return len(e.spoiled) > 0 && slices.ContainsFunc(e.spoiled, chain.equal)
}

// refuser is a rule that can say what it has against the certificate. It looks at facts
// alone, so that it can be asked later, or not at all.
type refuser interface {
	refusal(e *evaluation) *Error
}

// excuse is why a branch of an Any refused: a refusal, or whom to ask for it.
type excuse struct {
	err *Error
	by  refuser
}

// What a rule within an Any answers. They are never handed out and hold no more than what
// Not needs to know; the excuse beside them says the rest.
var (
	errQuietMismatch = &Error{Reason: ReasonPolicyRefused, mismatch: true}
	errQuietRefusal  = &Error{Reason: ReasonPolicyRefused}
)

func isQuiet(err *Error) bool { return err == errQuietMismatch || err == errQuietRefusal }

// refuse is the answer of a rule that was evaluated in full if mismatch, and no; its words
// are not put together for a branch whose refusal nobody may ever read.
func (e *evaluation) refuse(by refuser, mismatch bool) *Error {
	if e.quiet == 0 {
		return by.refusal(e)
	}
	e.excuses = append(e.excuses, excuse{by: by})
	if mismatch {
		return errQuietMismatch
	}
	return errQuietRefusal
}

// begin prepares a run.
func (e *evaluation) begin(ctx context.Context, now time.Time, owner *Authenticator, f *facts) {
	e.ctx, e.now, e.facts = ctx, now, f
	if e.owner == nil {
		e.owner = owner
	}
}

// clear forgets the run and keeps the room that it took. The owner stays: evaluations do not
// leave their Authenticator.
func (e *evaluation) clear() {
	e.ctx, e.facts = nil, nil
	e.established.clear()
	e.aside.clear()
	clear(e.excuses)
	e.excuses, e.quiet = e.excuses[:0], 0
}

func (s *established) clear() {
	s.matched, s.chains, s.spoiled, s.last, s.vouched = s.matched[:0], s.chains[:0], s.spoiled[:0], s.last[:0], vouchedNothing
	if s.revocation.Status != RevocationUnavailable {
		s.revocation = Revocation{}
	}
}

// judge runs the rule. Whatever goes wrong in it, a panic included, is a refusal.
func (e *evaluation) judge(r rule, path string) (refused *Error) {
	defer func() {
		if p := recover(); p != nil {
			refused = panicked(path, p)
		}
	}()
	if err := e.ctx.Err(); err != nil {
		return refusal(ReasonRequestCanceled, path, "%w", err)
	}
	if err := r.judge(e); err != nil {
		return err
	}
	for known := -1; known != len(e.spoiled); { // once, unless a second look spoils a chain
		known = len(e.spoiled)
		for _, again := range e.last {
			if refused := again.rule.look(e, again.seen); refused != nil {
				return refused
			}
		}
	}
	if len(e.spoiled) > 0 {
		e.chains = slices.DeleteFunc(e.chains, e.isSpoiled)
		if len(e.chains) == 0 { // each rule found a chain good that another one took out
			return refusal(ReasonRevocationUnavailable, path, "no chain is left that every revocation rule accepts")
		}
		for i := range e.last { // all of these have been judged, and whatever a route adds has not
			e.last[i].seen = len(e.chains)
		}
	}
	if err := e.ctx.Err(); err != nil {
		return refusal(ReasonRequestCanceled, path, "%w", err)
	}
	if e.vouched == vouchedNothing {
		return refusal(ReasonInternalError, path, "accepted without an anchor")
	}
	return nil
}

func panicked(path string, value any) *Error {
	return refusal(ReasonInternalError, path, "panic: %s", clip(fmt.Sprint(value), maxDetail))
}

// identity returns who the caller is, after the tree has accepted. Requests with the same
// certificate and the same outcome share one; whatever differs makes another.
func (e *evaluation) identity() *Identity {
	if known := e.facts.handedOut(); known != nil && known.verdict.owner == e.owner && e.same(&known.verdict.established) && known.intact() {
		return known
	}
	id := e.newIdentity()
	e.facts.handOut(id)
	return id
}

// newIdentity copies what was established, but for chains that were taken out.
func (e *evaluation) newIdentity() *Identity {
	chains := slices.DeleteFunc(slices.Clone(e.chains), e.isSpoiled)
	v := &verdict{owner: e.owner, facts: e.facts, sent: e.facts.sent(), established: established{
		matched: slices.Clone(e.matched), chains: chains, last: slices.Clone(e.last),
		vouched: e.vouched, revocation: e.revocation,
	}}
	id := &Identity{
		Leaf: e.facts.leaf, Presented: slices.Clone(v.sent.certs), Source: e.owner.sourceName,
		Matched: slices.Clone(e.matched), Revocation: e.revocation, verdict: v,
	}
	for _, chain := range chains {
		id.Chains = append(id.Chains, slices.Clone(chain.certs))
	}
	return id
}

func (e *evaluation) same(known *established) bool {
	if e.vouched != known.vouched || len(e.matched) != len(known.matched) || len(e.chains) != len(known.chains) || len(e.last) != len(known.last) ||
		!sameRevocation(&e.revocation, &known.revocation) {
		return false
	}
	for i, chain := range e.chains {
		if chain != known.chains[i] {
			return false
		}
	}
	return slices.Equal(e.matched, known.matched) && slices.Equal(e.last, known.last)
}

// sameRevocation is == with a short way for the zero value.
func sameRevocation(a, b *Revocation) bool {
	return a.Status == b.Status && (a.Status == RevocationUnavailable && a.Source == "" && b.Source == "" || *a == *b)
}

// intact reports whether nobody has changed the identity since it was handed out first.
func (id *Identity) intact() bool {
	v := id.verdict
	if id.Leaf != v.facts.leaf || id.Source != v.owner.sourceName || !sameRevocation(&id.Revocation, &v.revocation) || len(id.Chains) != len(v.chains) ||
		!slices.Equal(id.Matched, v.matched) || !sameCertificates(id.Presented, v.sent.certs) {
		return false
	}
	for i, chain := range v.chains {
		if !sameCertificates(id.Chains[i], chain.certs) {
			return false
		}
	}
	return true
}

func sameCertificates(a, b []*x509.Certificate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (c *verifiedChain) equal(other *verifiedChain) bool {
	return c == other || slices.EqualFunc(c.certs, other.certs, (*x509.Certificate).Equal)
}

// printer writes a policy as indented lines: the words that start-up log, review and
// audit share.
type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) line(format string, args ...any) {
	p.b.WriteString(strings.Repeat("  ", p.indent))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *printer) group(title string, parts []rule) {
	p.line("%s", title)
	p.indent++
	for _, part := range parts {
		part.describe(p)
	}
	p.indent--
}
