package chainsearch

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// explain returns the obstacle if no way leads to a root: the certificate, the property that is the
// reason, and a step that helps. The text of crypto/x509 is never passed on, because it contains
// text of the client and can grow with the square of the input (CVE-2025-61729).
func (s *search) explain() obstacle {
	w := &walk{search: s}
	return w.above([]*x509.Certificate{s.leaf.Certificate}, s.leaf.Issuer)
}

// walk goes up from the leaf by names alone and collects the obstacles. It verifies signatures only
// before it reports "expired", and only a few.
type walk struct {
	*search

	seen   []*candidate
	checks int
}

// maxExplained bounds the CAs that it meets.
const maxExplained = 32

// obstacle is the reason that one path fails. The path that comes furthest explains most.
type obstacle struct {
	weight  int
	refused *certcheck.Refusal
	dated   *x509.Certificate
}

const (
	barNobody   = iota // the issuer of the leaf is not configured; only without any way up
	barOtherKey        // it is configured, but with another key
	barNoIssuer        // the issuer of a CA above the leaf is not configured
	barFault           // a property of a certificate forbids it
	barDates           // a CA is outside its validity, and the signatures up to it verify
	barUsage           // an extended key usage forbids it
	barChain           // something else does
)

// above tries the candidates for the issuer of the last certificate of the path.
func (w *walk) above(path []*x509.Certificate, issuer string) obstacle {
	child := path[len(path)-1]
	type way struct {
		*candidate
		root bool
	}
	var ways []way
	trusted, others, sent := w.named(issuer)
	for _, c := range trusted {
		ways = append(ways, way{c, true})
	}
	for _, c := range slices.Concat(others, sent) {
		ways = append(ways, way{c, false})
	}
	roots := w.Roots
	switch {
	case len(ways) == 0 && len(path) == 1:
		return obstacle{weight: barNobody, refused: UnknownIssuer(roots, child)}
	case len(ways) == 0:
		return obstacle{weight: barNoIssuer, refused: unknownUpper(roots, child, w.leaf.Certificate)}
	case certcheck.SignatureKind(child) == x509.UnknownPublicKeyAlgorithm:
		return obstacle{weight: barFault, refused: certcheck.UnknownSignature(nameIn(child, w.leaf.Certificate), child)}
	}
	slices.SortStableFunc(ways, func(a, b way) int { return kinship(child, a.cert) - kinship(child, b.cert) })
	var best obstacle
	for _, c := range ways[:min(len(ways), maxKeys)] {
		if slices.Contains(w.seen, c.candidate) || len(w.seen) >= maxExplained {
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
		best = obstacle{weight: barNoIssuer, refused: onlyIntermediate(roots, child, w.leaf.Certificate)}
	default:
		best = obstacle{weight: barOtherKey, refused: otherKey(path)}
	}
	return best
}

// through checks the last certificate of the path, a CA.
func (w *walk) through(path []*x509.Certificate, c *candidate, root bool) obstacle {
	child, ca := path[len(path)-2], c.cert
	tooLong := pathTooLong(ca, path[1:len(path)-1], w.leaf.Certificate)
	w.span.watch(ca, w.Skew)
	switch {
	case !certcheck.CanHaveSigned(ca, child):
		return obstacle{weight: barOtherKey, refused: otherKey(path)}
	case c.fault != certcheck.NoFault:
		return obstacle{weight: barFault, refused: c.fault.Refusal(nameIn(ca, w.leaf.Certificate), ca)}
	case tooLong != nil:
		return obstacle{weight: barFault, refused: tooLong}
	case certcheck.Outside(ca, w.now, w.Skew):
		if !w.holds(path) {
			return obstacle{weight: barOtherKey, refused: otherKey(path)}
		}
		return obstacle{weight: barDates, refused: Dates(ca, w.leaf.Certificate, w.now, w.Skew), dated: ca}
	case root:
		return obstacle{weight: barOtherKey, refused: otherKey(path)}
	}
	return w.above(path, c.issuer)
}

// holds reports whether every signature of the path verifies.
func (w *walk) holds(path []*x509.Certificate) bool {
	const most = 2 * MaxCertificates
	for i, parent := range path[1:] {
		if w.checks++; w.checks > most || path[i].CheckSignatureFrom(parent) != nil {
			return false
		}
	}
	return true
}

// otherKey returns the refusal if the names match and a signature does not. Key identifiers show
// which one; if they do not, the leaf's is reported.
func otherKey(path []*x509.Certificate) *certcheck.Refusal {
	const hint = "either the CA has a new key or someone uses its name; compare the authority key identifier with the partner"
	leaf := path[0]
	at := leaf
	for i, ca := range path[1:] {
		if kinship(path[i], ca) == 2 || certcheck.SignatureKind(path[i]) != ca.PublicKeyAlgorithm {
			at = path[i]
			break
		}
	}
	if at == leaf {
		return untrusted("leaf issuer %s is configured with a different key", dn.Text(leaf.RawIssuer)).WithHint(hint)
	}
	return untrusted("issuer %s of %s is configured with a different key", dn.Text(at.RawIssuer), nameIn(at, leaf)).WithHint(hint)
}

// UnknownIssuer returns the refusal of a leaf whose issuer is not configured. roots is nil with the
// system's roots.
func UnknownIssuer(roots *Pool, leaf *x509.Certificate) *certcheck.Refusal {
	hint := "front ends such as App Service forward only the leaf; add the issuing CA to Chain.Intermediates, or to Chain.Roots if it is a root, if you trust it"
	if bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		hint = "a self-signed certificate has no issuing CA; if you trust it, pin it, next to the old pin if it is the renewal of a pinned one"
	}
	return untrusted("no path to %s, leaf issuer %s is not configured", rootsText(roots), dn.Text(leaf.RawIssuer)).WithHint(hint)
}

// unknownUpper returns the refusal of a chain that ends at a CA whose issuer is not configured.
func unknownUpper(roots *Pool, child, leaf *x509.Certificate) *certcheck.Refusal {
	return untrusted("no path to %s, issuer %s of %s is not configured", rootsText(roots), dn.Text(child.RawIssuer), nameIn(child, leaf)).
		WithHint("add that issuer to Chain.Intermediates, or to Chain.Roots if it is a root, if you trust it")
}

// onlyIntermediate returns the refusal of a chain that leads to itself instead of a root, as that of
// a self-signed CA does.
func onlyIntermediate(roots *Pool, child, leaf *x509.Certificate) *certcheck.Refusal {
	return untrusted("no path to %s, issuer %s of %s is only an intermediate", rootsText(roots), dn.Text(child.RawIssuer), nameIn(child, leaf)).
		WithHint("a self-signed CA among the intermediates is not trusted: add it to Chain.Roots, if you trust it")
}

func rootsText(roots *Pool) string {
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
	return "CA certificate " + dn.Quote(cert.RawSubject)
}

// wrongUsage returns a refusal that names the certificate that does not allow client authentication, or
// nil. The extended key usages of a CA limit those of the certificates below it.
func (s *search) wrongUsage(chain []*x509.Certificate) *certcheck.Refusal {
	if allAllow(chain, x509.ExtKeyUsageClientAuth) || s.ServerAuth && allAllow(chain, x509.ExtKeyUsageServerAuth) {
		return nil
	}
	purposes := []string{"the leaf: " + certcheck.Purposes(chain[0])}
	for i, cert := range chain {
		if !certcheck.IsForClients(cert, s.ServerAuth) {
			return certcheck.NotForClients(nameIn(cert, chain[0]), cert, s.ServerAuth)
		}
		if i > 0 && len(cert.ExtKeyUsage) > 0 {
			purposes = append(purposes, nameIn(cert, chain[0])+": "+certcheck.Purposes(cert))
		}
	}
	return certcheck.Refuse(certcheck.WrongUsage, "no extended key usage is common to %s", logtext.Clip(strings.Join(purposes, "; "), maxText))
}

// allAllow reports whether every certificate allows the usage. One without the extension allows all.
func allAllow(chain []*x509.Certificate, usage x509.ExtKeyUsage) bool {
	return !slices.ContainsFunc(chain, func(cert *x509.Certificate) bool {
		return len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 &&
			!slices.Contains(cert.ExtKeyUsage, usage) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
	})
}

// wrongPolicies names the certificate at which no required policy is valid any more.
func (s *search) wrongPolicies(chain []*x509.Certificate) *certcheck.Refusal {
	const hint = "openssl x509 -text shows the policies of each certificate; ask the partner which policy its certificates are issued under"
	leaf := s.leaf.Certificate
	if s.Policies == "" {
		for _, ca := range chain[1:] {
			if ca.RequireExplicitPolicy > 0 || ca.RequireExplicitPolicyZero {
				return untrusted("%s requires a certificate policy (requireExplicitPolicy), but none is valid down to the leaf, which has %s", nameIn(ca, leaf), policiesOf(leaf)).WithHint(hint)
			}
		}
		return untrusted("no certificate policy is valid for the whole chain").WithHint(hint)
	}
	want := strings.Fields(s.Policies)
	lacks := func(cert *x509.Certificate) bool {
		return !slices.ContainsFunc(cert.Policies, func(id x509.OID) bool {
			return id.String() == AnyPolicy || len(cert.PolicyMappings) > 0 || slices.Contains(want, id.String()) || slices.Contains(want, AnyPolicy)
		})
	}
	culprit := leaf
	if at := slices.IndexFunc(chain[:len(chain)-1], lacks); at >= 0 {
		culprit = chain[at]
	}
	return untrusted("certificate policies of %s: %s; want %s in every certificate below the root (Policies)", nameIn(culprit, leaf), policiesOf(culprit), strings.Join(want, " or ")).WithHint(hint)
}

// AnyPolicy is the policy that stands for all (RFC 5280, section 4.2.1.4).
const AnyPolicy = "2.5.29.32.0"

// maxText bounds a list in the text of a refusal, in bytes.
const maxText = 256

func policiesOf(cert *x509.Certificate) string {
	var ids []string
	for _, id := range cert.Policies[:min(len(cert.Policies), logtext.MaxListed)] {
		ids = append(ids, id.String())
	}
	return logtext.Clip(cmp.Or(strings.Join(ids, ", "), "none"), maxText/2)
}
