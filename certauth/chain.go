package certauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// DefaultMaxDepth is the largest number of CA certificates above the leaf, the root
// included, that a [Chain] accepts unless told otherwise.
const DefaultMaxDepth = 5

// Chain accepts a certificate that chains to one of Roots by signatures (RFC 5280,
// section 6), with every certificate of the chain within its validity and client
// authentication allowed all the way down. It is an anchor that vouches for the names.
//
// If several chains verify, all of them are kept in [Identity.Chains]; a later rule on
// the issuer accepts if any of them satisfies it. A revocation rule takes out those that
// hold a revoked CA, and refuses if none is left or the caller's own certificate is revoked.
//
// Refused: a CA certificate or one of the roots as the leaf, a chain with more than
// MaxDepth CA certificates, SHA-1 and MD5 signatures, and an e-mail address outside a
// permitted constraint. crypto/x509 lets the constraint "example.com" admit
// subdomains; RFC 5280, section 4.2.1.10, does not, and nor does this.
//
// Candidates for an issuer are chosen by subject and then by key identifier. Where the
// child names no key identifier, at most eight candidates of one name are tried, the
// configured before the presented and the youngest first. A presented CA is a candidate
// only if a configured one, or one that is a candidate already, has signed it.
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
	// included; 1 means that the root issues directly. 0 means [DefaultMaxDepth];
	// negative or above 10 is an error of New.
	MaxDepth int
}

func (p Chain) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Chain"
	c.forbidUnderNot(path, at)
	settings := chainSettings{strictEKU: p.StrictEKU, maxDepth: p.MaxDepth, skew: at.skew}
	if p.MaxDepth == 0 {
		settings.maxDepth = DefaultMaxDepth
	}
	if p.MaxDepth < 0 || p.MaxDepth > maxCertificates {
		c.mistake(path+".MaxDepth", "%d, want 1 to %d, or 0 for %d", p.MaxDepth, maxCertificates, DefaultMaxDepth)
	}
	switch roots := p.Roots.(type) {
	case systemRoots:
		pool, err := c.nodesOf().systemPool()
		if err != nil {
			c.mistake(path+".Roots", "system roots: %w", err)
		}
		settings.system = pool
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
	material, refused := r.material()
	if refused != nil {
		return r.own(refused)
	}
	current := material.generations()
	answer := e.facts.answers.of(r.chainNode)
	if answer == nil || !answer.holds(current, e.now) {
		if answer = r.withoutSearch(e.facts, material); answer != nil {
			e.facts.keep(r.chainNode, answer)
		} else if answer, refused = r.learn(e, material); refused != nil {
			return refused
		}
	}
	switch {
	case answer.refused != nil && !answer.lasting(): // an Any must see it at once
		return r.own(answer.refused)
	case answer.refused != nil && e.quiet > 0:
		return e.refuse(r, false)
	case answer.refused != nil:
		return r.words(e, answer)
	case len(answer.chains) == 0: // find says why whenever it finds none; a slip there must not let anybody in
		return refusal(ReasonInternalError, r.path, "no chain and no reason")
	}
	e.path.anchor(vouchedNames, answer.chains)
	return nil
}

// errUnknownIssuer stands for the refusal of a leaf whose issuer is not configured. Most
// nodes of a large policy refuse most callers so; the words are made when they are wanted.
var errUnknownIssuer = &Error{Reason: ReasonChainUntrusted}

// withoutSearch returns the refusals that take no signature and that no time changes, or
// nil. A stranger who floods with names of his own gets no further.
func (n *chainNode) withoutSearch(f *facts, material chainMaterial) *chainAnswer {
	current := material.generations()
	if refused := n.judgeLeaf(f.leaf); refused != nil {
		return &chainAnswer{material: current, until: endOfTime, refused: refused}
	}
	if n.system != nil || material.names(f.leaf) {
		return nil
	}
	for _, cert := range f.sent().certs[1:] {
		if cert.IsCA && material.names(cert) {
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
func (n *chainNode) judgeLeaf(leaf *x509.Certificate) *Error {
	switch {
	case leaf.IsCA:
		return refusal(ReasonCertificateIsCA, "", "the leaf is a CA certificate")
	case n.strictEKU && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return refusal(ReasonUsageNotAllowed, "", "extended key usage: %s, want clientAuth (StrictEKU)", usages(leaf))
	case len(leaf.UnhandledCriticalExtensions) > 0:
		return refusal(ReasonChainUntrusted, "", "critical extension %s is not understood", leaf.UnhandledCriticalExtensions[0])
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
		return refusal(ReasonChainUntrusted, r.path, "no path to %s, leaf issuer %s is not configured", rootsText(r.roots.get()), dnText(e.facts.leaf.RawIssuer)).
			withHint("front ends like App Service forward the leaf only: add the issuing CA to Chain.Intermediates, if it is one you trust")
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
	roots         *loaded[caPool] // nil with the system's roots
	intermediates *loaded[caPool]
}

// names reports whether a CA is configured under the name of the certificate's issuer.
func (m chainMaterial) names(cert *x509.Certificate) bool {
	return m.roots != nil && m.roots.value.bySubject[string(cert.RawIssuer)] != nil || m.intermediates.value.bySubject[string(cert.RawIssuer)] != nil
}

func (m chainMaterial) generations() generations {
	g := generations{intermediates: m.intermediates.generation}
	if m.roots != nil {
		g.roots = m.roots.generation
	}
	return g
}

func (n *chainNode) material() (chainMaterial, *Error) {
	m := chainMaterial{intermediates: n.intermediates.current.Load()}
	if n.system != nil {
		return m, nil
	}
	if m.roots = n.roots.current.Load(); m.roots == nil || len(m.roots.value.certs) == 0 {
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
	found := &search{system: n.system, intermediates: &material.intermediates.value, depth: n.maxDepth, now: now, span: newSpan(now), skew: n.skew}
	if material.roots != nil {
		found.roots = &material.roots.value
	}
	found.span.watch(f.leaf, n.skew)
	chains, refused := n.find(f, found)
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
		answer.chains = append(answer.chains, newVerifiedChain(chain))
	}
	return answer
}

func (n *chainNode) find(f *facts, found *search) ([][]*x509.Certificate, *Error) {
	leaf := f.leaf
	if found.roots != nil && found.roots.contains(leaf) {
		return nil, refusal(ReasonCertificateIsCA, "", "the leaf is one of the roots")
	}
	found.admit(f.sent().certs[1:])
	found.run(leaf)
	return n.verify(leaf, found, found.now)
}

// verify asks crypto/x509 about the candidates and then looks itself at what it leaves
// open. The leaf's own dates are judged apart, so that "expired" is said only of a
// certificate that is trusted otherwise.
func (n *chainNode) verify(leaf *x509.Certificate, found *search, now time.Time) ([][]*x509.Certificate, *Error) {
	options := x509.VerifyOptions{
		Roots:         n.system,
		Intermediates: found.intermediates.poolOf(found.foundIntermediates),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if n.system == nil {
		options.Roots = found.roots.poolOf(found.foundRoots)
	}
	var chains [][]*x509.Certificate
	err := error(x509.UnknownAuthorityError{Cert: leaf})
	for _, at := range verifyTimes(leaf, now, found.skewThatMatters(n.skew)) {
		if n.system == nil && len(found.foundRoots) == 0 {
			break
		}
		options.CurrentTime = at
		if chains, err = leaf.Verify(options); err == nil {
			break
		}
	}
	if err != nil {
		return nil, n.explain(leaf, found, err, now)
	}
	var last *Error
	accepted := chains[:0]
	for _, chain := range chains {
		if refused := n.judgeChain(chain, found, now); refused != nil {
			last = refused
			continue
		}
		accepted = append(accepted, chain)
	}
	if len(accepted) == 0 {
		return nil, last
	}
	return accepted, nil
}

// verifyTimes lists the moments to verify at: now, held within the leaf's validity;
// and, where a skew is allowed, its two ends, for a CA certificate at the edge.
func verifyTimes(leaf *x509.Certificate, now time.Time, skew time.Duration) []time.Time {
	hold := func(t time.Time) time.Time {
		if t.After(leaf.NotAfter) {
			t = leaf.NotAfter
		}
		if t.Before(leaf.NotBefore) {
			t = leaf.NotBefore
		}
		return t
	}
	times := []time.Time{hold(now)}
	if skew > 0 {
		times = append(times, hold(now.Add(-skew)), hold(now.Add(skew)))
	}
	return times
}

func (n *chainNode) judgeChain(chain []*x509.Certificate, found *search, now time.Time) *Error {
	found.dated = nil
	if len(chain) < 2 {
		return refusal(ReasonCertificateIsCA, "", "the leaf is one of the roots")
	}
	if cas := len(chain) - 1; cas > n.maxDepth {
		return refusal(ReasonChainUntrusted, "", "%d CA certificates above the leaf, want at most %d", cas, n.maxDepth)
	}
	for i, cert := range chain {
		if i > 0 && n.system != nil { // all others were looked at when they were loaded or presented
			if err := checkKey(cert); err != nil {
				return refusal(ReasonChainUntrusted, "", "CA certificate %s: %w", quote(nameOf(cert.RawSubject)), err)
			}
		}
		if outside(cert, now, n.skew) {
			found.dated = cert
			return checkDates("", nameIn(cert, chain[0]), cert, now, n.skew)
		}
	}
	return checkEmailConstraints("", chain)
}

// explain turns an error of crypto/x509 into a reason. Its text is never passed on: it
// holds client text and can grow with the square of the input (CVE-2025-61729).
func (n *chainNode) explain(leaf *x509.Certificate, found *search, err error, now time.Time) *Error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason { //nolint:exhaustive // the others say no more than "no chain"
		case x509.IncompatibleUsage:
			return refusal(ReasonUsageNotAllowed, "", "extended key usage of the chain: %s, want clientAuth", usages(leaf))
		case x509.CANotAuthorizedForThisName, x509.TooManyConstraints, x509.NameMismatch:
			return refusal(ReasonChainUntrusted, "", "a name constraint of the CA excludes a name of the certificate").
				withHint("the partner's CA may not issue certificates for this name; ask the partner")
		}
	}
	issuer := dnText(leaf.RawIssuer)
	if expired := found.onlyExpiredIssuers(leaf, now); expired != nil {
		if refused := checkDates("", nameIn(expired, leaf), expired, now, n.skew); refused != nil {
			found.dated = expired
			return refused
		}
	}
	switch {
	case found.sameNameOtherKey:
		return refusal(ReasonChainUntrusted, "", "leaf issuer %s is configured, with another key", issuer).
			withHint("the CA has a new key, or somebody uses its name: compare the authority key identifier with the partner")
	case len(found.foundIntermediates) == 0 && len(found.foundRoots) == 0:
		return refusal(ReasonChainUntrusted, "", "no path to %s, leaf issuer %s is not configured", rootsText(found.roots), issuer).
			withHint("front ends like App Service forward the leaf only: add the issuing CA to Chain.Intermediates, if it is one you trust")
	}
	return refusal(ReasonChainUntrusted, "", "no path to %s from leaf issuer %s", rootsText(found.roots), issuer)
}

func rootsText(roots *caPool) string {
	if roots == nil {
		return "the system's roots"
	}
	if n := len(roots.certs); n != 1 {
		return fmt.Sprintf("%d roots", n)
	}
	return "1 root"
}

// nameIn names a certificate of the leaf's chain for a log.
func nameIn(cert, leaf *x509.Certificate) string {
	if cert == leaf {
		return "the leaf"
	}
	return "CA certificate " + quote(nameOf(cert.RawSubject))
}

func (r *chainRule) describe(p *printer) {
	detail := []string{fmt.Sprintf("at most %d CA certificates", r.maxDepth)}
	if r.strictEKU {
		detail = append(detail, "clientAuth required")
	}
	if r.skew > 0 {
		detail = append(detail, "clock skew "+r.skew.String())
	}
	p.line("chain (%s)", strings.Join(detail, ", "))
	p.indent++
	if r.system != nil {
		p.line("roots: every CA of the operating system (insecure)")
	} else {
		r.roots.get().describe(p, "root")
	}
	r.intermediates.get().describe(p, "intermediate")
	p.indent--
}

// nameOf writes a DN for a log; what cannot be read is said to be so.
func nameOf(der []byte) string {
	name, err := dn.Parse(der)
	if err != nil {
		return "(unreadable name)"
	}
	return name.String()
}
