package certauth

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"iter"
	"slices"
)

// policyPath is one way through a policy: one choice of a member for each Any. The policy accepts
// if some path does, and a path accepts if all rules on it do. Rules about the leaf are judged at
// their place. Rules about chains and about the caller concern the whole path, whatever their
// place, so they are noted until the path is complete:
//
//   - Rules that exclude (Denied, IssuedBy and IssuerName under Not) consider every chain that a Chain
//     accepts, and those that it refuses although names and signatures are right.
//   - A NotRevoked discards the chains that it refuses.
//   - Rules that accept (Chain, IssuedBy) consider the remaining chains.
//   - Matched and functions consider the caller's roles and the remaining chains.
type policyPath struct {
	vouched    vouching
	reached    vouching           // highest of all paths of this run, for the report of a refusal
	chains     []*verifiedChain   // that a Chain accepts; in the late stages, those that remain
	invalid    []*verifiedChain   // by names and signatures, that a Chain refuses
	anchors    [][]*verifiedChain // the chains of each Chain, of which one must remain
	roles      []string           // of the Named that accepted
	late       []lateRule
	stages     stage       // of the late rules, a bit each
	revocation *Revocation // evidence for the remaining chains; nil without a NotRevoked
}

// stage says when a lateRule is judged.
type stage uint8

const (
	stageVerified stage = 1 << iota // by the chains that verified, before revocation is checked
	stageStatus                     // by revocation
	stageLeft                       // by the remaining chains of every Chain
	stageCaller                     // by the caller's properties, when all other rules have accepted
)

// lateRule is a rule about a whole path. Its judge method only notes it.
type lateRule interface {
	rule
	stage() stage
	// settle judges the path. The evaluation has the caller's roles in stageCaller only.
	settle(e *evaluation, p *policyPath) *Error
}

// mark is a state of a path to which the walk can return.
type mark struct {
	vouched                               vouching
	stages                                stage
	chains, invalid, anchors, roles, late int
}

func (p *policyPath) mark() mark {
	return mark{p.vouched, p.stages, len(p.chains), len(p.invalid), len(p.anchors), len(p.roles), len(p.late)}
}

func (p *policyPath) back(to mark) {
	p.vouched, p.stages = to.vouched, to.stages
	p.chains, p.invalid = p.chains[:to.chains], p.invalid[:to.invalid]
	p.anchors = p.anchors[:to.anchors]
	p.roles = p.roles[:to.roles]
	p.late = p.late[:to.late]
}

// anchor notes that a rule vouches for the certificate; a Chain passes the chains that it found.
func (p *policyPath) anchor(v vouching, chains []*verifiedChain) {
	p.vouched, p.reached = max(p.vouched, v), max(p.reached, v)
	if len(chains) > 0 {
		p.anchors = append(p.anchors, chains)
		p.chains = appendChains(p.chains, chains)
	}
}

// note keeps a rule until the path is complete.
func (p *policyPath) note(r lateRule) {
	p.late = append(p.late, r)
	p.stages |= r.stage()
}

func (p *policyPath) judge(e *evaluation, s stage) *Error {
	if p.stages&s == 0 {
		return nil
	}
	for _, r := range p.late {
		if r.stage() != s {
			continue
		}
		if err := r.settle(e, p); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether one of the chains is among those of the path.
func (p *policyPath) holds(chains []*verifiedChain) bool {
	return slices.ContainsFunc(chains, func(chain *verifiedChain) bool { return chain.among(p.chains) })
}

// proven returns every chain in which names and signatures are right, for the rules that exclude.
func (p *policyPath) proven() iter.Seq[*verifiedChain] {
	return func(yield func(*verifiedChain) bool) {
		for _, chains := range [2][]*verifiedChain{p.chains, p.invalid} {
			for _, chain := range chains {
				if !yield(chain) {
					return
				}
			}
		}
	}
}

// copyTo copies the path and reuses the buffers of kept.
func (p *policyPath) copyTo(kept *policyPath) {
	kept.vouched, kept.stages, kept.revocation = p.vouched, p.stages, p.revocation
	kept.chains = append(kept.chains[:0], p.chains...)
	kept.roles = append(kept.roles[:0], p.roles...)
	if kept.late = kept.late[:0]; p.stages&stageCaller != 0 { // rules of other stages have been judged
		kept.late = append(kept.late, p.late...)
	}
}

// appendChains appends the chains that are not in the list yet, because rules count chains. Those of one
// answer differ, and there can be many of them.
func appendChains(to, chains []*verifiedChain) []*verifiedChain {
	before := to
	for _, chain := range chains {
		if !chain.among(before) {
			to = append(to, chain)
		}
	}
	return to
}

// among reports whether the list contains an equal chain.
func (c *verifiedChain) among(chains []*verifiedChain) bool {
	return slices.ContainsFunc(chains, c.equal)
}

func (c *verifiedChain) equal(other *verifiedChain) bool {
	return c == other || len(c.certs) == len(other.certs) && c.compare(other) == 0
}

// compare orders by length, and chains of the same length by their contents, so that the order
// does not depend on where they were found.
func (c *verifiedChain) compare(other *verifiedChain) int {
	return cmp.Or(len(c.certs)-len(other.certs), slices.CompareFunc(c.certs, other.certs, func(a, b *x509.Certificate) int {
		return bytes.Compare(a.Raw, b.Raw)
	}))
}
