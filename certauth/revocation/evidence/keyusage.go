package revocation

import (
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
