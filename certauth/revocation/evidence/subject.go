package evidence

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
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
func NewSubject(cert *x509.Certificate) (Subject, error) {
	if cert == nil || len(cert.Raw) == 0 {
		return Subject{}, ErrArgument
	}
	serial, ok := serialBytes(cert.Raw)
	if !ok {
		return Subject{}, ErrArgument
	}
	s := Subject{serial: serial, rawIssuer: cert.RawIssuer, isCA: cert.IsCA, v3: cert.Version == 3, notAfter: cert.NotAfter}
	s.namesDelta, s.key = hasExtension(cert, oidFreshestCRL), cert.RawSubjectPublicKeyInfo
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidDistributionPoints) {
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

// Audience is the set of certificates that name one distribution point. It detects a list that
// covers none of them: although such a list is validly signed, it would otherwise replace the
// right one until it expires. An Audience with 64 names is full: from then on it accepts a list
// whatever its name, and each look-up decides again. The zero value is empty. An Audience is not
// safe for concurrent use.
type Audience struct {
	names      [][sha256.Size]byte // hashes of the names of all their distribution points; the certificates are not kept
	users, cas bool
}

const maxAudienceNames = 64

func (a *Audience) isFull() bool { return len(a.names) == maxAudienceNames }

// Add adds a certificate, and reports whether that makes a difference: it is the first CA or the
// first other certificate, or one of its names is new.
func (a *Audience) Add(s *Subject) (wider bool) {
	known := &a.users
	if s.isCA {
		known = &a.cas
	}
	wider, *known = !*known, true
	for _, point := range s.points {
		for _, name := range point.names {
			if sum := sha256.Sum256(name); !a.isFull() && !slices.Contains(a.names, sum) {
				a.names, wider = append(a.names, sum), true
			}
		}
	}
	return wider
}

func (a *Audience) has(name []byte) bool { return slices.Contains(a.names, sha256.Sum256(name)) }

// ServesAny returns ErrCRLScope for a list of issuer that covers none of the certificates.
func (l *CRL) ServesAny(a *Audience, issuer *x509.Certificate) error {
	p := l.base.point
	switch {
	case p == nil:
	case p.onlyAttribute, p.onlyUser && !a.users, p.onlyCA && !a.cas:
		return fmt.Errorf("%w: for certificates of another kind than those that name it", ErrCRLScope)
	case p.hasPoint && !a.isFull() && !slices.ContainsFunc(p.names, a.has) && !p.namesCA(issuer.RawSubject):
		return fmt.Errorf("%w: of another distribution point than those of the certificates that name it", ErrCRLScope)
	}
	return nil
}
