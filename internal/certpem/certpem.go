// Package certpem reads certificates from PEM bundles that an operator maintains.
package certpem

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
)

// MaxBundle bounds the size of a bundle in bytes. The trust store of the public web takes a
// quarter of a mebibyte.
const MaxBundle = 16 << 20

var begin = []byte("-----BEGIN ")

// IsDER reports whether the content begins as a SEQUENCE in DER of more than 127 bytes, or in BER
// of indefinite length. Every certificate does, and no text does.
func IsDER(content []byte) bool {
	return len(content) > 1 && content[0] == 0x30 && content[1] >= 0x80
}

// Parse returns every certificate of the bundle. Text between the blocks is allowed, because
// openssl and trust stores write it. Everything else is an error: no certificate at all, the marks of
// a merge conflict, a block of another type, and a damaged block, which encoding/pem would skip
// silently and so shrink the set.
func Parse(bundle []byte) ([]*x509.Certificate, error) {
	if len(bundle) > MaxBundle {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(bundle), MaxBundle)
	}
	if IsDER(bundle) {
		return nil, errors.New("this is DER, want PEM (openssl x509 -inform der)")
	}
	if err := OtherText(bundle); err != nil {
		return nil, err
	}
	if err := CheckConflict(bundle); err != nil {
		return nil, err
	}
	// Count every marker, even one that does not start its line, for example after a byte order
	// mark: encoding/pem does not see that block.
	want := bytes.Count(bundle, begin)
	var certs []*x509.Certificate
	for rest := bundle; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if block.Type == "PKCS7" {
			return nil, fmt.Errorf("block %d is a %q, want CERTIFICATE (openssl pkcs7 -print_certs)", len(certs), block.Type)
		}
		if block.Type == "TRUSTED CERTIFICATE" || block.Type == "X509 CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %q, want CERTIFICATE (openssl x509 -in OLD -out NEW)", len(certs), block.Type)
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %.40q, want CERTIFICATE", len(certs), block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, unread(len(certs), block.Bytes, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) != want {
		return nil, fmt.Errorf("%d of %d blocks are readable; look for a byte order mark, text before a marker, or a missing end", len(certs), want)
	}
	if want == 0 {
		return nil, errors.New("no certificate")
	}
	return certs, nil
}

// CheckConflict returns an error if a line begins with the first or the last mark of a merge
// conflict. A mark can be longer than usual and have no label. The mark between the sides is not
// looked for, because trust stores underline names in the same way.
func CheckConflict(bundle []byte) error {
	for _, mark := range []string{"<<<<<<<", ">>>>>>>"} {
		if bytes.HasPrefix(bundle, []byte(mark)) || bytes.Contains(bundle, []byte("\n"+mark)) {
			return errors.New("it contains the marks of a merge conflict (<<<<<<<); resolve it, because otherwise both sides would be trusted")
		}
	}
	return nil
}

// unread names the block and its subject, because one certificate of a large bundle is hard to
// find.
func unread(at int, der []byte, err error) error {
	help := parsefault.Help(err)
	if help == "" {
		return fmt.Errorf("block %d is not a certificate: %s", at, logtext.Quote(err.Error()))
	}
	who := ""
	if subject := parsefault.Subject(der); subject != "" {
		who = " (" + subject + ")"
	}
	return fmt.Errorf("block %d%s cannot be read: %s: %s; remove the block, or ask the CA for a new certificate", at, who, logtext.Quote(err.Error()), help)
}

// OtherText returns an error that names the damage that settings, shells and editors do to PEM, or the other form that a
// text has. It returns nil for anything else, damaged PEM included.
func OtherText(bundle []byte) error {
	front := string(bundle[:min(len(bundle), 256)])
	switch begins := strings.TrimSpace(front); {
	case isUTF16(bundle):
		return errors.New("this is UTF-16, as Windows PowerShell writes it by > and Out-File; save it as UTF-8 or ASCII (Out-File -Encoding ascii)")
	case strings.HasPrefix(strings.ToLower(begins), "@microsoft."):
		return errors.New("this is an App Configuration or Key Vault reference that App Service has not resolved; its identity needs access to the secret, and the portal shows the status of the reference")
	case strings.HasPrefix(begins, "LS0tLS1CRUdJTi"):
		return errors.New("this is base64 of PEM; decode it first")
	case strings.HasPrefix(begins, "MII"):
		return errors.New("this is base64 without the markers of PEM; put the lines -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- around it")
	case bytes.Contains(bundle, []byte(`-----\n`)) || bytes.Contains(bundle, []byte(`-----\r\n`)):
		return errors.New(`its line ends are written as a backslash and an n, as in JSON; replace them with real line ends, also in an application setting`)
	case bytes.HasPrefix(bundle, begin) && !bytes.ContainsAny(bytes.TrimSpace(bundle), "\r\n"):
		return errors.New("it is all on one line; a setting or a variable lost the line ends: keep them, or store base64 of the PEM and decode it")
	}
	return nil
}

// isUTF16 reports whether the text begins with a byte order mark of UTF-16 or with an ASCII
// character encoded in UTF-16.
func isUTF16(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	a, b := text[0], text[1]
	return a == 0xFF && b == 0xFE || a == 0xFE && b == 0xFF || a == '-' && b == 0 || a == 0 && b == '-'
}
