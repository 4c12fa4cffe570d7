package forwarded

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"

	dertlv "github.com/seed2886b8ae/go-certauth/internal/der"
)

const (
	// maxChainHeader bounds the total size of a header of several certificates, in bytes.
	maxChainHeader = 64 << 10
	// maxCertificates bounds the number of certificates, leaf included, as certauth does.
	maxCertificates = 10
	// maxDER bounds the DER of one certificate, as certauth does; larger ones are not parsed.
	maxDER = 16 << 10
)

// decodeBase64Concatenated reads certificates whose DER is concatenated in
// one base64 text: HAProxy's ssl_c_chain_der.
func decodeBase64Concatenated(value string) ([]*x509.Certificate, error) {
	if len(value) > maxChainHeader {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(value), maxChainHeader)
	}
	der, err := strictBase64(value)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for len(der) > 0 {
		if len(certs) == maxCertificates {
			return nil, fmt.Errorf("more than %d certificates", maxCertificates)
		}
		var one asn1.RawValue
		if der, err = asn1.Unmarshal(der, &one); err != nil {
			return nil, fmt.Errorf("certificate %d is not DER", len(certs))
		}
		cert, err := parseAlong(one.FullBytes, parseDER)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs), err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// decodeBase64List reads base64 DER items joined by bare commas, leaf first: Traefik's
// passTLSClientCert since v2.9.2.
func decodeBase64List(value string) ([]*x509.Certificate, error) {
	return splitList(value, func(i int, item string) (*x509.Certificate, error) {
		if i == 0 {
			return decodeBase64DER(item)
		}
		return decodeBase64Along(item)
	})
}

// splitList decodes comma-separated items. It counts the items before it decodes any, and
// an empty item is an error.
func splitList(value string, decode func(i int, item string) (*x509.Certificate, error)) ([]*x509.Certificate, error) {
	if len(value) > maxChainHeader {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(value), maxChainHeader)
	}
	if n := strings.Count(value, ",") + 1; n > maxCertificates {
		return nil, fmt.Errorf("%d items, want at most %d", n, maxCertificates)
	}
	var certs []*x509.Certificate
	for item := range strings.SplitSeq(value, ",") {
		cert, err := decode(len(certs), item)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", len(certs), err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// decodeBase64Along is decodeBase64DER for certificates sent along with the leaf.
func decodeBase64Along(value string) (*x509.Certificate, error) {
	return decodeAlong(value, base64DER, parseBase64DER)
}

func decodeAlong(value string, decode func(string) ([]byte, error), parse func([]byte) (*x509.Certificate, error)) (*x509.Certificate, error) {
	der, err := decode(value)
	if err != nil {
		return nil, err
	}
	return parseAlong(der, parse)
}

// parseAlong reads a certificate that is sent along with the leaf. If crypto/x509 cannot
// read it, for example because of a negative serial number or an unknown curve, it is
// returned unparsed, provided that it is framed as a certificate: a sequence of exactly
// that length that begins with a sequence. certauth counts and measures it and ignores it
// otherwise.
func parseAlong(der []byte, parse func([]byte) (*x509.Certificate, error)) (*x509.Certificate, error) {
	cert, err := parse(der)
	if err == nil || len(der) > maxDER {
		return cert, err
	}
	if whole, rest, ok := dertlv.Read(der); ok && len(rest) == 0 && whole.Tag == sequenceTag && beginsAsCertificate(der) {
		return &x509.Certificate{Raw: der}, nil
	}
	return nil, err
}

// parseDER reads exactly one certificate.
func parseDER(der []byte) (*x509.Certificate, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("%d bytes of DER, want at most %d", len(der), maxDER)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, parseError{"not one certificate", der, err}
	}
	return cert, nil
}
