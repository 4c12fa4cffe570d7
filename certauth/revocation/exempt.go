package revocation

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"
)

var oidNoRevAvail = asn1.ObjectIdentifier{2, 5, 29, 56}

// exemption returns why a certificate needs no evidence, or "".
//
// noRevAvail (RFC 9608) counts only on end-entity certificates that name no source. On a CA
// certificate, or together with a source, it contradicts the rest of the certificate and is
// ignored. must-staple and ocsp-nocheck say nothing about a client.
func exemption(cert *x509.Certificate, pointers bool, shortLived time.Duration) string {
	if shortLived > 0 && !cert.IsCA && cert.NotAfter.Sub(cert.NotBefore) <= shortLived {
		return "short-lived"
	}
	isNoRevAvail := func(e pkix.Extension) bool { return e.Id.Equal(oidNoRevAvail) }
	if !cert.IsCA && !pointers && slices.ContainsFunc(cert.Extensions, isNoRevAvail) {
		return "noRevAvail"
	}
	return ""
}
