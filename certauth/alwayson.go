package certauth

import (
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

const (
	// maxCertificates bounds leaf and chain together.
	maxCertificates = 10
	// maxCertificateSize bounds the DER of one certificate, in bytes.
	maxCertificateSize = 16 << 10
)

// usable returns the leaf and what can be a CA above it. The leaf must be perfect. What is
// sent along with it and cannot be used, an old version, a weak or unknown key, is left out:
// clients send what their stores hold, roots of the nineties included. Copies of the leaf are
// left out as well. Sizes hold for all. at is the place of what is wrong.
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

// checkForm holds for every leaf, and for every CA that was sent along.
func checkForm(cert *x509.Certificate) error {
	const fine = "the header is fine; the certificate has to be issued anew"
	switch {
	case cert.Version == 0: // a source handed it on unread
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
		if keycheck.IsPSS(cert) {
			err = errors.New("public key for RSA-PSS alone (id-RSASSA-PSS) is not supported")
		}
		if mldsa.OfKey(cert.RawSubjectPublicKeyInfo) != "" && !mldsa.IsKey(cert.PublicKey) {
			return &formError{err, mldsa.Help}
		}
		return &formError{err, fine + " with a key that is supported: RSA of 2048 to 8192 bits (rsaEncryption), P-256, P-384, P-521, Ed25519 or ML-DSA"}
	}
	return nil
}

// formError is what is wrong with a certificate whatever the policy, and what helps.
type formError struct {
	err  error
	hint string
}

func (e *formError) Error() string { return e.err.Error() }

// unread says why crypto/x509 did not read a certificate that is framed as one.
func unread(cert *x509.Certificate) error {
	_, err := x509.ParseCertificate(cert.Raw)
	if err == nil {
		return errors.New("not parsed")
	}
	return &formError{
		errors.New("the certificate cannot be read: " + quote(err.Error())),
		"the header is fine, the certificate in it has to be issued anew: " + cmp.Or(parsefault.Help(err), "openssl x509 -text shows what is in it"),
	}
}

// checkUnchained is what holds under a pin, where no chain is verified, beside the dates.
// path is the rule's; where serverAuth is not empty, that usage is as good as clientAuth.
func checkUnchained(path string, f *facts, serverAuth string) *Error {
	if f.fault != noFault {
		return f.fault.refusal(path, "the leaf", f.leaf, ReasonExtensionNotAllowed)
	}
	if !inExtendedUsage(f.leaf, serverAuth != "") {
		return wrongExtendedUsage(path, "the leaf", f.leaf, serverAuth)
	}
	return nil
}

// unhandledExtensions returns the critical extensions of a leaf that nobody has processed.
// To crypto/x509, alternative names that hold none of its four types are one; user principal
// names, which rules read here, are not.
func unhandledExtensions(leaf *x509.Certificate) []asn1.ObjectIdentifier {
	unhandled := leaf.UnhandledCriticalExtensions
	at := slices.IndexFunc(unhandled, oidSubjectAltName.Equal)
	if at < 0 {
		return unhandled
	}
	if names, err := san.Of(leaf); err != nil || len(names.UPNs) == 0 || names.Fault(san.OtherName) != nil {
		return unhandled
	}
	return slices.Delete(slices.Clone(unhandled), at, at+1)
}

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// checkLeafDates is checkDates for the leaf.
func checkLeafDates(path string, e *evaluation, skew time.Duration) *Error {
	if skew == 0 && !e.now.Before(e.facts.notBefore) && !e.now.After(e.facts.notAfter) {
		return nil
	}
	return checkDates(path, "the leaf", e.facts.leaf, e.now, skew)
}

// outside reports whether the certificate is not within its validity, the skew allowed.
func outside(cert *x509.Certificate, now time.Time, skew time.Duration) bool {
	return now.Add(skew).Before(cert.NotBefore) || now.Add(-skew).After(cert.NotAfter)
}

// checkDates judges one certificate. Both ends belong to the validity (RFC 5280,
// section 4.1.2.5).
func checkDates(path, who string, cert *x509.Certificate, now time.Time, skew time.Duration) *Error {
	early, late := now, now
	if skew > 0 {
		early, late = now.Add(skew), now.Add(-skew)
	}
	if early.Before(cert.NotBefore) {
		return refusal(ReasonCertificateNotYetValid, path, "%s is valid from %s, now is %s", who, stamp(cert.NotBefore), stamp(now))
	}
	if late.After(cert.NotAfter) {
		return refusal(ReasonCertificateExpired, path, "%s was valid until %s, now is %s", who, stamp(cert.NotAfter), stamp(now))
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// usages names a certificate's extended key usages for a log.
func usages(cert *x509.Certificate) string {
	const most = 4
	var names []string
	for i, usage := range cert.ExtKeyUsage {
		if i == most {
			break
		}
		names = append(names, usage.String())
	}
	for i, usage := range cert.UnknownExtKeyUsage {
		if i == most {
			break
		}
		names = append(names, usage.String())
	}
	if len(names) == 0 {
		return "none"
	}
	return clip(strings.Join(names, ", "), logtext.MaxQuoted)
}
