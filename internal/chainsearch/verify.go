package chainsearch

import (
	"bytes"
	"crypto/x509"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// maxSets bounds the sets of CAs that were sent along for which a search is made.
const maxSets = 4

// verify returns the chains of the leaf, or the reason that there are none.
//
// The candidates, the signatures that crypto/x509 verifies and the comparisons of names are limited. No
// caller can make the search miss a chain by sending more CAs along: one search is made without any, one
// with all, and for each chain that this one finds, one with only those that are part of it.
func (s *search) verify() ([][]*x509.Certificate, *certcheck.Refusal) {
	chains, refused, err := s.chains()
	if s.admit(s.leaf.SentAlong); len(s.presented) > 0 {
		sent, final := s.presented, s.final
		var all [][]*x509.Certificate
		all, refused, err = s.chains()
		exceeded := s.final != final
		s.final = final
		var sets [][]*candidate
		for _, chain := range all {
			set := slices.DeleteFunc(slices.Clone(sent), func(c *candidate) bool { return !slices.Contains(chain, c.cert) })
			if len(set) > 0 && !slices.ContainsFunc(sets, func(known []*candidate) bool { return slices.Equal(known, set) }) {
				sets = append(sets, set)
			}
		}
		for _, set := range sets[:min(len(sets), maxSets)] {
			found := all
			if len(set) < len(sent) || exceeded { // otherwise this is the search above
				s.presented = set
				found, _, _ = s.chains()
			}
			chains = appendNew(chains, found)
		}
	}
	switch {
	case s.final != nil:
		return nil, s.final
	case len(chains) > 0:
		return chains, nil
	case refused == nil:
		refused = s.explain(err)
	}
	return nil, refused
}

// chains searches among the candidates that MaxDepth permits, and if there are others above them, which
// could use up the signatures, then among all, for the chains that are too long.
func (s *search) chains() ([][]*x509.Certificate, *certcheck.Refusal, error) {
	chains, refused, err := s.within(s.MaxDepth)
	if s.cut {
		var longer [][]*x509.Certificate
		longer, refused, err = s.within(math.MaxInt)
		chains = appendNew(chains, longer)
	}
	return chains, refused, err
}

// within collects candidates up to that many levels above the leaf and verifies them, first without
// those that the leaf's key identifier leaves out. These are not needed if a key that it selects has
// signed the leaf. A chain alone does not show this, because a candidate that was left out may have been
// found again above another one.
func (s *search) within(levels int) ([][]*x509.Certificate, *certcheck.Refusal, error) {
	for s.wide = false; ; s.wide = true {
		s.run(levels)
		chains, refused, err := s.ask()
		if !s.passed || len(chains) > 0 && sharesKey(chains[0][1], s.selected) {
			return chains, refused, err
		}
	}
}

// ask verifies the candidates with crypto/x509 and then makes the checks that crypto/x509 does not.
// The dates of the leaf are checked separately, so that only a certificate that is otherwise trusted
// is reported as expired. All chains that verify are checked, because one that is refused here must not
// hide another. If all are refused here, ask returns the last refusal.
func (s *search) ask() ([][]*x509.Certificate, *certcheck.Refusal, error) {
	err := error(x509.UnknownAuthorityError{Cert: s.leaf.Certificate})
	if s.System == nil && len(s.foundRoots) == 0 || certcheck.SignatureKind(s.leaf.Certificate) == x509.UnknownPublicKeyAlgorithm {
		return nil, nil, err
	}
	times := []time.Time{s.now}
	if s.System != nil {
		times = verifyTimes(s.leaf.Certificate, s.now, s.Skew)
	}
	known := s.knownWay()
	options := s.options(known)
	view := s.leafView()
	if s.Policies != "" { // has the effect of initial-explicit-policy, for which crypto/x509 has no option
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
	s.learn(verified)
	var last *certcheck.Refusal
	var accepted [][]*x509.Certificate
	for _, chain := range s.originals(s.leaf.Certificate, verified) {
		for i := 1; i < len(known); i++ {
			chain = append(chain, known[i].cert)
		}
		switch refused := s.judgeChain(chain); {
		case refused != nil:
			last = refused
		case len(chain)-1 > s.MaxDepth:
			last = tooDeep(len(chain)-1, s.MaxDepth)
			s.deep = appendNew(s.deep, [][]*x509.Certificate{chain})
		default:
			accepted = append(accepted, chain)
		}
	}
	if len(accepted) == 0 && last == nil {
		last = certcheck.Refuse(certcheck.Internal, "crypto/x509 returned a chain with a certificate that it was not given")
	}
	return accepted, last, nil
}

// appendNew appends the chains that are not in the list yet.
func appendNew(all, chains [][]*x509.Certificate) [][]*x509.Certificate {
	for _, chain := range chains {
		same := func(other []*x509.Certificate) bool { return slices.EqualFunc(chain, other, (*x509.Certificate).Equal) }
		if !slices.ContainsFunc(all, same) {
			all = append(all, chain)
		}
	}
	return all
}

// options returns the options for crypto/x509: with all candidates that are possible, or with only the
// issuing CA of a known way.
func (s *search) options(known []*candidate) x509.VerifyOptions {
	options := x509.VerifyOptions{Roots: s.System, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	var roots, intermediates []*candidate
	if known != nil {
		roots = known[:1]
	} else {
		roots, intermediates = s.possible(s.foundRoots), s.possible(s.foundIntermediates)
	}
	s.shown = map[*x509.Certificate]*candidate{}
	if s.System == nil {
		options.Roots = s.views(roots)
	}
	if len(intermediates) > 0 {
		options.Intermediates = s.views(intermediates)
	}
	if s.ServerAuth {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	for policy := range strings.FieldsSeq(s.Policies) {
		if id, err := x509.ParseOID(policy); err == nil { // New has checked it
			options.CertificatePolicies = append(options.CertificatePolicies, id)
		}
	}
	return options
}

// verifyTimes returns the times to verify at below the system's roots, of which there are no views: now,
// limited to the leaf's validity, and with a skew also both of its ends, for CA certificates that are
// about to begin or have just expired.
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
func (s *search) judgeChain(chain []*x509.Certificate) *certcheck.Refusal {
	s.dated = nil
	if len(chain) < 2 {
		return certcheck.Refuse(certcheck.IsCA, "the leaf is one of the roots")
	}
	for i, ca := range chain[1:] {
		if refused := pathTooLong(ca, chain[1:i+1], s.leaf.Certificate); refused != nil {
			return refused
		}
	}
	if s.leaf.Fault != certcheck.NoFault {
		return s.leaf.Fault.Refusal("the leaf", s.leaf.Certificate)
	}
	for i, cert := range chain {
		if i > 0 && s.System != nil { // other CAs were checked when they were loaded or presented, and as views
			if slices.ContainsFunc(chain[1:i], func(below *x509.Certificate) bool { return haveSameNameAndKey(below, cert) }) {
				return untrusted("%s has the name and the key of a certificate below it", nameIn(cert, s.leaf.Certificate))
			}
			if err := keycheck.Check(cert); err != nil {
				return untrusted("%s: %w", nameIn(cert, s.leaf.Certificate), err)
			}
			if fault := certcheck.FaultOfCA(cert); fault != certcheck.NoFault {
				return fault.Refusal(nameIn(cert, s.leaf.Certificate), cert)
			}
		}
		if certcheck.Outside(cert, s.now, s.Skew) {
			s.dated = cert
			return Dates(cert, s.leaf.Certificate, s.now, s.Skew)
		}
	}
	begins := slices.MaxFunc(chain, func(a, b *x509.Certificate) int { return a.NotBefore.Compare(b.NotBefore) })
	ends := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	if begins.NotBefore.After(ends.NotAfter) { // both are within the skew
		return untrusted("%s ends before %s begins, so they are never valid together", nameIn(ends, s.leaf.Certificate), nameIn(begins, s.leaf.Certificate)).
			WithHint("replace the certificate that has ended")
	}
	if err := nameconstraints.Check(chain, &s.compared); err != nil {
		refused := untrusted("%w", err).
			WithHint("the CA may not issue certificates for this name; ask the partner for a certificate within the constraints")
		if errors.Is(err, nameconstraints.ErrTooMany) { // so it is not known whether there is this chain
			s.final = refused
		}
		return refused
	}
	if twin := slices.IndexFunc(chain[1:], s.isLeaf); twin >= 0 {
		s.final = untrusted("the leaf has the name and the key of %s", nameIn(chain[1+twin], s.leaf.Certificate)).
			WithHint("a certificate with the name and the key of a CA does not identify a client; ask the CA for one with a name and a key of its own")
		return s.final
	}
	return nil
}

// isLeaf reports whether a CA has the leaf's name and key. RFC 5280 permits that, but whoever has the
// key of a CA is not its client.
func (s *search) isLeaf(ca *x509.Certificate) bool {
	leaf := s.leaf.Certificate
	return bytes.Equal(ca.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo) && nameKey(ca.RawSubject) == nameKey(leaf.RawSubject)
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

func haveSameNameAndKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
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

func tooDeep(cas, most int) *certcheck.Refusal {
	return untrusted("%d CA certificates above the leaf, want at most %d (MaxDepth)", cas, most).
		WithHint("set Chain.MaxDepth to the number of CA certificates in the partner's chain, including the root")
}

func untrusted(format string, args ...any) *certcheck.Refusal {
	return certcheck.Refuse(certcheck.Untrusted, format, args...)
}
