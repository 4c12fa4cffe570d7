package certauth

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// defaultMaxDepth is the default of [Chain.MaxDepth].
const defaultMaxDepth = 5

// Chain accepts a certificate that chains to one of Roots by signatures (RFC 5280, section 6).
// Every certificate of the chain must be within its validity, and client authentication must be
// allowed from the root to the leaf. Chain is an anchor that vouches for the names.
//
// Chain also refuses a leaf that is a CA certificate or one of the roots, a leaf with the name and
// the key of a CA above it in any chain, a chain with more than MaxDepth CA certificates, and
// signatures with SHA-1 or MD5.
//
// If several chains verify, all of them are in [Identity.Chains], and a later rule on the issuer
// accepts if one of them satisfies it. A revocation rule discards the chains that contain a
// revoked CA. It refuses if no chain is left, or if the caller's own certificate is revoked.
//
// # Verification
//
// crypto/x509 verifies signatures and processes certificate policies. The
// signature of one CA on the certificate of another is verified once and remembered, so a new caller
// usually costs one signature; everything else is verified each time.
// In addition to crypto/x509, or instead of it, these rules apply:
//
//   - Names: issuer and subject are compared by RFC 5280, section 7.1, which ignores string type,
//     letter case and spacing. Names of more than 2 KiB, and those of the roots under
//     [InsecureSystemRoots], are compared byte for byte.
//   - Name constraints (section 4.2.1.10) of every form apply to the subjects and the alternative
//     names of all certificates below. Those of the roots apply too, and it does not matter
//     whether the extension is critical. If a CA constrains a form and a name of that form
//     cannot be compared, the name is refused. Constraints that cannot be read, or that have a
//     minimum or a maximum, refuse every chain through their CA. For the chains of one leaf at most
//     50000 names are compared with constraints; chains that would need more are refused.
//   - Dates: there must be one time within the clock skew ([Validity]) at which the leaf and all its
//     CAs are valid.
//   - Path lengths: a self-issued CA certificate does not count.
//   - Key usage: the extension of the leaf, if present, must allow digitalSignature or
//     keyAgreement, and that of a CA keyCertSign.
//   - Extended key usage: that of a CA limits those of the certificates below it. An extension
//     without any purpose allows nothing.
//   - Certificate policies, if the extension is critical, must have no qualifiers except the two
//     that RFC 5280 defines.
//   - Basic constraints, policy constraints and inhibitAnyPolicy must have the form that RFC 5280
//     defines. crypto/x509 ignores the rest of a malformed one.
//   - Any other critical extension that crypto/x509 does not know refuses the chain, on every
//     certificate including the root.
//
// # Candidates
//
// The issuers of a certificate are the CAs with the name of its issuer whose key has signed it. Key
// identifiers only determine the order: first the CAs whose subject key identifier
// matches, then those where one of the two certificates has no identifier, then the others.
// Within each of these groups valid CAs come before the others, and newer ones before older ones.
// Configured CAs come before those sent along. For one leaf at most sixteen configured keys with the
// issuer's name are tried. The same name does not occur twice with the same key in a chain.
//
// All chains are found, unless CAs certify one another in more than two hundred ways above one leaf. Then
// two hundred of the shortest are found, provided that no more than two thousand paths have to be followed
// to find them. [Denied] and IssuedBy and IssuerName under [Not] consider every chain in which
// names and signatures are right, whatever else is wrong with it, and if there are too many, every CA
// above the leaf: whoever has a CA can make the chains below it longer, more, or invalid.
//
// A CA certificate that was sent along is a candidate only if a configured CA, or another
// candidate, has signed it. At most 72 signatures are checked to establish this; CAs that were
// accepted in this way recently cost none. A certificate that was sent along and cannot be used is
// ignored, although it counts towards the ten certificates that a request may present. It cannot be
// used if its version is not 3, its serial number is not positive, its key is weak or of an unknown
// kind, or crypto/x509 cannot parse it.
//
// # Many Chains
//
// An Authenticator may have 256 different Chain policies, including those of
// [Authenticator.Require]; more are an error of New. Those with the same settings and the same
// sources count once. Sources are the same if they name the same file or variable, or contain the
// same PEM text or the same [Certificates]; a [CertFunc] never equals another. A remembered caller
// costs no signature, however many Chains there are. For a new caller one search is made for each
// Chain that has a CA with the name of the leaf's issuer, or of the issuer of a CA that was sent
// along.
type Chain struct {
	// Roots are the trust anchors. They are required: nil never means the system's roots (see
	// [InsecureSystemRoots]). Each must be a CA certificate; to trust one certificate alone,
	// pin it with [Certificates] or [Thumbprints].
	Roots CertSource

	// Intermediates are issuing CAs that complete the chain. Front ends such as App Service
	// forward only the leaf, so without Intermediates only leaves issued by a root itself are
	// accepted. CA certificates sent along with the leaf are tried too, but are never trusted by
	// themselves. Intermediates may be nil.
	Intermediates CertSource

	// StrictEKU requires the leaf to have the extended key usage clientAuth. By default a leaf
	// without the extension is allowed for every purpose (RFC 5280, section 4.2.1.12).
	StrictEKU bool

	// MaxDepth is the largest number of CA certificates above the leaf, including the root; 1
	// means that the root issues the leaf. 0 means 5; a negative number and one above 10 are
	// errors of New. A longer chain accepts nobody, but rules that exclude CAs ([Denied] and [Not])
	// consider it.
	MaxDepth int

	// Policies are the certificate policies of which the chain must have one, as dotted OIDs:
	// the user-initial-policy-set of RFC 5280, section 6.1.1, with initial-explicit-policy set.
	// The policy must be in every certificate below the root, or follow from what is there
	// (anyPolicy, policy mappings). With a policy a CA states what kind of certificate it is: a
	// qualified one (0.4.0.194112.1.4 is QCP-w), or a level of assurance. Nil requires no policy;
	// a CA that requires one itself (requireExplicitPolicy) is obeyed in either case.
	// "2.5.29.32.0" alone means any policy that is valid for the whole chain. An empty list, a
	// text that is not an OID, and Policies together with [InsecureSystemRoots] are errors of New.
	Policies []string
}

func (p Chain) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Chain"
	c.forbidUnderNot(path, at)
	c.anchors++
	settings := chainSettings{strictEKU: p.StrictEKU, serverAuth: at.serverAuth}
	settings.MaxDepth, settings.Skew, settings.ServerAuth = cmp.Or(p.MaxDepth, defaultMaxDepth), at.skew, at.serverAuth != ""
	settings.Policies = c.certificatePolicies(path, p.Policies)
	if p.StrictEKU && at.serverAuth != "" {
		c.mistake(path+".StrictEKU", "requires clientAuth, but the AcceptServerAuth around it does not; remove one of them")
	}
	if p.MaxDepth < 0 || p.MaxDepth > maxCertificates {
		c.mistake(path+".MaxDepth", "%d, want 1 to %d, or 0 for %d", p.MaxDepth, maxCertificates, defaultMaxDepth)
	}
	switch roots := p.Roots.(type) {
	case systemRoots:
		pool, err := c.chains.systemPool()
		if err != nil {
			c.mistake(path+".Roots", "system roots: %w", err)
		}
		settings.System = pool
		if at.serverAuth != "" {
			c.mistake(path+".Roots", "the system's roots within AcceptServerAuth would accept the certificate of any web server; name the CAs you trust")
		}
		if settings.Policies != "" {
			c.mistake(path+".Policies", "not supported with the system's roots, because some systems verify chains themselves; name the CAs you trust")
		}
	default:
		settings.roots = c.pool(path+".Roots", roots, true)
	}
	settings.intermediates = c.pool(path+".Intermediates", p.Intermediates, false)
	at.standing.vouched, at.standing.chain = vouchedNames, true
	at.standing.public = at.standing.public || settings.System != nil
	return &chainRule{path: path, chainNode: c.node(path, settings)}, at.standing
}

// certificatePolicies checks a list of certificate policies and joins it into one comparable text.
func (c *compilation) certificatePolicies(path string, policies []string) string {
	if policies != nil && len(policies) == 0 {
		c.mistake(path+".Policies", "empty; name a policy, or set nil to require none")
	}
	for i, policy := range policies {
		id, err := x509.ParseOID(policy)
		switch {
		case err != nil || id.String() != policy:
			c.mistake(fmt.Sprintf("%s.Policies[%d]", path, i), "%s is not a dotted object identifier such as 0.4.0.194112.1.4", quote(policy))
		case policy == chainsearch.AnyPolicy && len(policies) > 1:
			c.mistake(fmt.Sprintf("%s.Policies[%d]", path, i), "anyPolicy makes the other policies meaningless; give it alone, or remove it")
		}
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(policies)))
	return strings.Join(sorted, " ")
}

func (r *chainRule) describe(p *printer) {
	detail := []string{fmt.Sprintf("at most %d CA certificates", r.MaxDepth)}
	if r.strictEKU {
		detail = append(detail, "clientAuth required")
	}
	if r.Policies != "" {
		detail = append(detail, "certificate policy "+strings.ReplaceAll(r.Policies, " ", " or "))
	}
	if r.Skew > 0 {
		detail = append(detail, "clock skew "+r.Skew.String())
	}
	p.line("chain (%s)", strings.Join(detail, ", "))
	p.indent++
	if r.System != nil {
		p.line("roots: every CA of the operating system (insecure)")
	} else {
		describeCAs(p, r.roots.Get(), "root")
	}
	describeCAs(p, r.intermediates.Get(), "intermediate")
	p.indent--
}

func describeCAs(p *printer, pool *chainsearch.Pool, kind string) {
	const most = 8
	certs := pool.Certificates()
	for i, cert := range certs {
		if i == most {
			p.line("and %d more", len(certs)-most)
			break
		}
		p.line("%s: %s until %s (%s)", kind, dn.Quote(cert.RawSubject), cert.NotAfter.UTC().Format(time.DateOnly), pool.Origin)
	}
}
