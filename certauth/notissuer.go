package certauth

import (
	"crypto/x509"
	"slices"
)

// notIssuerRule is an IssuerName under an odd number of Not. It refuses the issuer of the leaf at its
// place, and the CAs above it when all chains of the path are known.
type notIssuerRule struct {
	*dnRule

	notPath string
}

func (r *notIssuerRule) judge(e *evaluation) *Error {
	e.path.note(r)
	have := r.kind.of(e.facts)
	switch {
	case have.err != nil:
		return r.unreadable(have)
	case r.lists(have):
		return e.refuse(excludedAt(r.notPath), false)
	case !r.differs(have):
		return e.refuse(r, false)
	}
	return nil
}

// excludedAt is the path of a Not that excludes a CA, and whose refusal can be stated later.
type excludedAt string

func (path excludedAt) refusal(*evaluation) *Error { return excludedCA(string(path)) }

// excludedCA is the refusal of a certificate by an excluded CA, which can write any name.
func excludedCA(path string) *Error {
	refused := excluded(path)
	refused.deniedCA = true
	return refused
}

// refusal is that of an issuer that may be an excluded one.
func (r *notIssuerRule) refusal(e *evaluation) *Error {
	refused := r.dnRule.refusal(e)
	refused.deniedCA = true
	return refused
}

func (r *notIssuerRule) stage() stage { return stageVerified }

func (r *notIssuerRule) settle(_ *evaluation, p *policyPath) *Error {
	var seen []*x509.Certificate
	for chain := range p.proven() {
		for i := 1; i < len(chain.certs)-1; i++ { // the root has no issuer in the chain
			ca := chain.certs[i]
			if slices.Contains(seen, ca) {
				continue
			}
			seen = append(seen, ca)
			issuer := issuerOf(&chain.ca(i).issuer, ca)
			if issuer.err != nil || !r.differs(issuer) {
				return excludedCA(r.notPath)
			}
		}
	}
	return nil
}

func (r *notIssuerRule) describe(p *printer) { p.group("not", []rule{r.dnRule}) }
