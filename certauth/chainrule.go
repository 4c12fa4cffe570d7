package certauth

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
)

// chainRule is a chainNode at one place of the policy.
type chainRule struct {
	path string
	*chainNode
}

// judge uses the remembered answer for this certificate, if it holds for the material and the time
// of this request. Otherwise it finds one.
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
	if len(answer.chains) == 0 { // a search without a chain has a refusal; a bug there must not accept anybody
		return refusal(ReasonInternalError, r.path, "the search returned neither a chain nor a refusal")
	}
	e.path.anchor(vouchedNames, answer.chains)
	e.path.invalid = append(e.path.invalid, answer.invalid...)
	return nil
}

// find returns an answer for this request if none is remembered. It searches only if a search can
// find a chain.
func (r *chainRule) find(e *evaluation) (*chainAnswer, *Error) {
	material, refused := r.material()
	if refused != nil {
		return nil, r.own(refused)
	}
	if answer := r.withoutSearch(e.facts, material); answer != nil {
		if e.facts.Kept() { // the facts about an unknown caller may not be used again
			e.facts.remember(r.chainNode, answer)
		}
		return answer, nil
	}
	e.waited = true
	return r.learn(e, material)
}

func (r *chainRule) refuse(e *evaluation, answer *chainAnswer) *Error {
	switch {
	case !answer.lasting(): // an Any must receive this Reason, which ends its evaluation
		return r.own(answer.refused)
	case e.quiet > 0:
		return e.refuse(r, false)
	}
	return r.words(e, answer)
}

// errUnknownIssuer is the refusal of a leaf whose issuer is not configured. Most nodes of a large
// policy refuse most callers in this way, so the text is made only when it is needed.
var errUnknownIssuer = &Error{Reason: ReasonChainUntrusted}

// withoutSearch returns the refusals that need no signature and do not depend on the time, or nil.
// A flood of certificates from unknown issuers therefore causes no search.
func (n *chainNode) withoutSearch(f *facts, material chainMaterial) *chainAnswer {
	current := material.generations()
	if refused := n.judgeLeaf(f); refused != nil {
		return &chainAnswer{material: current, until: chainsearch.EndOfTime, refused: refused}
	}
	cas := material.cas()
	if n.System != nil || cas.Have(f.keyOfIssuer(cas)) || slices.ContainsFunc(f.issuersSentAlong(cas), cas.Have) {
		return nil
	}
	known := n.unknown.Load()
	if known == nil || known.material != current {
		known = &chainAnswer{material: current, until: chainsearch.EndOfTime, refused: errUnknownIssuer}
		n.unknown.Store(known)
	}
	return known
}

// judgeLeaf returns the refusals that depend only on the leaf.
func (n *chainNode) judgeLeaf(f *facts) *Error {
	switch {
	case f.isCA:
		return refusal(ReasonCertificateIsCA, "", "the leaf is a CA certificate")
	case n.strictEKU && !slices.Contains(f.leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return refusal(ReasonUsageNotAllowed, "", "extended key usage of the leaf: %s, want clientAuth (StrictEKU)", certcheck.Purposes(f.leaf))
	case f.fault.IsOfExtension():
		return refusalOf("", f.fault.Refusal("the leaf", f.leaf))
	}
	return nil
}

// refusal returns the refusal with its text, after the node has refused this certificate.
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

// words returns the refusal of an answer for this place in the policy and the time of the request.
func (r *chainRule) words(e *evaluation, answer *chainAnswer) *Error {
	switch {
	case answer.refused == errUnknownIssuer:
		return refusalOf(r.path, chainsearch.UnknownIssuer(r.roots.Get(), e.facts.leaf))
	case answer.dated != nil:
		if refused := chainsearch.Dates(answer.dated, e.facts.leaf, e.now, r.Skew); refused != nil {
			return refusalOf(r.path, refused)
		}
	}
	return r.own(answer.refused)
}

// own returns the refusal with the path of this rule, because other rules share the node.
func (r *chainRule) own(refused *Error) *Error {
	if refused.Rule == r.path {
		return refused
	}
	own := *refused
	own.Rule = r.path
	return &own
}

// learn searches, or waits for a concurrent request's search with the same question. Its answer may
// not hold at the time of this request; then it searches again.
func (r *chainRule) learn(e *evaluation, material chainMaterial) (*chainAnswer, *Error) {
	const tries = 3
	f, now := e.facts, e.now // the search may outlive the request
	for range tries {
		answer, refused := e.owner.searches.search(e.ctx, f, r, material.generations(), func() *chainAnswer { return r.search(f, material, now) })
		if refused != nil {
			return nil, refused
		}
		if !answer.lasting() || answer.holds(material.generations(), now) {
			return answer, nil
		}
	}
	return nil, refusal(ReasonOverloaded, r.path, "the answers that concurrent requests share hold for other times than that of this request")
}

// search finds the chains of the leaf among these CAs.
func (n *chainNode) search(f *facts, material chainMaterial, now time.Time) *chainAnswer {
	cas := material.cas()
	leaf := chainsearch.Leaf{Certificate: f.leaf, Fault: f.fault, Issuer: f.keyOfIssuer(cas), SentAlong: f.sent().certs[1:]}
	found := n.Find(leaf, cas, now, &n.admitted)
	answer := &chainAnswer{material: material.generations(), from: found.From, until: found.Until, dated: found.Dated}
	if found.Refused != nil {
		answer.refused = refusalOf("", found.Refused)
	}
	answer.chains = answer.room[:0]
	for _, chain := range found.Invalid {
		answer.invalid = append(answer.invalid, newVerifiedChain(chain))
	}
	for _, chain := range found.Chains {
		verified := newVerifiedChain(chain)
		if n.ServerAuth && needsServerAuth(chain) {
			verified.serverAuth = n.serverAuth
		}
		answer.chains = append(answer.chains, verified)
	}
	return answer
}
