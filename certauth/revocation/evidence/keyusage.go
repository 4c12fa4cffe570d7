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
// keyUsage, or one of their bits is set (RFC 5280, section 4.2.1.3). In crypto/x509 an
// extension without any bit looks like none.
func mayUse(cert *x509.Certificate, purposes x509.KeyUsage) bool {
	return cert.KeyUsage&purposes != 0 || !hasKeyUsage(cert)
}

func hasKeyUsage(cert *x509.Certificate) bool { return hasExtension(cert, oidKeyUsage) }

func isKeyUsage(e pkix.Extension) bool { return e.Id.Equal(oidKeyUsage) }

func hasExtension(cert *x509.Certificate, id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// MergeIssuers is own with what another certificate of the same CA says about it, or own itself
// if that changes nothing. Any other CA can write such a certificate, with whatever key usage
// and key identifier, and needs nothing for it but the public key. So a usage that one of them
// allows is allowed, and where the identifiers differ, which are hints anyway, none is compared:
// else a hostile copy would make true evidence fail.
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
		both.KeyUsage, both.Extensions = 0, slices.DeleteFunc(slices.Clone(own.Extensions), isKeyUsage)
	}
	return &both
}
