package evidence

import (
	"crypto/x509"
	"time"
)

// Subject holds the parts of a certificate on which its revocation depends. [NewSubject] reads
// them once, for a certificate that is looked up often.
type Subject struct {
	serial     []byte // content of the DER INTEGER
	rawIssuer  []byte
	isCA, v3   bool
	notAfter   time.Time
	points     []distributionPoint
	pointsErr  error  // the points exist but cannot be read; for lists that depend on them
	namesDelta bool   // it names delta CRLs, even if none can be fetched
	key        []byte // SubjectPublicKeyInfo
}

// NewSubject reads a certificate. The Subject refers to it, so it must not change afterwards.
func NewSubject(cert *x509.Certificate) (Subject, error) { return newSubject(cert, true) }

// newSubject reads the distribution points only if they matter, because that takes most of its time.
func newSubject(cert *x509.Certificate, withPoints bool) (Subject, error) {
	if cert == nil || len(cert.Raw) == 0 {
		return Subject{}, ErrArgument
	}
	serial, ok := serialBytes(cert.Raw)
	if !ok {
		return Subject{}, ErrArgument
	}
	s := Subject{
		serial: serial, rawIssuer: cert.RawIssuer, isCA: cert.IsCA, v3: cert.Version == 3, notAfter: cert.NotAfter,
		namesDelta: hasExtension(cert, oidFreshestCRL), key: cert.RawSubjectPublicKeyInfo,
	}
	for i := range cert.Extensions {
		if e := &cert.Extensions[i]; withPoints && e.Id.Equal(oidDistributionPoints) {
			s.points, s.pointsErr = parseDistributionPoints(e.Value, cert.RawIssuer)
		}
	}
	return s, nil
}

// Serial returns the serial number as encoded in the certificate: the content of the INTEGER.
func (s *Subject) Serial() []byte { return s.serial }

// PointsErr returns an error if the distribution points cannot be read, and nil if they can or if
// there are none. A list that is limited to a distribution point does not cover such a
// certificate.
func (s *Subject) PointsErr() error { return s.pointsErr }
