package outbound

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certpem"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
)

// pool holds the contents of a source. The order does not matter: any key may belong to any certificate.
type pool struct {
	certs []*x509.Certificate
	keys  []ownedKey
	// failures has an error for each piece that could not be used.
	failures []*Error
}

// ownedKey is a private key and the place where it was found.
type ownedKey struct {
	crypto.Signer
	where   string
	exposed bool
}

// Limits for the contents of a source. Browsers trust about 150 roots.
const (
	maxCertificates = 1024
	maxKeys         = 256

	// maxKey bounds one private key in bytes of DER. The longest that is presented, RSA of 8192 bits, has less than 5000.
	// Checking an RSA key takes the third power of its length: minutes for the megabyte that a file may have.
	maxKey = 8 << 10
)

// decodeAll reads all pieces. It returns an error if the source is unusable whatever is selected.
func decodeAll(ctx context.Context, blobs []blob, password string) (*pool, error) {
	p := &pool{}
	for i := range blobs {
		if err := ctx.Err(); err != nil { // the caller no longer waits
			return nil, fail(ReasonSourceUnavailable, "%w", err)
		}
		b := &blobs[i]
		err := b.err
		if err == nil {
			err = p.add(b, password)
		}
		if err != nil {
			p.failures = append(p.failures, asError(err, ReasonMalformed))
		}
		if len(p.certs) > maxCertificates || len(p.keys) > maxKeys {
			return nil, malformed(tooMuch, "more than %d certificates or %d keys", maxCertificates, maxKeys)
		}
	}
	return p, nil
}

// add decodes one piece.
func (p *pool) add(b *blob, password string) error {
	certs, keys, err := decode(b, password)
	if err != nil {
		e := asError(err, ReasonMalformed)
		return &Error{Reason: e.Reason, Hint: e.Hint, Err: prefixed{b.name, e.Err}}
	}
	p.certs = append(p.certs, certs...)
	if b.certificatesOnly {
		return nil
	}
	for _, key := range keys {
		p.keys = append(p.keys, ownedKey{Signer: key, where: b.name, exposed: b.exposed})
	}
	return nil
}

// prefixed adds the name of a piece to an error.
type prefixed struct {
	name string
	err  error
}

func (p prefixed) Error() string { return p.name + ": " + p.err.Error() }
func (p prefixed) Unwrap() error { return p.err }

func decode(b *blob, password string) ([]*x509.Certificate, []crypto.Signer, error) {
	data := b.data
	switch {
	case len(data) > maxSize:
		return nil, nil, malformed(tooMuch, "%d bytes, want at most %d", len(data), maxSize)
	case b.form == formPEM:
		return decodePEM(data)
	case b.form == formAny && bytes.Contains(data, pemBegin):
		return decodePEM(data)
	case bytes.Contains(data, pemBegin):
		return nil, nil, malformed("return the content type application/x-pem-file, or none", "PEM, and the content type says PKCS#12")
	}
	if !isDER(data) && versionOf(data) < 0 {
		decoded, err := fromBase64(data)
		if other := otherText(data); other != nil && !isDER(decoded) {
			return nil, nil, other
		}
		if data = decoded; err != nil {
			return nil, nil, err
		}
	}
	switch version := versionOf(data); {
	case version == 0 || version == 1:
		return nil, nil, malformed("if it is a private key in DER, convert it to PEM (openssl pkey -inform DER)", "neither PKCS#12 nor a certificate, but perhaps a private key")
	case b.form == formAny && version < 0:
		cert, err := x509.ParseCertificate(data)
		switch {
		case err != nil && parsefault.Help(err) != "":
			return nil, nil, unreadable("it", err)
		case err != nil:
			other := fail(ReasonMalformed, "neither PEM nor PKCS#12 nor a certificate in DER")
			other.Hint = "is the file still being written? a file in PKCS #7 must be converted: openssl pkcs7 -inform der -print_certs"
			return nil, nil, other
		}
		return []*x509.Certificate{cert}, nil, nil
	}
	return decodePKCS12(data, password)
}

// otherText names the form of a text, or its damage, as for certificates that others present. Base64 of DER is expected.
func otherText(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("MII")) {
		return nil
	}
	if err := certpem.OtherText(text); err != nil {
		return malformed("store the PEM as it was issued, or PKCS#12 in base64, which no editor and no setting changes", "%w", err)
	}
	return nil
}

var pemBegin = []byte("-----BEGIN ")

// decodePEM reads every block. A damaged block, which encoding/pem would skip, is an error here, and so is a block of a
// type that does not belong in such a file.
func decodePEM(text []byte) (certs []*x509.Certificate, keys []crypto.Signer, err error) {
	want, got := bytes.Count(text, pemBegin), 0
	if want > maxCertificates {
		return nil, nil, malformed(tooMuch, "%d PEM blocks, want at most %d", want, maxCertificates)
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		got++
		switch block.Type {
		case "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, unreadable(fmt.Sprintf("PEM block %d", got), err)
			}
			certs = append(certs, cert)
		case "EC PARAMETERS": // openssl ecparam writes it before the key
		default:
			key, err := decodeKey(block)
			if err != nil {
				e := asError(err, ReasonMalformed)
				return nil, nil, &Error{Reason: e.Reason, Hint: e.Hint, Err: fmt.Errorf("PEM block %d: %w", got, e.Err)}
			}
			keys = append(keys, key)
		}
	}
	if got != want {
		if other := otherText(text); other != nil {
			return nil, nil, other
		}
		return nil, nil, fail(ReasonMalformed, "%d of %d PEM blocks are readable; is there a byte order mark or text before a marker, or is the end missing?", got, want)
	}
	if got == 0 {
		return nil, nil, fail(ReasonMalformed, "no PEM block")
	}
	return certs, keys, nil
}

// unreadable says why a certificate cannot be read.
func unreadable(what string, err error) error {
	help := parsefault.Help(err)
	switch {
	case help == "":
		return fail(ReasonMalformed, "%s is not a certificate", what)
	case unsupported(err):
		return fail(ReasonKeyNotAllowed, "%s is a certificate that cannot be read: %w: %s", what, err, help)
	}
	return fail(ReasonMalformed, "%s is a certificate that cannot be read: %w: %s", what, err, help)
}

// unsupported reports whether crypto/x509 does not know the curve or the algorithm of a key. The key itself may be in
// order. crypto/x509 does not export these errors.
func unsupported(err error) bool {
	text := err.Error()
	return strings.Contains(text, "elliptic curve") || strings.Contains(text, "unknown algorithm")
}

func decodeKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, fail(ReasonPasswordWrong, "the key is encrypted; PEM keys must not be encrypted")
	case strings.HasSuffix(block.Type, "PRIVATE KEY") && len(block.Bytes) > maxKey:
		return nil, fail(ReasonMalformed, "a key of %d bytes, want at most %d", len(block.Bytes), maxKey)
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		if form, isKey := strings.CutSuffix(block.Type, " PRIVATE KEY"); isKey { // the words alone would have the text withheld
			return nil, fail(ReasonMalformed, "a private key in the form %.40q; convert it to PKCS #8 (ssh-keygen -p -m PKCS8)", form)
		}
		err := fail(ReasonMalformed, "a %.40q, want certificates and private keys", block.Type)
		switch block.Type {
		case "PKCS7":
			err.Hint = "convert it: openssl pkcs7 -print_certs; the private key must be added"
		case "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
			err.Hint = "write it as a CERTIFICATE: openssl x509 -in OLD -out NEW"
		case "CERTIFICATE REQUEST":
			err.Hint = "a request is no certificate: put the one that the CA issued for it in its place"
		default:
			err.Hint = "remove this block from the file"
		}
		return nil, err
	}
	if err != nil && unsupported(err) {
		return nil, fail(ReasonKeyNotAllowed, "a private key of an algorithm or curve that Go does not support")
	}
	if err != nil {
		// The parser's own message is omitted, because it is about key material.
		return nil, fail(ReasonMalformed, "not a private key")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fail(ReasonKeyNotAllowed, "a key of type %T cannot sign", key)
	}
	return signer, nil
}
