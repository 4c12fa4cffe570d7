package chainsearch

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// verify returns the ways from the leaf to a root, as chains that are accepted and others, or the
// obstacle of the one that comes furthest.
func (s *search) verify() (chains, invalid [][]*x509.Certificate, best obstacle) {
	s.admit(s.leaf.SentAlong)
	leaf := &candidate{cert: s.leaf.Certificate, issuer: s.leaf.Issuer, arrived: true}
	if s.Roots != nil && s.Roots.Contains(leaf.cert) || s.System != nil && holds(s.issuersOf(leaf).roots, leaf.cert) {
		s.ways = [][]*candidate{{leaf}}
	} else {
		s.climb(leaf)
	}
	proven := s.ways
	if s.crowded { // CAs that certify one another in many ways
		proven = [][]*candidate{s.everyone(leaf)}
	}
	if refused := s.twin(proven); refused != nil {
		return nil, nil, obstacle{refused: refused}
	}
	if len(s.presented) > 0 { // ways that the caller cannot change come first, because some work is limited
		slices.SortStableFunc(s.ways, func(a, b []*candidate) int { return countArrived(a) - countArrived(b) })
	}
	for _, way := range s.ways {
		chain := certificates(way)
		o := s.judge(way, chain)
		if o.refused == nil {
			chains = append(chains, chain)
			continue
		}
		invalid = append(invalid, chain)
		if o.weight > best.weight {
			best = o
		}
	}
	switch {
	case len(s.ways) > 0:
	case s.crowded:
		best.refused = untrusted("the CA certificates above the leaf certify one another in more than %d ways, of which none leads to %s", maxPaths, rootsText(s.Roots)).
			WithHint("remove CA certificates from Chain.Intermediates that no chain needs, such as cross-certificates and old copies")
	default:
		best = s.explain()
	}
	if s.crowded {
		invalid = [][]*x509.Certificate{certificates(proven[0])}
	}
	return chains, invalid, best
}

func certificates(way []*candidate) []*x509.Certificate {
	chain := make([]*x509.Certificate, len(way))
	for i, c := range way {
		chain[i] = c.cert
	}
	return chain
}

func countArrived(way []*candidate) int {
	n := 0
	for _, c := range way {
		if c.arrived {
			n++
		}
	}
	return n
}

// twin returns the refusal of a leaf with the name and the key of a CA above it, whatever else is wrong
// with that CA, or nil.
func (s *search) twin(ways [][]*candidate) *certcheck.Refusal {
	for _, way := range ways {
		if at := slices.IndexFunc(way[1:], s.isLeaf); at >= 0 {
			return untrusted("the leaf has the name and the key of %s", nameIn(way[1+at].cert, s.leaf.Certificate)).
				WithHint("a certificate with the name and the key of a CA does not identify a client; ask the CA for one with a name and a key of its own")
		}
	}
	return nil
}

// isLeaf reports whether a CA has the leaf's name and key. RFC 5280 permits that, but whoever has the
// key of a CA is not its client.
func (s *search) isLeaf(ca *candidate) bool {
	return haveSameKey(ca.cert, s.leaf.Certificate) && ca.name == nameKey(s.leaf.Certificate.RawSubject)
}

// judge checks a way to a root, of which names and signatures are right (RFC 5280, section 6.1). The
// obstacle of a chain that is accepted has no refusal.
func (s *search) judge(way []*candidate, chain []*x509.Certificate) obstacle {
	leaf := s.leaf.Certificate
	if len(chain) < 2 {
		return obstacle{weight: barChain, refused: certcheck.Refuse(certcheck.IsCA, "the leaf is one of the roots")}
	}
	for _, ca := range way[1:] {
		if s.System != nil { // others were checked when they were loaded or received
			if err := keycheck.Check(ca.cert); err != nil {
				return obstacle{weight: barFault, refused: untrusted("%s: %w", nameIn(ca.cert, leaf), err)}
			}
		}
		if ca.fault != certcheck.NoFault {
			return obstacle{weight: barFault, refused: ca.fault.Refusal(nameIn(ca.cert, leaf), ca.cert)}
		}
	}
	for _, ca := range chain[1:] {
		if refused := Dates(ca, leaf, s.now, s.Skew); refused != nil {
			return obstacle{weight: barDates, refused: refused, dated: ca}
		}
	}
	if refused := s.wrongUsage(chain); refused != nil {
		return obstacle{weight: barUsage, refused: refused}
	}
	for i, ca := range chain[1:] {
		if refused := pathTooLong(ca, chain[1:i+1], leaf); refused != nil {
			return obstacle{weight: barChain, refused: refused}
		}
	}
	if s.leaf.Fault != certcheck.NoFault {
		return obstacle{weight: barChain, refused: s.leaf.Fault.Refusal("the leaf", leaf)}
	}
	if refused := Dates(leaf, leaf, s.now, s.Skew); refused != nil {
		return obstacle{weight: barChain, refused: refused, dated: leaf}
	}
	begins := slices.MaxFunc(chain, func(a, b *x509.Certificate) int { return a.NotBefore.Compare(b.NotBefore) })
	ends := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	if begins.NotBefore.After(ends.NotAfter) { // both are within the skew
		return obstacle{weight: barChain, refused: untrusted("%s ends before %s begins, so they are never valid together", nameIn(ends, leaf), nameIn(begins, leaf)).
			WithHint("replace the certificate that has ended")}
	}
	if cas := len(chain) - 1; cas > s.MaxDepth {
		return obstacle{weight: barChain, refused: untrusted("%d CA certificates above the leaf, want at most %d (MaxDepth)", cas, s.MaxDepth).
			WithHint("set Chain.MaxDepth to the number of CA certificates in the partner's chain, including the root")}
	}
	if err := nameconstraints.Check(chain, &s.compared); err != nil {
		return obstacle{weight: barChain, refused: untrusted("%w", err).
			WithHint("the CA may not issue certificates for this name; ask the partner for a certificate within the constraints")}
	}
	if !s.policiesHold(way) {
		return obstacle{weight: barChain, refused: s.wrongPolicies(chain)}
	}
	return obstacle{}
}

// Dates returns the refusal of a member of the leaf's chain that is outside its validity, or nil. Not
// its owner but the operator has to replace a CA certificate that has ended.
func Dates(cert, leaf *x509.Certificate, now time.Time, skew time.Duration) *certcheck.Refusal {
	refused := certcheck.Dates(nameIn(cert, leaf), cert, now, skew)
	if refused != nil && refused.Kind == certcheck.Expired && cert != leaf {
		refused.Hint = "put the CA's current certificate into Chain.Intermediates, or into Chain.Roots if it is a root; if there is none, the partner's CA must renew it; check this host's clock too"
	}
	return refused
}

// pathTooLong returns a refusal if there are more CA certificates below a CA than its path length
// permits. Self-issued ones, which a CA makes for a new key, do not count (RFC 5280, section 6.1.4
// (l)), although crypto/x509 counts them.
func pathTooLong(ca *x509.Certificate, below []*x509.Certificate, leaf *x509.Certificate) *certcheck.Refusal {
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
	return untrusted("%s allows %d CA certificates below it (pathLenConstraint), the chain has %d", nameIn(ca, leaf), ca.MaxPathLen, n).
		WithHint("the partner's CA must issue a CA certificate with a larger pathLenConstraint, or leave out a CA below it")
}

func untrusted(format string, args ...any) *certcheck.Refusal {
	return certcheck.Refuse(certcheck.Untrusted, format, args...)
}
