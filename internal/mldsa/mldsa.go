// Package mldsa determines what crypto/x509 of the current Go release knows about ML-DSA, the
// signature scheme of FIPS 204, in certificates (RFC 9881). Go 1.27 is the first release that
// reads such keys and checks such signatures.
package mldsa

import (
	"bytes"
	"fmt"
	"runtime"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

// Help is the advice for an operator if this program cannot use a certificate or a signature with
// ML-DSA. FIPS 140-3 modules before v1.26.0 have no ML-DSA.
const Help = "the service has to be built with Go 1.27 or later, and with v1.26.0 or later where GOFIPS140 is set; nothing is wrong with the certificate"

// identifiers are the OBJECT IDENTIFIERs of RFC 9881, section 2, in DER:
// 2.16.840.1.101.3.4.3.17 to 19. Both the key and the signature have them.
var identifiers = [...]struct {
	name string
	oid  []byte
}{
	{"ML-DSA-44", []byte("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11")},
	{"ML-DSA-65", []byte("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12")},
	{"ML-DSA-87", []byte("\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13")},
}

// OfKey returns the name of the parameter set of an ML-DSA SubjectPublicKeyInfo, and "" for every
// other key.
func OfKey(spki []byte) string {
	key, _, ok := der.Read(spki)
	if !ok {
		return ""
	}
	return named(key.Content)
}

// OfSignature returns the name of the parameter set in the signature algorithm of a certificate
// in DER, and "" for every other algorithm.
func OfSignature(certificate []byte) string {
	whole, _, ok := der.Read(certificate)
	if !ok {
		return ""
	}
	_, behind, ok := der.Read(whole.Content)
	if !ok {
		return ""
	}
	return named(behind)
}

// named reads the AlgorithmIdentifier at the start.
func named(input []byte) string {
	algorithm, _, ok := der.Read(input)
	if !ok {
		return ""
	}
	for _, one := range identifiers {
		if bytes.HasPrefix(algorithm.Content, one.oid) {
			return one.name
		}
	}
	return ""
}

// Unsupported returns the error for a key or a signature with the named parameter set that this
// program cannot use.
func Unsupported(what, name string) error {
	return fmt.Errorf("%s %s (FIPS 204): not supported by this program, which was built with %s; Go 1.27 and later support it", what, name, runtime.Version())
}
