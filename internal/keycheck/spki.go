package keycheck

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"

	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// maxUsualKey is sufficient for the SubjectPublicKeyInfo of an RSA-4096 key.
const maxUsualKey = 600

// The SubjectPublicKeyInfo of RFC 5480 and RFC 8410 up to the key itself, whose length depends on
// the curve.
const (
	spkiP256    = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
	spkiP384    = "\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"
	spkiP521    = "\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00"
	spkiEd25519 = "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"
	// algorithmRSA is rsaEncryption with NULL, RFC 3279, section 2.3.1.
	algorithmRSA = "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
)

// appendSPKI appends the result of x509.MarshalPKIXPublicKey. It is called for every new
// certificate, and encoding/asn1 would take as long as parsing the whole certificate.
func appendSPKI(to []byte, public crypto.PublicKey) ([]byte, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return appendRSA(to, key), nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return nil, err
		}
		switch key.Curve {
		case elliptic.P256():
			to = append(to, spkiP256...)
		case elliptic.P384():
			to = append(to, spkiP384...)
		case elliptic.P521():
			to = append(to, spkiP521...)
		default:
			return nil, errors.New("curve is not supported")
		}
		return append(to, point...), nil
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return nil, errors.New("not an Ed25519 key")
		}
		return append(append(to, spkiEd25519...), key...), nil
	}
	if mldsa.IsKey(public) {
		spki, err := x509.MarshalPKIXPublicKey(public)
		return append(to, spki...), err
	}
	return nil, errors.New("key is not supported")
}

func appendRSA(to []byte, key *rsa.PublicKey) []byte {
	modulus, exponent := key.N.Bytes(), big.NewInt(int64(key.E)).Bytes()
	integers := integerSize(modulus) + integerSize(exponent)
	bits := 1 + headerSize(integers) + integers
	all := len(algorithmRSA) + headerSize(bits) + bits
	to = appendHeader(to, 0x30, all)
	to = append(to, algorithmRSA...)
	to = append(appendHeader(to, 0x03, bits), 0)
	to = appendHeader(to, 0x30, integers)
	return appendInteger(appendInteger(to, modulus), exponent)
}

// integerSize returns the size of a positive INTEGER, including its header.
func integerSize(magnitude []byte) int {
	n := len(magnitude) + signOctet(magnitude)
	return headerSize(n) + n
}

func signOctet(magnitude []byte) int {
	if len(magnitude) == 0 || magnitude[0]&0x80 != 0 {
		return 1
	}
	return 0
}

func appendInteger(to, magnitude []byte) []byte {
	to = appendHeader(to, 0x02, len(magnitude)+signOctet(magnitude))
	if signOctet(magnitude) > 0 {
		to = append(to, 0)
	}
	return append(to, magnitude...)
}

func headerSize(n int) int {
	switch {
	case n < 0x80:
		return 2
	case n < 0x100:
		return 3
	}
	return 4
}

// appendHeader appends tag and length. No length here is near 64 KiB.
func appendHeader(to []byte, tag byte, n int) []byte {
	switch headerSize(n) {
	case 2:
		return append(to, tag, byte(n&0xFF))
	case 3:
		return append(to, tag, 0x81, byte(n&0xFF))
	}
	return append(to, tag, 0x82, byte(n>>8&0xFF), byte(n&0xFF))
}
