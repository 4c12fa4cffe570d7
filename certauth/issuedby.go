package certauth

import (
	"crypto/x509"
)

// IssuedBy accepts certificates whose issuing CA, the certificate directly above the
// leaf in a verified chain, is one of those given. It stands after a [Chain]: it narrows
// "trusted by the root" to "issued by this CA". If several chains verify, one that
// satisfies it is enough.
//
// Exactly one field must be set.
type IssuedBy struct {
	// Certificates gives the CA certificates themselves, reloaded like those of a Chain.
	Certificates CertSource
	// Thumbprints gives the SHA-256 of the CA certificates, written as for [Thumbprints].
	Thumbprints []string
	// PublicKeys gives the SHA-256 of the CA's public keys, written as for [PublicKeys];
	// it survives renewal of the CA certificate and accepts cross-signed copies.
	PublicKeys []string
}

func (p IssuedBy) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".IssuedBy"
	if !at.standing.chain {
		c.mistake(path, "stands before any Chain; only a verified chain says who issued a certificate")
	}
	set := 0
	r := &issuedByRule{path: path, underNot: at.underNot}
	if !isNil(p.Certificates) {
		set++
		r.certs = c.pool(path+".Certificates", p.Certificates, true)
	}
	for _, list := range []struct {
		kind pinKind
		name string
		pins []string
	}{{pinThumbprint, "Thumbprints", p.Thumbprints}, {pinPublicKey, "PublicKeys", p.PublicKeys}} {
		if list.pins == nil {
			continue
		}
		set++
		pins, mistakes := newPinSet(list.kind, list.pins)
		for _, m := range mistakes {
			c.mistake(path+"."+list.name+m.at, "%w", m.err)
		}
		r.kind, r.pins = list.kind, &pins
	}
	if set != 1 {
		c.mistake(path, "%d of Certificates, Thumbprints and PublicKeys are set, want exactly one", set)
	}
	at.standing.public = false // of all public CAs, only these are left
	return r, at.standing
}

type issuedByRule struct {
	path string
	// underNot: a chain that was taken out still says who issued the certificate.
	underNot bool

	certs *reloader[caPool]
	kind  pinKind
	pins  *pinSet
}

func (r *issuedByRule) judge(e *evaluation) *Error {
	for _, chain := range e.chains {
		if (r.underNot || !e.isSpoiled(chain)) && r.acceptsChain(chain) {
			e.last = append(e.last, pending{rule: r})
			return nil
		}
	}
	return e.refuse(r, true)
}

// look wants a chain that is still worth something, should a NotRevoked, before or behind,
// have found one with a revoked CA.
func (r *issuedByRule) look(e *evaluation, _ int) *Error {
	if len(e.spoiled) == 0 {
		return nil
	}
	for _, chain := range e.chains {
		if !e.isSpoiled(chain) && r.acceptsChain(chain) {
			return nil
		}
	}
	return r.refusal(e)
}

func (r *issuedByRule) acceptsChain(chain *verifiedChain) bool {
	return len(chain.certs) > 1 && r.accepts(chain.certs[1], &chain.sums[1])
}

func (r *issuedByRule) refusal(e *evaluation) *Error {
	return mismatch(ReasonIssuerNotAllowed, r.path, "issuing CA %s is not one of those given", quote(nameOf(e.facts.leaf.RawIssuer)))
}

func (r *issuedByRule) accepts(issuer *x509.Certificate, sums *certSums) bool {
	if r.certs != nil {
		pool := r.certs.get()
		return pool != nil && pool.contains(issuer)
	}
	return r.pins != nil && r.pins.contains(sums.of(&r.kind, issuer))
}

func (r *issuedByRule) describe(p *printer) {
	if r.certs != nil {
		p.line("issued by one of")
		p.indent++
		r.certs.get().describe(p, "CA")
		p.indent--
		return
	}
	p.line("issued by one of %d CAs, by %s", r.pins.len(), r.kind.name)
}
