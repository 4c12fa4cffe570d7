package certauth

import "bytes"

// policyPath is one way through a policy: one choice of a member for each Any. The policy accepts
// if some path does, and a path accepts if all rules on it do. Rules about the leaf are
// judged where they stand. Rules about chains and about the caller are noted down until the
// path is complete, because they are about all of it, whatever their place:
//
//   - What keeps out (Denied, IssuedBy under Not) looks at every chain that verified.
//   - A chain that a NotRevoked refuses is taken out.
//   - What lets in (Chain, IssuedBy) rests on the chains that are left.
//   - Matched and functions look at the caller's roles and at the chains that are left.
type policyPath struct {
	vouched    vouching
	reached    vouching           // by any path of this run: what is known of a certificate that is refused
	chains     []*verifiedChain   // that verified; when it is judged in the end, those that are left
	anchors    [][]*verifiedChain // of each Chain: one of them must be left
	roles      []string           // of the Named that were passed
	late       []lateRule
	stages     stage       // of the late rules, a bit each
	revocation *Revocation // what the chains that are left rest on; nil without a NotRevoked
}

// stage says when a lateRule is judged.
type stage uint8

const (
	stageVerified stage = 1 << iota // by the chains that verified, before anybody is asked about them
	stageStatus                     // by revocation
	stageLeft                       // by the chains that are left, if they are others than where the rule stands
	stageCaller                     // by what is known of the caller, when all else has accepted

	// stageAgain is no stage: a Chain stands behind a rule of stageLeft.
	stageAgain
)

// lateRule is a rule about a whole path. Its judge method notes it down.
type lateRule interface {
	rule
	stage() stage
	// settle judges the path. roles are the caller's, known in stageCaller only.
	settle(e *evaluation, p *policyPath, roles []string) *Error
}

// mark is where a path stood, for the walk to come back to.
type mark struct {
	vouched                      vouching
	stages                       stage
	chains, anchors, roles, late int
}

func (p *policyPath) mark() mark {
	return mark{p.vouched, p.stages, len(p.chains), len(p.anchors), len(p.roles), len(p.late)}
}

func (p *policyPath) back(to mark) {
	p.vouched, p.stages = to.vouched, to.stages
	p.chains = p.chains[:to.chains]
	p.anchors = p.anchors[:to.anchors]
	p.roles = p.roles[:to.roles]
	p.late = p.late[:to.late]
}

// anchor notes that a rule vouches for the certificate, a Chain by the chains it found.
func (p *policyPath) anchor(v vouching, chains []*verifiedChain) {
	p.vouched, p.reached = max(p.vouched, v), max(p.reached, v)
	if len(chains) > 0 {
		if p.stages&stageLeft != 0 {
			p.stages |= stageAgain
		}
		p.anchors = append(p.anchors, chains)
		p.chains = appendChains(p.chains, chains)
	}
}

// note keeps a rule until the path is complete.
func (p *policyPath) note(r lateRule) {
	p.late = append(p.late, r)
	p.stages |= r.stage()
}

func (p *policyPath) judge(e *evaluation, s stage, roles []string) *Error {
	if p.stages&s == 0 {
		return nil
	}
	for _, r := range p.late {
		if r.stage() != s {
			continue
		}
		if err := r.settle(e, p, roles); err != nil {
			return err
		}
	}
	return nil
}

// holds reports whether one of the chains is among those of the path.
func (p *policyPath) holds(chains []*verifiedChain) bool {
	for _, chain := range chains {
		if chain.among(p.chains) {
			return true
		}
	}
	return false
}

// copyTo keeps the path in the room of another one.
func (p *policyPath) copyTo(kept *policyPath) {
	kept.vouched, kept.stages, kept.revocation = p.vouched, p.stages, p.revocation
	kept.chains = append(kept.chains[:0], p.chains...)
	kept.roles = append(kept.roles[:0], p.roles...)
	if kept.late = kept.late[:0]; p.stages&stageCaller != 0 { // the others have been judged
		kept.late = append(kept.late, p.late...)
	}
}

// appendChains adds what is new: rules count chains.
func appendChains(to, chains []*verifiedChain) []*verifiedChain {
	for _, chain := range chains {
		if !chain.among(to) {
			to = append(to, chain)
		}
	}
	return to
}

// among reports whether the chain is one of these.
func (c *verifiedChain) among(chains []*verifiedChain) bool {
	for _, other := range chains {
		if c.equal(other) {
			return true
		}
	}
	return false
}

func (c *verifiedChain) equal(other *verifiedChain) bool {
	return c == other || len(c.certs) == len(other.certs) && c.compare(other) == 0
}

// compare puts the shorter chain first, and chains of one length into an order that does
// not depend on where they were found.
func (c *verifiedChain) compare(other *verifiedChain) int {
	if n := len(c.certs) - len(other.certs); n != 0 {
		return n
	}
	for i := range c.certs {
		if n := bytes.Compare(c.certs[i].Raw, other.certs[i].Raw); n != 0 {
			return n
		}
	}
	return 0
}
