package certauthtest

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"
)

// forgeries derives the certificates of the table from the genuine one. Each is made once.
type forgeries struct {
	tb      TB
	genuine *Certificate
	issuer  *CA   // issuer of the genuine one, with its key; may be nil
	with    []*CA // certificates that the client sends along
	made    map[string]*x509.Certificate
	other   *CA // a CA that imitates the issuer
}

// The extensions in which forged certificates differ from the genuine one.
var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// certificateNames holds the certificates that a row can name. The value is true if the issuer's
// key is needed.
var certificateNames = map[string]bool{
	"genuine": false, "other": false, "issuer": false, "selfsigned": false, "lookalike": false, "lookalikeca": false, "resigned": false, "resignedca": false, "samekey": false,
	"expired": true, "notyet": true, "serveronly": true, "cacertificate": true,
}

// certificate returns the certificate with that name, or nil if it cannot be made here.
func (f *forgeries) certificate(name string) *x509.Certificate {
	f.tb.Helper()
	cert, ok := f.made[name]
	if !ok {
		cert = f.forge(name)
		f.made[name] = cert
	}
	return cert
}

func (f *forgeries) forge(name string) *x509.Certificate {
	f.tb.Helper()
	if certificateNames[name] && f.issuer == nil {
		return nil
	}
	now := time.Now()
	switch name {
	case "genuine":
		return f.genuine.Certificate
	case "issuer":
		return f.issuing()
	case "resignedca": // the issuer's name and key, certified by another CA
		issuer := f.issuing()
		if issuer == nil {
			return nil
		}
		other := NewCA(f.tb, "Somebody Else")
		return f.signedBy(other, templateOf(issuer, oidAuthorityKeyID), issuer.PublicKey)
	case "selfsigned": // the genuine names, without an issuer
		template, key := f.copied(oidSubjectKeyID, oidAuthorityKeyID), newKey(f.tb)
		return sign(f.tb, template, template, key.Public(), key)
	case "lookalikeca":
		return f.lookalike().Certificate
	case "lookalike": // from a CA that has the name of the genuine one
		return f.signedBy(f.lookalike(), f.copied(oidSubjectKeyID, oidAuthorityKeyID), newKey(f.tb).Public())
	case "resigned": // all fields equal, including serial number and key identifiers, except key and signature
		template := f.copied()
		template.SerialNumber = f.genuine.SerialNumber
		return f.signedBy(f.lookalike(), template, newKey(f.tb).Public())
	case "samekey": // the same key and fields with another signature
		template := f.copied()
		template.SerialNumber = f.genuine.SerialNumber
		return f.signedBy(f.lookalike(), template, f.genuine.PublicKey)
	}
	template := f.copied()
	switch name {
	case "expired":
		template.NotBefore, template.NotAfter = now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1)
	case "notyet":
		template.NotBefore, template.NotAfter = now.AddDate(0, 0, 1), now.AddDate(1, 0, 0)
	case "serveronly":
		template = f.copied(oidExtKeyUsage)
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	case "cacertificate":
		template = f.copied(oidKeyUsage, oidBasicConstraints, oidExtKeyUsage)
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	default:
		f.tb.Fatalf("certauthtest: forged.json: certificate %q is not known", name)
	}
	return f.signedBy(f.issuer, template, newKey(f.tb).Public())
}

// issuing returns the certificate of the genuine issuer, if it is known.
func (f *forgeries) issuing() *x509.Certificate {
	switch {
	case f.issuer != nil:
		return f.issuer.Certificate
	case len(f.with) > 0:
		return f.with[0].Certificate
	}
	return nil
}

// copied returns a template with the genuine certificate's names and extensions, except those
// listed.
func (f *forgeries) copied(without ...asn1.ObjectIdentifier) *x509.Certificate {
	f.tb.Helper()
	template := templateOf(f.genuine.Certificate, without...)
	template.SerialNumber = serial(f.tb)
	return template
}

// templateOf returns a template for a copy, without some of the extensions.
func templateOf(from *x509.Certificate, without ...asn1.ObjectIdentifier) *x509.Certificate {
	template := &x509.Certificate{
		SerialNumber: from.SerialNumber, Subject: from.Subject, RawSubject: from.RawSubject,
		NotBefore: from.NotBefore, NotAfter: from.NotAfter,
	}
	template.ExtraExtensions = slices.DeleteFunc(slices.Clone(from.Extensions), func(x pkix.Extension) bool {
		return slices.ContainsFunc(without, x.Id.Equal)
	})
	return template
}

// lookalike returns a CA with the name and key identifier of the genuine issuer and another key.
func (f *forgeries) lookalike() *CA {
	f.tb.Helper()
	if f.other == nil {
		template, key := caTemplate(f.tb, "", nil), newKey(f.tb)
		template.Subject, template.RawSubject, template.SubjectKeyId = f.genuine.Issuer, f.genuine.RawIssuer, f.genuine.AuthorityKeyId
		f.other = &CA{Certificate: sign(f.tb, template, template, key.Public(), key), key: key}
	}
	return f.other
}

func (f *forgeries) signedBy(ca *CA, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	f.tb.Helper()
	return sign(f.tb, template, ca.Certificate, public, ca.key)
}
