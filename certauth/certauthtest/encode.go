package certauthtest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// encode writes certificates, leaf first, in a format of forged.json. If several are given,
// formats for one certificate write all of them, as a sender would that does not know the limit.
func encode(format string, certs ...*x509.Certificate) (string, error) {
	var der []byte
	for _, cert := range certs {
		der = append(der, cert.Raw...)
	}
	text := string(encodePEM(certs...))
	switch format {
	case "base64", "base64-concatenated":
		return base64.StdEncoding.EncodeToString(der), nil
	case "base64url":
		return base64.URLEncoding.EncodeToString(der), nil
	case "base64-list":
		return joined(certs, ",", "", ""), nil
	case "byte-sequence", "byte-sequence-list":
		return joined(certs, ", ", ":", ":"), nil
	case "pem":
		return text, nil
	case "url-pem":
		return escape(text), nil
	case "url-pem-safe", "url-pem-safe-chain":
		return strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(escape(text)), nil
	case "spaced-pem":
		return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", " "), nil
	case "xfcc":
		leaf := certs[0]
		return "Hash=" + digest256(leaf) + `;Cert="` + escape(string(encodePEM(leaf))) + `";Chain="` + escape(text) + `"`, nil
	case "xfcc-json":
		chain := make([]string, 0, len(certs))
		for _, cert := range certs {
			chain = append(chain, jsonPEM(cert))
		}
		return `[{"hash":"` + digest256(certs[0]) + `","cert":` + chain[0] + `,"chain":[` + strings.Join(chain, ",") + `]}]`, nil
	case "hex":
		return hex.EncodeToString(der), nil
	case "base64-pem":
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	case "base64-key":
		return base64.StdEncoding.EncodeToString(certs[0].RawSubjectPublicKeyInfo), nil
	case "sha256":
		return digest256(certs[0]), nil
	case "sha1":
		sum, err := sha1sum.Of(certs[0].Raw)
		return hex.EncodeToString(sum[:]), err
	case "subject":
		return certs[0].Subject.String(), nil
	case "common-name":
		return certs[0].Subject.CommonName, nil
	case "serial":
		return certs[0].SerialNumber.Text(16), nil
	}
	return "", fmt.Errorf("format %q is not known", format)
}

// jsonPEM encodes a certificate as a JSON string.
func jsonPEM(cert *x509.Certificate) string {
	return `"` + strings.ReplaceAll(string(encodePEM(cert)), "\n", `\n`) + `"`
}

func joined(certs []*x509.Certificate, separator, before, after string) string {
	var items []string
	for _, cert := range certs {
		items = append(items, before+base64.StdEncoding.EncodeToString(cert.Raw)+after)
	}
	return strings.Join(items, separator)
}

func digest256(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// escape escapes all but the unreserved characters of RFC 3986, section 2.3, as nginx does in
// $ssl_client_escaped_cert.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
