package certauth

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// defaultMaxDepth is the largest number of CA certificates above the leaf, the root
// included, that a [Chain] accepts unless told otherwise.
const defaultMaxDepth = 5

// Chain accepts a certificate that chains to one of Roots by signatures (RFC 5280,
// section 6), with every certificate of the chain within its validity and client
// authentication allowed all the way down. It is an anchor that vouches for the names.
//
// If several chains verify, all of them are kept in [Identity.Chains]; a later rule on
// the issuer accepts if any of them satisfies it. A revocation rule takes out those that
// hold a revoked CA, and refuses if none is left or the caller's own certificate is revoked.
//
// Signatures, dates, path lengths, extended key usages and certificate policies are judged
// by crypto/x509. Beside it, or instead of it, hold:
//
//   - Issuer and subject are compared as RFC 5280, section 7.1, has it: string type, letter
//     case and spacing do not count. Under [InsecureSystemRoots] they are compared byte for
//     byte.
//   - Name constraints of every form (section 4.2.1.10), those of the roots included, critical
//     or not, apply to the subjects and the alternative names of all certificates below. A
//     form, a minimum or a maximum that cannot be compared refuses the names it concerns.
//   - The key usage of the leaf, if it has one, allows digitalSignature or keyAgreement, that
//     of a CA keyCertSign. An extended key usage that lists nothing allows nothing.
//   - Critical certificate policies hold no qualifiers but the two that RFC 5280 defines. Any
//     other critical extension that crypto/x509 does not know refuses, on every certificate
//     below the root and on the root.
//
// Refused are also: a CA certificate or one of the roots as the leaf, a chain with more than
// MaxDepth CA certificates, and SHA-1 and MD5 signatures.
//
// Candidates for an issuer are chosen by subject. Those whose key identifier the child names
// come first, then those where one of the two has none, then the others: identifiers give
// the order and signatures decide. At most eight roots and eight other CAs of one name are
// tried for one child: within each kind the valid before the others, the configured before
// the presented, and the youngest first. A presented CA is a candidate only if a configured one, or one that is a candidate
// already, has signed it; to find out, at most 72 signatures are checked. What is sent along
// and cannot be used (another version than 3, a serial number that is not positive, a key that
// is weak or of an unknown kind, what crypto/x509 cannot read) is no candidate and refuses
// nobody; it counts as one of the ten certificates all the same.
//
// One Authenticator may have 256 Chain policies that differ, those of
// [Authenticator.Require] included; more are an error of New. Policies with the same
// settings and the same sources count once: the same name of a [PEMFile] or another file
// or variable, the same text of a [PEM], the same [Certificates]; a [CertFunc] is never the same as another. A caller who
// is remembered costs no signature, however many they are. A new one is searched for once
// under each Chain that has a CA of the name of its issuer, or of that of a CA sent along.
type Chain struct {
	// Roots are the trust anchors. Required; nil never means the system's roots (see
	// [InsecureSystemRoots]). Each must be a CA certificate; to trust one certificate
	// as it is, pin it with [Certificates] or [Thumbprints].
	Roots CertSource

	// Intermediates are issuing CAs that complete the chain. Front ends such as App
	// Service forward the leaf only, so without them only leaves issued by a root
	// itself will do. Certificates sent along with the leaf are tried too and are
	// never trusted by themselves. May be nil.
	Intermediates CertSource

	// StrictEKU demands that the leaf has the extended key usage clientAuth itself. By
	// default a leaf without any extended key usage is good for every purpose, as RFC
	// 5280, section 4.2.1.12, has it.
	StrictEKU bool

	// MaxDepth is the largest number of CA certificates above the leaf, the root
	// included; 1 means that the root issues directly. 0 means 5;
	// negative or above 10 is an error of New.
	MaxDepth int

	// Policies are the certificate policies of which the chain must have one, as dotted OIDs:
	// the user-initial-policy-set of RFC 5280, section 6.1.1, with an explicit policy
	// required. The policy must be in every certificate below the root, or follow from what
	// is there (anyPolicy, policy mappings). It is how a CA says what a certificate stands
	// for: a qualified one (0.4.0.194112.1.4 is QCP-w), a level of assurance. Nil asks for
	// none; a CA that requires one all the same is obeyed either way. "2.5.29.32.0" alone is
	// any policy that holds all the way. An empty list, a text that is no OID, and
	// Policies together with [InsecureSystemRoots] are errors of New.
	Policies []string
}

func (p Chain) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Chain"
	c.forbidUnderNot(path, at)
	c.anchors++
	settings := chainSettings{strictEKU: p.StrictEKU, maxDepth: p.MaxDepth, skew: at.skew, serverAuth: at.serverAuth, policies: c.certificatePolicies(path, p.Policies)}
	if p.StrictEKU && at.serverAuth != "" {
		c.mistake(path+".StrictEKU", "asks for clientAuth, and AcceptServerAuth around it does not; leave one out")
	}
	if p.MaxDepth == 0 {
		settings.maxDepth = defaultMaxDepth
	}
	if p.MaxDepth < 0 || p.MaxDepth > maxCertificates {
		c.mistake(path+".MaxDepth", "%d, want 1 to %d, or 0 for %d", p.MaxDepth, maxCertificates, defaultMaxDepth)
	}
	switch roots := p.Roots.(type) {
	case systemRoots:
		pool, err := c.nodesOf().systemPool()
		if err != nil {
			c.mistake(path+".Roots", "system roots: %w", err)
		}
		settings.system = pool
		if at.serverAuth != "" {
			c.mistake(path+".Roots", "the system's roots within AcceptServerAuth: the certificate of any web server would do")
		}
		if settings.policies != "" {
			c.mistake(path+".Policies", "cannot be asked of the system's roots, which some systems verify themselves")
		}
	default:
		settings.roots = c.pool(path+".Roots", roots, true)
	}
	settings.intermediates = c.pool(path+".Intermediates", p.Intermediates, false)
	at.standing.vouched, at.standing.chain = vouchedNames, true
	at.standing.public = at.standing.public || settings.system != nil
	return &chainRule{path: path, chainNode: c.node(path, settings)}, at.standing
}

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
	case f.leaf.IsCA:
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

// chainMaterial is what a search trusts: one state of each, for its whole length.
type chainMaterial struct {
	roots         *reload.Loaded[caPool] // nil with the system's roots
	intermediates *reload.Loaded[caPool]
}

// keyOfIssuer is the key of the name of the leaf's issuer.
func (m chainMaterial) keyOfIssuer(f *facts) string {
	if known := f.issuerKey.Load(); known != nil {
		return *known
	}
	key := m.keyOf(f.leaf.RawIssuer)
	f.issuerKey.Store(&key)
	return key
}

// keyOf is nameKey of a name that may be spelled as one that is configured.
func (m chainMaterial) keyOf(name []byte) string {
	if key, ok := m.intermediates.Value.spelled[string(name)]; ok {
		return key
	}
	if m.roots != nil {
		if key, ok := m.roots.Value.spelled[string(name)]; ok {
			return key
		}
	}
	return nameKey(name)
}

// issuersSentAlong are the keys of the names of the issuers of the CAs that were sent along.
func (m chainMaterial) issuersSentAlong(f *facts) []string {
	if len(f.sent().certs) == 1 {
		return nil
	}
	if known := f.sentKeys.Load(); known != nil {
		return *known
	}
	var keys []string
	for _, cert := range f.sent().certs[1:] {
		if !cert.IsCA {
			continue
		}
		if key := m.keyOf(cert.RawIssuer); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	f.sentKeys.Store(&keys)
	return keys
}

// names reports whether a CA is configured under the name of this key.
func (m chainMaterial) names(key string) bool {
	return m.roots != nil && m.roots.Value.bySubject[key] != nil || m.intermediates.Value.bySubject[key] != nil
}

func (m chainMaterial) generations() generations {
	g := generations{intermediates: m.intermediates.Generation}
	if m.roots != nil {
		g.roots = m.roots.Generation
	}
	return g
}

// generations are those of the material in use.
func (n *chainNode) generations() generations {
	g := generations{intermediates: n.intermediates.Current().Generation}
	if n.roots != nil {
		g.roots = n.roots.Current().Generation
	}
	return g
}

func (n *chainNode) material() (chainMaterial, *Error) {
	m := chainMaterial{intermediates: n.intermediates.Current()}
	if n.system != nil {
		return m, nil
	}
	if m.roots = n.roots.Current(); m.roots == nil || len(m.roots.Value.certs) == 0 {
		return m, refusal(ReasonNotConfigured, "", "no roots")
	}
	return m, nil
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

// search finds the chains of the leaf, and for how long no search would find others.
func (n *chainNode) search(f *facts, material chainMaterial, now time.Time) *chainAnswer {
	found := &search{
		system: n.system, intermediates: &material.intermediates.Value, depth: n.maxDepth, now: now, skew: n.skew,
		span: newSpan(now), leaf: f.leaf, issuer: material.keyOfIssuer(f),
	}
	if material.roots != nil {
		found.roots = &material.roots.Value
	}
	found.span.watch(f.leaf, n.skew)
	chains, refused := n.verify(f, found)
	if n.system != nil { // whose certificates no search has watched
		for _, chain := range chains {
			for _, cert := range chain {
				found.span.watch(cert, n.skew)
			}
		}
		if found.dated != nil {
			found.span.watch(found.dated, n.skew)
		}
		found.span.within(systemAnswerLife)
	}
	answer := &chainAnswer{material: material.generations(), from: found.span.from, until: found.span.until, refused: refused}
	if refused != nil {
		answer.dated = found.dated
	}
	for _, chain := range chains {
		verified := newVerifiedChain(chain)
		if n.serverAuth != "" && needsServerAuth(chain) {
			verified.serverAuth = n.serverAuth
		}
		answer.chains = append(answer.chains, verified)
	}
	return answer
}

func (r *chainRule) describe(p *printer) {
	detail := []string{fmt.Sprintf("at most %d CA certificates", r.maxDepth)}
	if r.strictEKU {
		detail = append(detail, "clientAuth required")
	}
	if r.policies != "" {
		detail = append(detail, "certificate policy "+strings.ReplaceAll(r.policies, " ", " or "))
	}
	if r.skew > 0 {
		detail = append(detail, "clock skew "+r.skew.String())
	}
	p.line("chain (%s)", strings.Join(detail, ", "))
	p.indent++
	if r.system != nil {
		p.line("roots: every CA of the operating system (insecure)")
	} else {
		r.roots.Get().describe(p, "root")
	}
	r.intermediates.Get().describe(p, "intermediate")
	p.indent--
}
