package certauth

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// search finds the chains of the leaf, and the time span in which another search would find the
// same.
func (n *chainNode) search(f *facts, material chainMaterial, now time.Time) *chainAnswer {
	found := &search{
		system: n.system, intermediates: &material.intermediates.Value, depth: n.maxDepth, now: now, skew: n.skew,
		span: newSpan(now), leaf: f.leaf, issuer: material.keyOfIssuer(f), admitted: &n.admitted,
	}
	if material.roots != nil {
		found.roots = &material.roots.Value
	}
	found.span.watch(f.leaf, n.skew)
	chains, refused := n.verify(f, found)
	if n.system != nil { // the search has not watched the system's roots
		for _, chain := range chains {
			for _, cert := range chain {
				found.span.watch(cert, n.skew)
			}
		}
		if found.dated != nil {
			found.span.watch(found.dated, n.skew)
		}
		found.span.edge(now.Add(-systemAnswerLife))
		found.span.edge(now.Add(systemAnswerLife))
	}
	answer := &chainAnswer{material: material.generations(), from: found.span.from, until: found.span.until, refused: refused}
	if refused != nil {
		answer.dated = found.dated
	}
	answer.chains = answer.room[:0]
	for _, chain := range chains {
		verified := newVerifiedChain(chain)
		if n.serverAuth != "" && needsServerAuth(chain) {
			verified.serverAuth = n.serverAuth
		}
		answer.chains = append(answer.chains, verified)
	}
	return answer
}

// verify returns the chains of the leaf, or the reason that there are none.
func (n *chainNode) verify(f *facts, found *search) ([][]*x509.Certificate, *Error) {
	found.admit(f.sent().certs[1:])
	for {
		found.run()
		chains, refused, err := n.ask(f, found)
		if len(chains) > 0 {
			return chains, nil
		}
		if !found.passed {
			if refused == nil {
				refused = n.explain(found, err)
			}
			return nil, refused
		}
		found.wide = true
	}
}

// ask verifies the candidates with crypto/x509 and then makes the checks that crypto/x509 does not.
// The dates of the leaf are checked separately, so that only a certificate that is otherwise trusted
// is reported as expired. All chains that verify at one of the times are checked, because one that
// is refused here must not hide another. If all are refused here, ask returns the last refusal.
func (n *chainNode) ask(f *facts, found *search) ([][]*x509.Certificate, *Error, error) {
	err := error(x509.UnknownAuthorityError{Cert: f.leaf})
	if n.system == nil && len(found.foundRoots) == 0 || signatureKind(f.leaf) == x509.UnknownPublicKeyAlgorithm {
		return nil, nil, err
	}
	times := verifyTimes(f.leaf, found.now, found.skewThatMatters())
	known := n.knownWay(found, times)
	options := n.options(found, known)
	view := found.leafView()
	if n.policies != "" { // has the effect of initial-explicit-policy, for which crypto/x509 has no option
		view.RequireExplicitPolicy, view.RequireExplicitPolicyZero = 0, true
	}
	var verified [][]*x509.Certificate
	for _, at := range times {
		options.CurrentTime = at
		var chains [][]*x509.Certificate
		chains, err = view.Verify(options)
		verified = appendNew(verified, chains)
	}
	if len(verified) == 0 {
		return nil, nil, err
	}
	found.learn(verified)
	var last *Error
	var accepted [][]*x509.Certificate
	for _, chain := range found.originals(f.leaf, verified) {
		for i := 1; i < len(known); i++ {
			chain = append(chain, known[i].cert)
		}
		if refused := n.judgeChain(f, chain, found); refused != nil {
			last = refused
			continue
		}
		accepted = append(accepted, chain)
	}
	if len(accepted) == 0 && last == nil {
		last = refusal(ReasonInternalError, "", "crypto/x509 returned a chain with a certificate that it was not given")
	}
	return accepted, last, nil
}

// appendNew appends the chains that are not in the list yet. Most verify at all times.
func appendNew(all, chains [][]*x509.Certificate) [][]*x509.Certificate {
	for _, chain := range chains {
		same := func(other []*x509.Certificate) bool { return slices.EqualFunc(chain, other, (*x509.Certificate).Equal) }
		if !slices.ContainsFunc(all, same) {
			all = append(all, chain)
		}
	}
	return all
}

// options returns the options for crypto/x509: with all candidates, or with only the issuing CA of a
// known way.
func (n *chainNode) options(found *search, known []*candidate) x509.VerifyOptions {
	options := x509.VerifyOptions{Roots: n.system, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	roots, intermediates := found.foundRoots, found.foundIntermediates
	if known != nil {
		roots, intermediates = known[:1], nil
	}
	found.shown = map[*x509.Certificate]*candidate{}
	if n.system == nil {
		options.Roots = found.views(roots)
	}
	if len(intermediates) > 0 {
		options.Intermediates = found.views(intermediates)
	}
	if n.serverAuth != "" {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	for policy := range strings.FieldsSeq(n.policies) {
		if id, err := x509.ParseOID(policy); err == nil { // New has checked it
			options.CertificatePolicies = append(options.CertificatePolicies, id)
		}
	}
	return options
}

// verifyTimes returns the times to verify at: now, limited to the leaf's validity, and with a skew
// also both of its ends, for CA certificates that are about to begin or have just expired.
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

// judgeChain makes the checks of RFC 5280 that crypto/x509 does not make, and those of the
// extensions that were removed from its views.
func (n *chainNode) judgeChain(f *facts, chain []*x509.Certificate, found *search) *Error {
	found.dated = nil
	if len(chain) < 2 {
		return refusal(ReasonCertificateIsCA, "", "the leaf is one of the roots")
	}
	if cas := len(chain) - 1; cas > n.maxDepth {
		return tooDeep(cas, n.maxDepth)
	}
	for i, ca := range chain[1:] {
		if refused := pathTooLong(ca, chain[1:i+1], f.leaf); refused != nil {
			return refused
		}
	}
	if f.fault != noFault {
		return f.fault.refusal("", "the leaf", f.leaf, ReasonChainUntrusted)
	}
	for i, cert := range chain {
		if i > 0 && n.system != nil { // other CAs were checked when they were loaded or presented, and as views
			if slices.ContainsFunc(chain[:i], func(below *x509.Certificate) bool { return haveSameNameAndKey(below, cert) }) {
				return refusal(ReasonChainUntrusted, "", "%s has the name and the key of a certificate below it", nameIn(cert, f.leaf))
			}
			if err := keycheck.Check(cert); err != nil {
				return refusal(ReasonChainUntrusted, "", "%s: %w", nameIn(cert, f.leaf), err)
			}
			if fault := faultOfCA(cert); fault != noFault {
				return fault.refusal("", nameIn(cert, f.leaf), cert, ReasonChainUntrusted)
			}
		}
		if outside(cert, found.now, n.skew) {
			found.dated = cert
			return datesInChain("", cert, f.leaf, found.now, n.skew)
		}
	}
	if err := nameconstraints.Check(chain, &found.compared); err != nil {
		return refusal(ReasonChainUntrusted, "", "%w", err).
			withHint("the CA may not issue certificates for this name; ask the partner for a certificate within the constraints")
	}
	return nil
}

// datesInChain is checkDates for a member of a chain. Not its owner but the operator has to replace
// a CA certificate that has ended.
func datesInChain(path string, cert, leaf *x509.Certificate, now time.Time, skew time.Duration) *Error {
	refused := checkDates(path, nameIn(cert, leaf), cert, now, skew)
	if refused != nil && refused.Reason == ReasonCertificateExpired && cert != leaf {
		refused.Hint = "put the CA's current certificate into Chain.Intermediates, or into Chain.Roots if it is a root; if there is none, the partner's CA must renew it; check this host's clock too"
	}
	return refused
}

func haveSameNameAndKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// pathTooLong returns a refusal if there are more CA certificates below a CA than its path length
// permits. Self-issued ones, which a CA makes for a new key, do not count (RFC 5280, section 6.1.4
// (l)), although crypto/x509 counts them.
func pathTooLong(ca *x509.Certificate, below []*x509.Certificate, leaf *x509.Certificate) *Error {
	if !ca.BasicConstraintsValid || ca.MaxPathLen < 0 || len(below) <= ca.MaxPathLen {
		return nil
	}
	n := 0
	for _, lower := range below {
		if !dn.Match(lower.RawSubject, lower.RawIssuer) {
			n++
		}
	}
	if n <= ca.MaxPathLen {
		return nil
	}
	return refusal(ReasonChainUntrusted, "", "%s allows %d CA certificates below it (pathLenConstraint), the chain has %d", nameIn(ca, leaf), ca.MaxPathLen, n).
		withHint("the partner's CA must issue a CA certificate with a larger pathLenConstraint, or leave out a CA below it")
}

func tooDeep(cas, most int) *Error {
	return refusal(ReasonChainUntrusted, "", "%d CA certificates above the leaf, want at most %d (MaxDepth)", cas, most).
		withHint("set Chain.MaxDepth to the number of CA certificates in the partner's chain, including the root")
}
