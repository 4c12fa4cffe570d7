package certauth

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// explain returns the refusal if no chain verifies: the certificate, the property that is the
// reason, and a step that helps. The text of crypto/x509 is never passed on, because it contains
// text of the client and can grow with the square of the input (CVE-2025-61729).
func (n *chainNode) explain(found *search, err error) *Error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch invalid.Reason { //nolint:exhaustive // the walk below finds the others again
		case x509.IncompatibleUsage:
			return n.wrongUsage(found.leaf, found)
		case x509.NoValidChains:
			if needsServerAuth([]*x509.Certificate{found.leaf}) && n.serverAuth == "" {
				return n.wrongUsage(found.leaf, found)
			}
			return n.wrongPolicies(found.leaf, found)
		case x509.CANotAuthorizedForThisName: // of the system's roots
			return refusal(ReasonChainUntrusted, "", "a name constraint of the CA excludes a name of the certificate").
				withHint("the CA may not issue certificates for this name; ask the partner for a certificate within the constraints")
		}
	}
	w := &walk{node: n, search: found, leaf: found.leaf}
	best := w.above([]*x509.Certificate{found.leaf}, found.issuer)
	found.dated = best.dated
	return best.refused
}

// walk goes up from the leaf by names alone and collects the obstacles. It verifies signatures only
// before it reports "expired", and only a few.
type walk struct {
	node   *chainNode
	search *search
	leaf   *x509.Certificate
	seen   []*candidate
	checks int
}

// obstacle is the reason that one path fails. The path that comes furthest explains most.
type obstacle struct {
	weight  int
	refused *Error
	dated   *x509.Certificate
}

const (
	barNobody   = iota // the issuer of the leaf is not configured; only without any way up
	barOtherKey        // it is configured, but with another key
	barNoIssuer        // the issuer of a CA above the leaf is not configured
	barDepth           // the chain leads to a root but is too long
	barFault           // a property of a certificate forbids it
	barDates           // a CA is outside its validity, and the signatures up to it verify
)

// above tries the candidates for the issuer of the last certificate of the path.
func (w *walk) above(path []*x509.Certificate, issuer string) obstacle {
	child := path[len(path)-1]
	type way struct {
		*candidate
		root bool
	}
	var ways []way
	for _, c := range w.search.rootsOf(issuer) {
		ways = append(ways, way{c, true})
	}
	for _, c := range w.search.issuers(issuer) {
		ways = append(ways, way{c, false})
	}
	roots := w.search.roots
	switch {
	case len(ways) == 0 && len(path) == 1:
		return obstacle{weight: barNobody, refused: unknownIssuer("", roots, "leaf", child)}
	case len(ways) == 0:
		return obstacle{weight: barNoIssuer, refused: unknownIssuer("", roots, nameIn(child, w.leaf), child)}
	case signatureKind(child) == x509.UnknownPublicKeyAlgorithm:
		return obstacle{weight: barFault, refused: unknownSignature(nameIn(child, w.leaf), child)}
	}
	slices.SortStableFunc(ways, func(a, b way) int { return kinship(child, a.cert) - kinship(child, b.cert) })
	var best obstacle
	for _, c := range ways[:min(len(ways), 2*maxSameName)] {
		if slices.Contains(w.seen, c.candidate) || len(w.seen) >= maxCandidates {
			continue
		}
		w.seen = append(w.seen, c.candidate)
		if o := w.through(append(slices.Clip(path), c.cert), c.candidate, c.root); o.weight > best.weight {
			best = o
		}
	}
	switch {
	case best.refused != nil:
	case slices.ContainsFunc(ways, func(c way) bool { return slices.Contains(path, c.cert) }):
		best = obstacle{weight: barNoIssuer, refused: onlyIntermediate(roots, child, w.leaf)}
	default:
		best = obstacle{weight: barOtherKey, refused: otherKey(path)}
	}
	return best
}

// through checks the last certificate of the path, a CA.
func (w *walk) through(path []*x509.Certificate, c *candidate, root bool) obstacle {
	child, ca := path[len(path)-2], c.cert
	tooLong := pathTooLong(ca, path[1:len(path)-1], w.leaf)
	w.search.span.watch(ca, w.node.skew)
	switch {
	case !canHaveSigned(ca, child):
		return obstacle{weight: barOtherKey, refused: otherKey(path)}
	case bytes.Equal(ca.RawSubjectPublicKeyInfo, w.leaf.RawSubjectPublicKeyInfo) && c.name == nameKey(w.leaf.RawSubject): // crypto/x509 does not use both in one chain
		return obstacle{weight: barFault, refused: refusal(ReasonChainUntrusted, "", "the leaf has the name and the key of %s", nameIn(ca, w.leaf)).
			withHint("a certificate with the name and the key of a CA does not identify a client; ask the CA for one with a name and a key of its own")}
	case c.fault != noFault:
		return obstacle{weight: barFault, refused: c.fault.refusal("", nameIn(ca, w.leaf), ca, ReasonChainUntrusted)}
	case tooLong != nil:
		return obstacle{weight: barFault, refused: tooLong}
	case outside(ca, w.search.now, w.node.skew):
		if !w.holds(path) {
			return obstacle{weight: barOtherKey, refused: otherKey(path)}
		}
		return w.dates(ca)
	case root && len(path)-1 > w.node.maxDepth:
		return obstacle{weight: barDepth, refused: tooDeep(len(path)-1, w.node.maxDepth)}
	case root && outside(w.leaf, w.search.now, w.node.skew) && w.holds(path): // the CAs were renewed after the leaf had ended
		return w.dates(w.leaf)
	case root:
		return obstacle{weight: barOtherKey, refused: otherKey(path)}
	case len(path) > maxCertificates:
		return obstacle{weight: barDepth, refused: tooDeep(len(path)-1, w.node.maxDepth)}
	}
	return w.above(path, c.issuer)
}

// dates returns the obstacle of a certificate that is outside its validity.
func (w *walk) dates(cert *x509.Certificate) obstacle {
	return obstacle{weight: barDates, refused: datesInChain("", cert, w.leaf, w.search.now, w.node.skew), dated: cert}
}

// holds reports whether every signature of the path verifies.
func (w *walk) holds(path []*x509.Certificate) bool {
	const most = 2 * maxCertificates
	for i, parent := range path[1:] {
		if w.checks++; w.checks > most || path[i].CheckSignatureFrom(parent) != nil {
			return false
		}
	}
	return true
}

// otherKey returns the refusal if the names match and a signature does not. Key identifiers show
// which one; if they do not, the leaf's is reported.
func otherKey(path []*x509.Certificate) *Error {
	const hint = "either the CA has a new key or someone uses its name; compare the authority key identifier with the partner"
	leaf := path[0]
	at := leaf
	for i, ca := range path[1:] {
		if kinship(path[i], ca) == 2 || signatureKind(path[i]) != ca.PublicKeyAlgorithm {
			at = path[i]
			break
		}
	}
	if at == leaf {
		return refusal(ReasonChainUntrusted, "", "leaf issuer %s is configured with a different key", dnText(leaf.RawIssuer)).withHint(hint)
	}
	return refusal(ReasonChainUntrusted, "", "issuer %s of %s is configured with a different key", dnText(at.RawIssuer), nameIn(at, leaf)).withHint(hint)
}

func unknownIssuer(path string, roots *caPool, who string, child *x509.Certificate) *Error {
	if who == "leaf" {
		hint := "front ends such as App Service forward only the leaf; add the issuing CA to Chain.Intermediates, if you trust it"
		if bytes.Equal(child.RawIssuer, child.RawSubject) {
			hint = "a self-signed certificate has no issuing CA; if you trust it, pin it, next to the old pin if it is the renewal of a pinned one"
		}
		return refusal(ReasonChainUntrusted, path, "no path to %s, leaf issuer %s is not configured", rootsText(roots), dnText(child.RawIssuer)).withHint(hint)
	}
	return refusal(ReasonChainUntrusted, path, "no path to %s, issuer %s of %s is not configured", rootsText(roots), dnText(child.RawIssuer), who).
		withHint("add that issuer to Chain.Intermediates, or to Chain.Roots if it is a root, if you trust it")
}

// onlyIntermediate returns the refusal of a chain that leads to itself instead of a root, as that of
// a self-signed CA does.
func onlyIntermediate(roots *caPool, child, leaf *x509.Certificate) *Error {
	return refusal(ReasonChainUntrusted, "", "no path to %s, issuer %s of %s is only an intermediate", rootsText(roots), dnText(child.RawIssuer), nameIn(child, leaf)).
		withHint("a self-signed CA among the intermediates is not trusted: add it to Chain.Roots, if you trust it")
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

// unknownSignature returns the refusal of a signature that crypto/x509 does not verify.
func unknownSignature(who string, cert *x509.Certificate) *Error {
	const hint = "ask the CA for a certificate that is signed with SHA-256 or better"
	switch cert.SignatureAlgorithm { //nolint:exhaustive // the others have no useful name
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		return refusal(ReasonChainUntrusted, "", "%s is signed with SHA-1 (%s), which is broken", who, cert.SignatureAlgorithm).withHint(hint)
	case x509.MD5WithRSA:
		return refusal(ReasonChainUntrusted, "", "%s is signed with MD5, which is broken", who).withHint(hint)
	case x509.UnknownSignatureAlgorithm:
		if isPSS(cert) {
			return refusal(ReasonChainUntrusted, "", "%s is signed with RSA-PSS with parameters that are not supported; want the same hash throughout and a salt of the hash's length", who).
				withHint("the CA must sign with a salt as long as the hash (openssl: rsa_pss_saltlen:digest), or with RSA PKCS #1 v1.5")
		}
		if name := mldsa.OfSignature(cert.Raw); name != "" {
			return refusal(ReasonChainUntrusted, "", "%s: %w", who, mldsa.Unsupported("signed with", name)).withHint(mldsa.Help)
		}
	}
	return refusal(ReasonChainUntrusted, "", "the signature algorithm of %s is not supported", who).
		withHint("ask the CA for a certificate that is signed with RSA, ECDSA, Ed25519 or ML-DSA")
}

// wrongUsage names the certificate that does not allow client authentication.
func (n *chainNode) wrongUsage(leaf *x509.Certificate, found *search) *Error {
	serverAuth := n.serverAuth != ""
	if !inExtendedUsage(leaf, serverAuth) {
		return wrongExtendedUsage("", "the leaf", leaf, n.serverAuth)
	}
	purposes := []string{"the leaf: " + usages(leaf)}
	for _, c := range slices.Concat(found.foundIntermediates, found.foundRoots) {
		if !inExtendedUsage(c.cert, serverAuth) {
			return wrongExtendedUsage("", nameIn(c.cert, leaf), c.cert, n.serverAuth)
		}
		if len(c.cert.ExtKeyUsage) > 0 {
			purposes = append(purposes, nameIn(c.cert, leaf)+": "+usages(c.cert))
		}
	}
	if len(purposes) == 1 {
		return refusal(ReasonUsageNotAllowed, "", "the extended key usage of a CA above the leaf does not allow clientAuth")
	}
	return refusal(ReasonUsageNotAllowed, "", "no extended key usage is common to %s", clip(strings.Join(purposes, "; "), maxDetail/2))
}

// wrongPolicies names the certificate at which no required policy is valid any more.
func (n *chainNode) wrongPolicies(leaf *x509.Certificate, found *search) *Error {
	const hint = "openssl x509 -text shows the policies of each certificate; ask the partner which policy its certificates are issued under"
	candidates := slices.Concat(found.foundIntermediates, found.foundRoots)
	if n.policies == "" {
		for _, c := range candidates {
			if c.cert.RequireExplicitPolicy > 0 || c.cert.RequireExplicitPolicyZero {
				return refusal(ReasonChainUntrusted, "", "%s requires a certificate policy (requireExplicitPolicy), but none is valid down to the leaf, which has %s", nameIn(c.cert, leaf), policiesOf(leaf)).withHint(hint)
			}
		}
		return refusal(ReasonChainUntrusted, "", "no certificate policy is valid for the whole chain").withHint(hint)
	}
	want := strings.Fields(n.policies)
	lacks := func(cert *x509.Certificate) bool {
		return !slices.ContainsFunc(cert.Policies, func(id x509.OID) bool {
			return id.String() == anyPolicy || len(cert.PolicyMappings) > 0 || slices.Contains(want, id.String()) || slices.Contains(want, anyPolicy)
		})
	}
	culprit := leaf
	if !lacks(leaf) {
		for _, c := range found.foundIntermediates {
			if lacks(c.cert) {
				culprit = c.cert
				break
			}
		}
	}
	return refusal(ReasonChainUntrusted, "", "certificate policies of %s: %s; want %s in every certificate below the root (Policies)", nameIn(culprit, leaf), policiesOf(culprit), strings.Join(want, " or ")).withHint(hint)
}

const anyPolicy = "2.5.29.32.0"

func policiesOf(cert *x509.Certificate) string {
	const most = 4
	ids := stringsOf(cert.Policies[:min(len(cert.Policies), most)])
	return clip(cmp.Or(strings.Join(ids, ", "), "none"), maxDetail/4)
}
