package certauth

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// Keys restricts the public keys that a leaf may have, in addition to the restrictions that
// always apply (see [Policy]). At least one field must be set.
type Keys struct {
	// Algorithms lists the permitted algorithms: x509.RSA, x509.ECDSA, x509.Ed25519, and
	// x509.MLDSA in programs built with Go 1.27 or later. Empty permits all of them.
	Algorithms []x509.PublicKeyAlgorithm

	// MinRSABits is the minimum size of an RSA modulus, 2048 to 8192. 0 means 2048.
	MinRSABits int

	// MinECBits is the minimum size of the curve of an ECDSA key: 256, 384 or 521. 0 means 256. It
	// does not concern Ed25519, whose curve has 255 bits; to refuse that, list the others in
	// Algorithms.
	MinECBits int
}

func (p Keys) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Keys"
	c.forbidUnderNot(path, at)
	if len(p.Algorithms) == 0 && p.MinRSABits == 0 && p.MinECBits == 0 {
		c.mistake(path, "empty")
	}
	known := []x509.PublicKeyAlgorithm{x509.RSA, x509.ECDSA, x509.Ed25519}
	if mldsa.Key != x509.UnknownPublicKeyAlgorithm {
		known = append(known, mldsa.Key)
	}
	for i, algorithm := range p.Algorithms {
		if !slices.Contains(known, algorithm) {
			c.mistake(fmt.Sprintf("%s.Algorithms[%d]", path, i), "%s, want RSA, ECDSA, Ed25519 or, from Go 1.27 on, MLDSA", algorithm)
		}
	}
	if p.MinRSABits != 0 && (p.MinRSABits < 2048 || p.MinRSABits > 8192) {
		c.mistake(path+".MinRSABits", "%d, want 2048 to 8192", p.MinRSABits)
	}
	if p.MinECBits != 0 && !slices.Contains([]int{256, 384, 521}, p.MinECBits) {
		c.mistake(path+".MinECBits", "%d, want 256, 384 or 521", p.MinECBits)
	}
	p.Algorithms = slices.Clone(p.Algorithms)
	return &keysRule{path: path, Keys: p}, at.standing
}

type keysRule struct {
	path string
	Keys
}

func (r *keysRule) judge(e *evaluation) *Error {
	leaf := e.facts.leaf
	if len(r.Algorithms) > 0 && !slices.Contains(r.Algorithms, leaf.PublicKeyAlgorithm) {
		return refusal(ReasonKeyNotAllowed, r.path, "public key algorithm %s", leaf.PublicKeyAlgorithm)
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < r.MinRSABits {
			return refusal(ReasonKeyNotAllowed, r.path, "RSA key of %d bits, want at least %d", bits, r.MinRSABits)
		}
	case *ecdsa.PublicKey:
		if bits := key.Params().BitSize; bits < r.MinECBits {
			return refusal(ReasonKeyNotAllowed, r.path, "curve of %d bits, want at least %d", bits, r.MinECBits)
		}
	}
	return nil
}

func (r *keysRule) describe(p *printer) {
	parts := stringsOf(r.Algorithms)
	if r.MinRSABits > 0 {
		parts = append(parts, fmt.Sprintf("RSA from %d bits", r.MinRSABits))
	}
	if r.MinECBits > 0 {
		parts = append(parts, fmt.Sprintf("ECDSA curves from %d bits", r.MinECBits))
	}
	p.line("keys: %s", strings.Join(parts, ", "))
}
