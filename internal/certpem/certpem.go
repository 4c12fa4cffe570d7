// Package certpem reads certificates from PEM bundles that an operator maintains.
package certpem

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// MaxBundle bounds the size of a bundle in bytes. The public web's whole trust store
// is a quarter of a mebibyte.
const MaxBundle = 16 << 20

var begin = []byte("-----BEGIN ")

// IsDER reports whether the bytes begin as DER of more than 127 bytes, which every certificate
// is and no text.
func IsDER(content []byte) bool {
	return len(content) > 1 && content[0] == 0x30 && content[1] >= 0x80
}

// Parse returns every certificate of the bundle. Text between the blocks is allowed,
// as openssl and trust stores write it; anything else is an error: no certificate at
// all, a block of another type, and above all a damaged block, which encoding/pem
// would skip in silence and so shrink the set.
func Parse(bundle []byte) ([]*x509.Certificate, error) {
	if len(bundle) > MaxBundle {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(bundle), MaxBundle)
	}
	if IsDER(bundle) {
		return nil, errors.New("this is DER, want PEM (openssl x509 -inform der)")
	}
	// Every marker counts, also one that does not start its line, as behind a byte order
	// mark: encoding/pem does not see that block.
	want := bytes.Count(bundle, begin)
	var certs []*x509.Certificate
	for rest := bundle; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %.40q, want CERTIFICATE", len(certs), block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d is not a certificate", len(certs))
		}
		certs = append(certs, cert)
	}
	if len(certs) != want {
		return nil, fmt.Errorf("%d of %d blocks are readable; is there a byte order mark or text in front of a marker?", len(certs), want)
	}
	if want == 0 {
		return nil, errors.New("no certificate")
	}
	return certs, nil
}
