package certauth

import (
	"context"
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
// only if a configured one, or one that it certified, has signed it.
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
	r := &chainRule{path: path, strictEKU: p.StrictEKU, maxDepth: p.MaxDepth, skew: at.skew}
	if p.MaxDepth == 0 {
		r.maxDepth = DefaultMaxDepth
	}
	if p.MaxDepth < 0 || p.MaxDepth > maxCertificates {
		c.mistake(path+".MaxDepth", "%d, want 1 to %d, or 0 for %d", p.MaxDepth, maxCertificates, DefaultMaxDepth)
	}
	switch roots := p.Roots.(type) {
	case systemRoots:
		pool, err := x509.SystemCertPool() //nolint:forbidigo // the one place that asks for it, by InsecureSystemRoots
		if err != nil {
			c.mistake(path+".Roots", "system roots: %w", err)
		}
		r.system = pool
	default:
		r.roots = c.pool(path+".Roots", roots, true)
	}
	r.intermediates = c.pool(path+".Intermediates", p.Intermediates, false)
	at.standing.vouched, at.standing.chain = vouchedNames, true
	at.standing.public = at.standing.public || r.system != nil
	return r, at.standing
}

// pool loads CA certificates and indexes them. A nil source is a mistake where required.
func (c *compilation) pool(path string, source CertSource, required bool) *reloader[caPool] {
	if isNil(source) {
		if required {
			c.mistake(path, "nil; name the CAs you trust")
		}
		empty := &reloader[caPool]{path: path}
		empty.set(caPool{})
		return empty
	}
	return watch(c, path, source.reloads(), func(ctx context.Context, known digest) (caPool, digest, error) {
		certs, sum, err := source.certs(ctx, known)
		if err != nil || sum == known {
			return caPool{}, sum, err
		}
		pool, err := newCAPool(certs, source.describe())
		return pool, sum, err
	})
}

type chainRule struct {
	path          string
	roots         *reloader[caPool]
	intermediates *reloader[caPool]
	system        *x509.CertPool // instead of roots, if InsecureSystemRoots
	strictEKU     bool
	maxDepth      int
	skew          time.Duration
}

// judge takes the answer that is remembered for this certificate, if it holds with the
// material and the time of this request, and searches otherwise.
func (r *chainRule) judge(e *evaluation) *Error {
	material, refused := r.material()
	if refused != nil {
		return refused
	}
	answer := e.facts.answer(r)
	if answer == nil || !answer.holds(material.generations(), e.now) {
		if answer, refused = r.learn(e, material); refused != nil {
			return refused
		}
	}
	if answer.refused != nil {
		return answer.refused
	}
	if len(answer.chains) == 0 { // find says why whenever it finds none; a slip there must not let anybody in
		return refusal(ReasonInternalError, r.path, "no chain and no reason")
	}
	e.anchor(vouchedNames, answer.chains)
	return nil
}

// chainMaterial is what a search trusts: one state of each, for its whole length.
type chainMaterial struct {
	roots         *loaded[caPool] // nil with the system's roots
	intermediates *loaded[caPool]
}

func (m chainMaterial) generations() generations {
	g := generations{intermediates: m.intermediates.generation}
	if m.roots != nil {
		g.roots = m.roots.generation
	}
	return g
}

func (r *chainRule) material() (chainMaterial, *Error) {
	m := chainMaterial{intermediates: r.intermediates.current.Load()}
	if r.system != nil {
		return m, nil
	}
	if m.roots = r.roots.current.Load(); m.roots == nil || len(m.roots.value.certs) == 0 {
		return m, refusal(ReasonNotConfigured, r.path, "no roots")
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
func (r *chainRule) search(f *facts, material chainMaterial, now time.Time) *chainAnswer {
	found := &search{system: r.system, intermediates: &material.intermediates.value, depth: r.maxDepth, now: now, span: newSpan(now), skew: r.skew}
	if material.roots != nil {
		found.roots = &material.roots.value
	}
	found.span.watch(f.leaf, r.skew)
	chains, refused := r.find(f, found)
	answer := &chainAnswer{rule: r, material: material.generations(), from: found.span.from, until: found.span.until, refused: refused}
	for _, chain := range chains {
		answer.chains = append(answer.chains, newVerifiedChain(chain))
	}
	if r.system != nil {
		answer.from, answer.until = latest(answer.from, now.Add(-systemAnswerLife)), earliest(answer.until, now.Add(systemAnswerLife))
		for _, chain := range chains {
			for _, cert := range chain {
				found.span.watch(cert, r.skew)
			}
		}
		answer.from, answer.until = latest(answer.from, found.span.from), earliest(answer.until, found.span.until)
	}
	return answer
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (r *chainRule) find(f *facts, found *search) ([][]*x509.Certificate, *Error) {
	leaf := f.leaf
	if leaf.IsCA {
		return nil, refusal(ReasonCertificateIsCA, r.path, "the leaf is a CA certificate")
	}
	if r.strictEKU && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return nil, refusal(ReasonUsageNotAllowed, r.path, "StrictEKU: the leaf does not name clientAuth")
	}
	if found.roots != nil && found.roots.contains(leaf) {
		return nil, refusal(ReasonCertificateIsCA, r.path, "the leaf is one of the roots")
	}
	found.admit(f.presented[1:])
	found.run(leaf)
	return r.verify(leaf, found, found.now)
}

// verify asks crypto/x509 about the candidates and then looks itself at what it leaves
// open. The leaf's own dates are judged apart, so that "expired" is said only of a
// certificate that is trusted otherwise.
func (r *chainRule) verify(leaf *x509.Certificate, found *search, now time.Time) ([][]*x509.Certificate, *Error) {
	options := x509.VerifyOptions{
		Roots:         r.system,
		Intermediates: found.intermediates.poolOf(found.foundIntermediates),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if r.system == nil {
		options.Roots = found.roots.poolOf(found.foundRoots)
	}
	var chains [][]*x509.Certificate
	err := error(x509.UnknownAuthorityError{Cert: leaf})
	understood := *leaf // but for what is read here alone
	understood.UnhandledCriticalExtensions = unhandledExtensions(leaf)
	for _, at := range verifyTimes(leaf, now, found.skewThatMatters(r.skew)) {
		if r.system == nil && len(found.foundRoots) == 0 {
			break
		}
		options.CurrentTime = at
		if chains, err = understood.Verify(options); err == nil {
			break
		}
	}
	if err != nil {
		return nil, r.explain(leaf, found, err, now)
	}
	var last *Error
	accepted := chains[:0]
	for _, chain := range chains {
		chain[0] = leaf
		if refused := r.judgeChain(chain, now); refused != nil {
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

func (r *chainRule) judgeChain(chain []*x509.Certificate, now time.Time) *Error {
	if len(chain) < 2 {
		return refusal(ReasonCertificateIsCA, r.path, "the leaf is one of the roots")
	}
	if cas := len(chain) - 1; cas > r.maxDepth {
		return refusal(ReasonChainUntrusted, r.path, "%d CA certificates above the leaf, want at most %d", cas, r.maxDepth)
	}
	for i, cert := range chain {
		if i > 0 && r.system != nil { // all others were looked at when they were loaded or presented
			if err := checkKey(cert); err != nil {
				return refusal(ReasonChainUntrusted, r.path, "CA certificate %s: %w", quote(nameOf(cert.RawSubject)), err)
			}
		}
		if refused := checkDates(r.path, "the leaf", cert, now, r.skew); refused != nil {
			if i > 0 {
				refused = checkDates(r.path, "CA certificate "+quote(nameOf(cert.RawSubject)), cert, now, r.skew)
			}
			return refused
		}
	}
	return checkEmailConstraints(r.path, chain)
}

// explain turns an error of crypto/x509 into a reason. Its text is never passed on: it
// holds client text and can grow with the square of the input (CVE-2025-61729).
func (r *chainRule) explain(leaf *x509.Certificate, found *search, err error, now time.Time) *Error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason { //nolint:exhaustive // the others say no more than "no chain"
		case x509.IncompatibleUsage:
			return refusal(ReasonUsageNotAllowed, r.path, "extended key usage of the chain: %s, want clientAuth", usages(leaf))
		case x509.CANotAuthorizedForThisName, x509.TooManyConstraints, x509.NameMismatch:
			return refusal(ReasonChainUntrusted, r.path, "a name constraint of the CA excludes a name of the certificate").
				withHint("the partner's CA may not issue certificates for this name; ask the partner")
		}
	}
	issuer := dnText(leaf.RawIssuer)
	if unhandled := unhandledExtensions(leaf); len(unhandled) > 0 {
		return refusal(ReasonChainUntrusted, r.path, "critical extension %s is not understood", unhandled[0])
	}
	if expired := found.onlyExpiredIssuers(leaf, now); expired != nil {
		if refused := checkDates(r.path, "issuing CA "+issuer.String(), expired, now, r.skew); refused != nil {
			return refused
		}
	}
	switch {
	case found.sameNameOtherKey:
		return refusal(ReasonChainUntrusted, r.path, "leaf issuer %s is configured, with another key", issuer).
			withHint("the CA has a new key, or somebody uses its name: compare the authority key identifier with the partner")
	case len(found.foundIntermediates) == 0 && len(found.foundRoots) == 0:
		return refusal(ReasonChainUntrusted, r.path, "no path to %s, leaf issuer %s is not configured", found.rootsText(), issuer).
			withHint("front ends like App Service forward the leaf only: add the issuing CA to Chain.Intermediates, if it is one you trust")
	}
	return refusal(ReasonChainUntrusted, r.path, "no path to %s from leaf issuer %s", found.rootsText(), issuer)
}

func (s *search) rootsText() string {
	if s.roots == nil {
		return "the system's roots"
	}
	if n := len(s.roots.certs); n != 1 {
		return fmt.Sprintf("%d roots", n)
	}
	return "1 root"
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
