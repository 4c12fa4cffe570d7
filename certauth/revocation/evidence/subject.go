package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"time"
)

// Subject holds the parts of a certificate that its revocation depends on. [NewSubject] reads it once, for
// a certificate that is looked up often.
type Subject struct {
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

// NewSubject reads a certificate, which must not change: the Subject refers to it.
func NewSubject(cert *x509.Certificate) (Subject, error) {
	if cert == nil || len(cert.Raw) == 0 {
		return Subject{}, ErrArgument
	}
	serial, ok := serialBytes(cert.Raw)
	if !ok {
		return Subject{}, ErrArgument
	}
	s := Subject{serial: serial, rawIssuer: cert.RawIssuer, isCA: cert.IsCA, v3: cert.Version == 3, notAfter: cert.NotAfter}
	s.points, s.pointsErr = distributionPoints(cert)
	s.namesDelta, s.key = hasExtension(cert, oidFreshestCRL), keySum(cert)
	return s, nil
}

// Serial is the serial number as the certificate has it: the content of the INTEGER.
func (s *Subject) Serial() []byte { return s.serial }

// PointsErr says why the distribution points cannot be read, nil if they can be or there are
// none. No list that is limited to a distribution point answers for such a certificate.
func (s *Subject) PointsErr() error { return s.pointsErr }

// keySum identifies a certificate's key.
func keySum(cert *x509.Certificate) [sha256.Size]byte {
	return sha256.Sum256(cert.RawSubjectPublicKeyInfo)
}

// isWitness reports whether a list that by has signed for the issuer is signed by the
// certificate's own key.
func (s *Subject) isWitness(by, issuer [sha256.Size]byte) bool { return by == s.key && by != issuer }
