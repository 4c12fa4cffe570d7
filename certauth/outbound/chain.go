package outbound

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// maxChain bounds the number of certificates that are presented.
const maxChain = 8

// chain returns the leaf and its issuers, each followed by its own issuer, as RFC 8446, section 4.4.2, requires. The
// order is determined by signatures, not by the order in the source. The root is omitted, because a peer that trusts it
// has it. An incomplete chain is no error, because the server may know the rest.
func (p *pool) chain(leaf *x509.Certificate, now time.Time) [][]byte {
	chain := [][]byte{leaf.Raw}
	for last := leaf; len(chain) < maxChain; {
		issuer := p.issuerOf(last, now)
		if issuer == nil || slices.ContainsFunc(chain, func(der []byte) bool { return bytes.Equal(der, issuer.Raw) }) {
			break
		}
		chain = append(chain, issuer.Raw)
		last = issuer
	}
	return chain
}

// issuerOf returns the valid certificate that signed this one; if there are several, the one that expires last.
func (p *pool) issuerOf(cert *x509.Certificate, now time.Time) *x509.Certificate {
	if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return nil
	}
	var best *x509.Certificate
	for _, c := range p.certs {
		switch {
		case !dn.Match(c.RawSubject, cert.RawIssuer),
			bytes.Equal(c.RawSubject, c.RawIssuer), // a root, or indistinguishable from one
			now.Before(c.NotBefore), now.After(c.NotAfter),
			best != nil && !c.NotAfter.After(best.NotAfter),
			slowToVerify(c),
			cert.CheckSignatureFrom(c) != nil:
		default:
			best = c
		}
	}
	return best
}

// maxIssuerBits bounds the RSA keys with which signatures are verified.
const maxIssuerBits = 16384

// slowToVerify reports whether verifying a signature of this certificate could take minutes: the work grows with the
// square of an RSA modulus, and a file has room for millions of bits.
func slowToVerify(cert *x509.Certificate) bool {
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() > maxIssuerBits
}
