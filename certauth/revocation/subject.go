package revocation

import (
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
	return s, nil
}
