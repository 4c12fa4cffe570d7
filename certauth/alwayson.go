package certauth

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
)

const (
	// maxCertificates bounds the number of certificates, leaf included.
	maxCertificates = chainsearch.MaxCertificates
	// maxCertificateSize bounds the DER of one certificate, in bytes.
	maxCertificateSize = 16 << 10
)

// usable returns the leaf and the certificates that can be CAs above it. A leaf that cannot be used
// is an error. Other certificates that cannot be used, because of an old version or a weak or unknown
// key, are dropped, because clients send everything in their stores, including roots of the nineties.
// Copies of the leaf are dropped too. The limits on sizes apply to all certificates. at is the index
// of the certificate with the error.
func usable(presented []*x509.Certificate) (kept []*x509.Certificate, at int, err error) {
	for i, cert := range presented {
		if err := checkSize(cert); err != nil {
			return nil, i, err
		}
		switch err := checkForm(cert); {
		case err != nil && i == 0:
			return nil, i, err
		case err == nil && (i == 0 || !cert.Equal(presented[0])):
			kept = append(kept, cert)
		}
	}
	return kept, 0, nil
}

func checkSize(cert *x509.Certificate) error {
	switch {
	case cert == nil || len(cert.Raw) == 0:
		return errors.New("nil or not parsed")
	case len(cert.Raw) > maxCertificateSize:
		return fmt.Errorf("%d bytes, want at most %d", len(cert.Raw), maxCertificateSize)
	}
	return nil
}

// checkForm applies to every leaf, and to every CA that was sent along.
func checkForm(cert *x509.Certificate) error {
	const fine = "the header is correct; ask the CA for a new certificate"
	switch {
	case cert.Version == 0: // a source passed it on unparsed
		return unread(cert)
	case cert.Version != 3:
		return &formError{
			fmt.Errorf("X.509 version %d, want 3", cert.Version),
			fine + " with extensions, which make it version 3: plain openssl x509 -req makes version 1, so add -extfile with extendedKeyUsage=clientAuth",
		}
	case cert.SerialNumber == nil || cert.SerialNumber.Sign() <= 0:
		return &formError{errors.New("serial number is not positive"), fine + " with a positive serial number (RFC 5280, section 4.1.2.2)"}
	}
	if err := keycheck.Check(cert); err != nil {
		if mldsa.OfKey(cert.RawSubjectPublicKeyInfo) != "" && !mldsa.IsKey(cert.PublicKey) {
			return &formError{err, mldsa.Help}
		}
		return &formError{err, fine + " with a key that is supported: RSA of 2048 to 8192 bits (rsaEncryption), P-256, P-384, P-521, Ed25519 or ML-DSA"}
	}
	return nil
}

// formError is a fault of a certificate that is independent of the policy, with its remedy.
type formError struct {
	err  error
	hint string
}

func (e *formError) Error() string { return e.err.Error() }

// unread says why crypto/x509 could not read a certificate that is framed as one.
func unread(cert *x509.Certificate) error {
	_, err := x509.ParseCertificate(cert.Raw)
	if err == nil {
		return errors.New("not parsed")
	}
	return &formError{
		errors.New("the certificate cannot be read: " + quote(err.Error())),
		"the header is correct; ask the CA for a new certificate: " + cmp.Or(parsefault.Help(err), "openssl x509 -text shows its contents"),
	}
}

// checkUnchained makes the checks, apart from dates, under a pin, where no chain is verified.
// path is the rule's; if serverAuth is not empty, that usage is equivalent to clientAuth.
func checkUnchained(path string, f *facts, serverAuth string) *Error {
	if f.fault != certcheck.NoFault {
		refused := refusalOf(path, f.fault.Refusal("the leaf", f.leaf))
		if f.fault.IsOfExtension() {
			refused.Reason = ReasonExtensionNotAllowed
		}
		return refused
	}
	if !f.forClients && (serverAuth == "" || !f.forServers) {
		return refusalOf(path, certcheck.NotForClients("the leaf", f.leaf, serverAuth != ""))
	}
	return nil
}

// checkLeafDates refuses a leaf that is outside its validity.
func checkLeafDates(path string, e *evaluation, skew time.Duration) *Error {
	if skew == 0 && !e.now.Before(e.facts.notBefore) && !e.now.After(e.facts.notAfter) {
		return nil
	}
	if refused := certcheck.Dates("the leaf", e.facts.leaf, e.now, skew); refused != nil {
		return refusalOf(path, refused)
	}
	return nil
}
