package chainsearch

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"sync"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// candidate is a CA certificate that can be part of a chain, or the leaf.
type candidate struct {
	cert         *x509.Certificate
	name, issuer string          // keys of subject and issuer
	fault        certcheck.Fault // the reason that it may not issue, or NoFault

	// Whether one CA has signed another does not depend on the leaf, so configured CAs remember it. This
	// depends only on the bytes of both, and stays true when the configured CAs are replaced.
	signed sync.Map // by the key of a configured CA: whether it has signed this one

	arrived bool              // with the request
	signer  *x509.Certificate // of one that has arrived: a CA whose key has signed it, or nil if none is known
}

func newCandidate(cert *x509.Certificate) *candidate {
	return &candidate{cert: cert, name: nameKey(cert.RawSubject), issuer: nameKey(cert.RawIssuer), fault: certcheck.FaultOfCA(cert)}
}

// nameKey returns the key of a distinguished name in DER: two names have the same key only if they
// are equal by RFC 5280, section 7.1. A name that cannot be parsed, or is too long, equals only itself.
func nameKey(der []byte) string {
	folded, err := dn.Fold(der)
	if err != nil {
		sum := sha256.Sum256(der)
		return "=" + string(sum[:])
	}
	return "~" + folded
}

// signedBy reports whether a CA's key has signed this one.
func (c *candidate) signedBy(ca *candidate) bool {
	key := string(ca.cert.RawSubjectPublicKeyInfo)
	if known, ok := c.signed.Load(key); ok && !ca.arrived {
		signed, _ := known.(bool)
		return signed
	}
	signed := c.verify(ca.cert) == nil
	if !ca.arrived {
		c.signed.Store(key, signed)
	}
	return signed
}

var errOtherAlgorithm = errors.New("another algorithm, or one that is not accepted")

// verify verifies the signature. It leaves open whether the CA may issue certificates.
func (c *candidate) verify(ca *x509.Certificate) error {
	if !certcheck.CanHaveSigned(ca, c.cert) {
		return errOtherAlgorithm
	}
	return ca.CheckSignature(c.cert.SignatureAlgorithm, c.cert.RawTBSCertificate, c.cert.Signature)
}

// isTwin reports whether two candidates have the same name and key. They do not occur in one chain.
func (c *candidate) isTwin(other *candidate) bool {
	return c.name == other.name && haveSameKey(c.cert, other.cert)
}

func haveSameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}
