package certauth

import (
	"crypto/x509"
	"slices"
)

// chainRule is a chainNode at one place of the policy.
type chainRule struct {
	path string
	*chainNode
}

// judge takes the answer that is remembered for this certificate, if it holds with the
// material and the time of this request. Else it looks whether there is anything to search
// for, and searches if there is.
func (r *chainRule) judge(e *evaluation) *Error {
	answer := e.facts.answers.of(r.chainNode)
	if answer == nil || !answer.holds(r.generations(), e.now) {
		var refused *Error
		if answer, refused = r.find(e); refused != nil {
			return refused
		}
	}
	if answer.refused != nil {
		return r.refuse(e, answer)
	}
	if len(answer.chains) == 0 { // a search says why whenever it finds none; a slip there must not let anybody in
		return refusal(ReasonInternalError, r.path, "no chain and no reason")
	}
	e.path.anchor(vouchedNames, answer.chains)
	return nil
}

// find returns an answer for this request where none is remembered.
func (r *chainRule) find(e *evaluation) (*chainAnswer, *Error) {
	material, refused := r.material()
	if refused != nil {
		return nil, r.own(refused)
	}
	if answer := r.withoutSearch(e.facts, material); answer != nil {
		e.facts.keep(r.chainNode, answer)
		return answer, nil
	}
	e.waited = true
	return r.learn(e, material)
}

func (r *chainRule) refuse(e *evaluation, answer *chainAnswer) *Error {
	switch {
	case !answer.lasting(): // an Any must see it at once
		return r.own(answer.refused)
	case e.quiet > 0:
		return e.refuse(r, false)
	}
	return r.words(e, answer)
}

// errUnknownIssuer stands for the refusal of a leaf whose issuer is not configured. Most
// nodes of a large policy refuse most callers so; the words are made when they are wanted.
var errUnknownIssuer = &Error{Reason: ReasonChainUntrusted}

// withoutSearch returns the refusals that take no signature and that no time changes, or
// nil. A stranger who floods with names of his own gets no further.
func (n *chainNode) withoutSearch(f *facts, material chainMaterial) *chainAnswer {
	current := material.generations()
	if refused := n.judgeLeaf(f); refused != nil {
		return &chainAnswer{material: current, until: endOfTime, refused: refused}
	}
	if n.system != nil || material.names(material.keyOfIssuer(f)) {
		return nil
	}
	for _, key := range material.issuersSentAlong(f) {
		if material.names(key) {
			return nil
		}
	}
	known := n.unknown.Load()
	if known == nil || known.material != current {
		known = &chainAnswer{material: current, until: endOfTime, refused: errUnknownIssuer}
		n.unknown.Store(known)
	}
	return known
}

// judgeLeaf is what the leaf alone is refused for.
func (n *chainNode) judgeLeaf(f *facts) *Error {
	switch {
	case f.isCA:
		return refusal(ReasonCertificateIsCA, "", "the leaf is a CA certificate")
	case n.strictEKU && !slices.Contains(f.leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return refusal(ReasonUsageNotAllowed, "", "extended key usage of the leaf: %s, want clientAuth (StrictEKU)", usages(f.leaf))
	case f.fault == faultCritical, f.fault == faultQualifier:
		return f.fault.refusal("", "the leaf", f.leaf, ReasonChainUntrusted)
	}
	return nil
}

// refusal puts into words why the node has refused this certificate.
func (r *chainRule) refusal(e *evaluation) *Error {
	material, refused := r.material()
	if refused != nil {
		return r.own(refused)
	}
	answer := e.facts.answers.of(r.chainNode)
	if answer == nil || answer.refused == nil {
		answer = r.withoutSearch(e.facts, material)
	}
	if answer == nil {
		return refusal(ReasonChainUntrusted, r.path, "the CA certificates were replaced while the request was judged")
	}
	return r.words(e, answer)
}

// words are the refusal of an answer at this place of the policy and at this time.
func (r *chainRule) words(e *evaluation, answer *chainAnswer) *Error {
	switch {
	case answer.refused == errUnknownIssuer:
		return unknownIssuer(r.path, r.roots.Get(), "leaf", e.facts.leaf)
	case answer.dated != nil:
		if refused := checkDates(r.path, nameIn(answer.dated, e.facts.leaf), answer.dated, e.now, r.skew); refused != nil {
			return refused
		}
	}
	return r.own(answer.refused)
}

// own returns the refusal with the path of this rule: others share the node.
func (r *chainRule) own(refused *Error) *Error {
	if refused.Rule == r.path {
		return refused
	}
	own := *refused
	own.Rule = r.path
	return &own
}

// learn searches, together with the requests that ask the same at this moment. What one of
// them found may be of another second than this one needs; then it is searched again.
func (r *chainRule) learn(e *evaluation, material chainMaterial) (*chainAnswer, *Error) {
	const tries = 3
	f, now := e.facts, e.now // the search may outlive the request
	for range tries {
		answer, refused := e.owner.work.search(e.ctx, f, r, material.generations(), func() *chainAnswer { return r.search(f, material, now) })
		if refused != nil {
			return nil, refused
		}
		if !answer.lasting() || answer.holds(material.generations(), now) {
			return answer, nil
		}
	}
	return nil, refusal(ReasonOverloaded, r.path, "the time of the request is not that of the others that ask the same")
}
