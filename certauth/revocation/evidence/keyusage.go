package evidence

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
)

var oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}

// mayUse reports whether the certificate's key may be used for one of the purposes: it has no
// keyUsage extension, or one of their bits is set (RFC 5280, section 4.2.1.3). crypto/x509 does
// not distinguish an extension without bits from an absent one.
func mayUse(cert *x509.Certificate, purposes x509.KeyUsage) bool {
	return cert.KeyUsage&purposes != 0 || !hasKeyUsage(cert)
}

func hasKeyUsage(cert *x509.Certificate) bool { return hasExtension(cert, oidKeyUsage) }

func hasExtension(cert *x509.Certificate, id asn1.ObjectIdentifier) bool {
	_, has := find(cert.Extensions, id)
	return has
}

// MergeIssuers returns own with the permissions that another certificate of the same CA adds, or
// own itself if there are none. Any other CA can make such a certificate, with any key usage and
// key identifier, because it needs only the public key. Therefore a usage that one of them allows
// is allowed, and if the identifiers, which are only hints, differ, they are ignored. Otherwise a
// hostile copy would make genuine evidence fail.
func MergeIssuers(own, other *x509.Certificate) *x509.Certificate {
	usage, id := own.KeyUsage|other.KeyUsage, own.SubjectKeyId
	limited := hasKeyUsage(own)
	lifts := limited && !hasKeyUsage(other) // no extension, no limit
	if !bytes.Equal(id, other.SubjectKeyId) {
		id = nil
	}
	if (!limited || usage == own.KeyUsage && !lifts) && len(id) == len(own.SubjectKeyId) {
		return own
	}
	both := *own
	both.SubjectKeyId = id
	if limited {
		both.KeyUsage = usage
	}
	if lifts {
		isLimit := func(e pkix.Extension) bool { return e.Id.Equal(oidKeyUsage) }
		both.KeyUsage, both.Extensions = 0, slices.DeleteFunc(slices.Clone(own.Extensions), isLimit)
	}
	return &both
}
