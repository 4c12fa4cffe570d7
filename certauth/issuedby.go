package certauth

import (
	"crypto/x509"
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/pins"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// IssuedBy accepts certificates whose issuing CA, the certificate directly above the leaf in
// a verified chain, is one of those given. It must follow a [Chain] and narrows "trusted by
// the root" to "issued by this CA". If several chains verify, one that satisfies the rule is
// sufficient. If several [Chain] policies are on one path through the policy (see [Any]), each
// needs such a chain, whatever the position of the IssuedBy among them. A chain that a
// [NotRevoked] has excluded does not count.
//
// Under [Not] it refuses every certificate that has a chain through one of these CAs,
// at any place above the leaf, because an excluded CA could otherwise certify a further CA; a
// chain that was excluded, or that a Chain refuses although names and signatures are right, counts
// too. Only PublicKeys can be
// used there, because a caller that presents a CA certificate can rewrite its signature and thereby
// change its hash.
//
// Exactly one field must be set.
type IssuedBy struct {
	// Certificates gives the CA certificates themselves, reloaded like those of a Chain.
	Certificates CertSource
	// Thumbprints gives the SHA-256 of the CA certificates, written as for [Thumbprints].
	Thumbprints []string
	// PublicKeys gives the SHA-256 of the CA's public keys, written as for [PublicKeys];
	// they stay valid when the CA certificate is renewed and match cross-signed copies.
	PublicKeys []string
}

func (p IssuedBy) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".IssuedBy"
	if !at.standing.chain {
		c.mistake(path, "comes before any Chain; put a Chain before it, because only a verified chain proves who issued a certificate")
	}
	set := 0
	r := &issuedByRule{path: path}
	if at.negated() {
		r.notPath = at.path
	}
	if !isNil(p.Certificates) {
		set++
		r.certs = c.pool(path+".Certificates", p.Certificates, true)
		c.defects.pinned(r.certs.Path(), func() []*x509.Certificate { return r.certs.Get().Certificates() })
	}
	for _, list := range []struct {
		kind pinKind
		pins []string
	}{{pinThumbprint, p.Thumbprints}, {pinPublicKey, p.PublicKeys}} {
		if list.pins == nil {
			continue
		}
		set++
		pins := c.pinSet(list.kind, path+"."+list.kind.Name, list.pins)
		r.kind, r.pins = list.kind, &pins
	}
	if at.negated() && (!isNil(p.Certificates) || p.Thumbprints != nil) {
		c.mistake(path, "cannot exclude a CA by its certificate, because the sender can alter it and the CA can have several; under Not use PublicKeys or IssuerName")
	}
	if set != 1 {
		c.mistake(path, "%d of Certificates, Thumbprints and PublicKeys are set, want exactly one", set)
	}
	at.standing.public = false // of all public CAs, only these are left
	return r, at.standing
}

type issuedByRule struct {
	path    string
	notPath string // of the Not under which it excludes these issuers, otherwise ""

	certs *reload.Item[chainsearch.Pool]
	kind  pinKind
	pins  *pins.Set
}

func (r *issuedByRule) judge(e *evaluation) *Error {
	e.path.note(r)
	if r.notPath != "" {
		return nil
	}
	return r.rests(e, &e.path) // now too, so that a refusal asks no Checker
}

func (r *issuedByRule) stage() stage {
	if r.notPath != "" {
		return stageVerified
	}
	return stageLeft
}

func (r *issuedByRule) settle(e *evaluation, p *policyPath) *Error {
	if r.notPath == "" {
		return r.rests(e, p)
	}
	for chain := range p.proven() {
		for i, ca := range chain.certs[1:] {
			if r.accepts(ca, &chain.ca(i+1).sums) {
				return excludedCA(r.notPath)
			}
		}
	}
	return nil
}

// rests requires a chain through one of these issuers for each Chain: a restriction of one
// Chain must not be satisfied by a chain of another.
func (r *issuedByRule) rests(e *evaluation, p *policyPath) *Error {
	for _, chains := range p.anchors {
		if !slices.ContainsFunc(chains, func(chain *verifiedChain) bool {
			return r.accepts(chain.certs[1], &chain.ca(1).sums) && chain.among(p.chains)
		}) {
			return e.refuse(r, true)
		}
	}
	return nil
}

func (r *issuedByRule) refusal(e *evaluation) *Error {
	return refusal(ReasonIssuerNotAllowed, r.path, "issuing CA %s is not one of the listed CAs", dn.Text(e.facts.leaf.RawIssuer))
}

func (r *issuedByRule) accepts(issuer *x509.Certificate, sums *certSums) bool {
	if r.certs != nil {
		pool := r.certs.Get()
		return pool != nil && pool.Contains(issuer)
	}
	return r.pins != nil && r.pins.Contains(sums.of(&r.kind, issuer))
}

func (r *issuedByRule) describe(p *printer) {
	if r.certs != nil {
		p.line("issued by one of")
		p.indent++
		describeCAs(p, r.certs.Get(), "CA")
		p.indent--
		return
	}
	p.line("issued by one of %d CAs, by %s", r.pins.Len(), r.kind.Name)
}
