package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"time"
)

// subject is what of a certificate its revocation depends on. It is made once for a
// certificate and asked about on every request.
type subject struct {
	serial    []byte // content of the INTEGER, as DER has it
	rawIssuer []byte
	isCA, v3  bool
	notAfter  time.Time
	points    []distributionPoint
	pointsErr error // the points are there and cannot be read; for lists that depend on them
	// namesDelta: it says that delta CRLs are somewhere, whether or not they can be fetched.
	namesDelta bool
	key        [sha256.Size]byte // keySum of the certificate
}

// newSubject refers to cert, which must not change.
func newSubject(cert *x509.Certificate) (subject, error) {
	if cert == nil || len(cert.Raw) == 0 {
		return subject{}, ErrArgument
	}
	serial, ok := serialBytes(cert.Raw)
	if !ok {
		return subject{}, ErrArgument
	}
	s := subject{serial: serial, rawIssuer: cert.RawIssuer, isCA: cert.IsCA, v3: cert.Version == 3, notAfter: cert.NotAfter}
	s.points, s.pointsErr = distributionPoints(cert)
	s.namesDelta, s.key = hasExtension(cert, oidFreshestCRL), keySum(cert)
	return s, nil
}

// keySum stands for a certificate's key.
func keySum(cert *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}

// isWitness reports whether a list that by has signed for the issuer is signed by the
// certificate's own key.
func (s *subject) isWitness(by, issuer [sha256.Size]byte) bool { return by == s.key && by != issuer }
