package revocation

import (
	"crypto/x509"
	"encoding/asn1"
	"time"
)

var oidNoRevAvail = asn1.ObjectIdentifier{2, 5, 29, 56}

// exemption says why a certificate needs no evidence, "" if it does.
//
// noRevAvail (RFC 9608) counts on end-entity certificates without pointers alone. On a CA
// certificate, or beside pointers, it contradicts the rest of the certificate, and
// evidence is asked for as if it were not there. A must-staple extension and ocsp-nocheck
// say nothing about a client.
func exemption(cert *x509.Certificate, pointers bool, shortLived time.Duration) string {
	if shortLived > 0 && !cert.IsCA && cert.NotAfter.Sub(cert.NotBefore) <= shortLived {
		return "short-lived"
	}
	if cert.IsCA || pointers {
		return ""
	}
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidNoRevAvail) {
			return "noRevAvail"
		}
	}
	return ""
}
