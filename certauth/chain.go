package certauth

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
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
// by crypto/x509. The signature of one CA on the certificate of another is verified once and
// remembered, so that a new caller costs one signature as a rule; everything else is judged
// each time. Beside crypto/x509, or instead of it, hold:
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
// Refused are also: a CA certificate or one of the roots as the leaf, a leaf with the name and
// the key of a CA above it, a chain with more than MaxDepth CA certificates, and SHA-1 and MD5
// signatures.
//
// Candidates for an issuer are chosen by subject. Those whose key identifier the child names
// come first, then those where one of the two has none, then the others: identifiers give
// the order and signatures decide. At most eight roots and eight other CAs of one name are
// tried for one child: within each kind the valid before the others, the configured before
// the presented, and the youngest first. A presented CA is a candidate only if a configured one, or one that is a candidate
// already, has signed it; to find out, at most 72 signatures are checked, and none for the CAs
// that were sent along and admitted last. What is sent along
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

// certificatePolicies checks a list of certificate policies and puts it into one text.
func (c *compilation) certificatePolicies(path string, policies []string) string {
	if policies != nil && len(policies) == 0 {
		c.mistake(path+".Policies", "empty; name a policy, or leave it nil to ask for none")
	}
	for i, policy := range policies {
		id, err := x509.ParseOID(policy)
		switch {
		case err != nil || id.String() != policy:
			c.mistake(fmt.Sprintf("%s.Policies[%d]", path, i), "%s is not an object identifier with dots, like 0.4.0.194112.1.4", quote(policy))
		case policy == anyPolicy && len(policies) > 1:
			c.mistake(fmt.Sprintf("%s.Policies[%d]", path, i), "any policy beside others; name it alone, or leave it out")
		}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(policies)))
	return strings.Join(sorted, " ")
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
