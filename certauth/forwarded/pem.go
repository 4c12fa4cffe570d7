package forwarded

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

// decodeURLPEM reads one certificate in percent-encoded PEM, as in nginx's $ssl_client_escaped_cert
// and similar variables. Percent signs are decoded once. A plus sign stays a plus sign, because
// form decoding would damage the base64.
func decodeURLPEM(value string) ([]*x509.Certificate, error) {
	return parseBlocks(urlPEMBlocks(value, maxLeafHeader, 1))
}

// decodeURLPEMChain is decodeURLPEM for up to ten certificates, leaf first.
func decodeURLPEMChain(value string) ([]*x509.Certificate, error) {
	return parseBlocks(urlPEMBlocks(value, maxChainHeader, maxCertificates))
}

// urlPEM1 returns the DER of exactly one certificate in percent-encoded PEM.
func urlPEM1(value string) ([]byte, error) { return first(urlPEMBlocks(value, maxLeafHeader, 1)) }

func first(ders [][]byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return ders[0], nil
}

// parseBlocks parses the leaf and the certificates sent along with it.
func parseBlocks(ders [][]byte, err error) ([]*x509.Certificate, error) {
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for i, der := range ders {
		parse := parseDER
		if i > 0 {
			parse = func(der []byte) (*x509.Certificate, error) { return parseAlong(der, parseDER) }
		}
		cert, err := parse(der)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", i, err)
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

func urlPEMBlocks(value string, limit, blocks int) ([][]byte, error) {
	if len(value) > limit {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(value), limit)
	}
	if i := strings.IndexFunc(value, func(r rune) bool { return r <= 0x20 || r >= 0x7F }); i >= 0 && value[i] != ' ' {
		return nil, fmt.Errorf("byte 0x%02x at offset %d", value[i], i)
	}
	// The marker of a block contains a space, which front ends escape. A literal space
	// means that the value was decoded on the way.
	if strings.Contains(value, " ") {
		return nil, errors.New("a literal space, which percent-encoding never leaves")
	}
	text, err := url.PathUnescape(value)
	if err != nil {
		return nil, errors.New("a percent sign without two hex digits")
	}
	if strings.Contains(text, "%") {
		return nil, errors.New("percent-encoded twice")
	}
	return pemBlocks(text, blocks)
}

// decodeSpacedPEM reads one PEM block with single spaces instead of line ends, of a
// certificate that is sent along with the leaf: Apache's %{SSL_CLIENT_CERT_CHAIN_0}s.
func decodeSpacedPEM(value string) (*x509.Certificate, error) {
	return decodeAlong(value, spacedPEM, parseDER)
}

// spacedPEM returns the DER of such a block. Apache's %{SSL_CLIENT_CERT}s and nginx's
// deprecated $ssl_client_cert use the same form for the leaf.
func spacedPEM(value string) ([]byte, error) {
	if len(value) > maxLeafHeader {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(value), maxLeafHeader)
	}
	body, found := strings.CutPrefix(value, pemBegin+" ")
	if !found {
		return nil, errors.New("does not start with a PEM marker and a space")
	}
	body, found = strings.CutSuffix(body, " "+pemEnd)
	if !found {
		return nil, errors.New("does not end with a space and a PEM marker")
	}
	if strings.ContainsAny(body, "\r\n\t") {
		return nil, errors.New("a line break or tab between the groups")
	}
	return first(pemBlocks(pemBegin+"\n"+strings.ReplaceAll(body, " ", "\n")+"\n"+pemEnd+"\n", 1))
}

// pemBlocks reads at least one and at most the given number of CERTIFICATE blocks and
// nothing else: no text before, between or after them, no headers in them. encoding/pem
// would skip text, and also a damaged block, which would make the second certificate the
// first. Here every block must encode back to exactly the text from which it was read.
func pemBlocks(text string, most int) ([][]byte, error) {
	if !strings.HasPrefix(text, pemBegin) {
		return nil, errors.New("does not start with the marker of a certificate")
	}
	rest := strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.HasSuffix(rest, "\n") {
		rest += "\n"
	}
	var ders [][]byte
	for rest != "" {
		if len(ders) == most {
			return nil, fmt.Errorf("more after PEM block %d", most)
		}
		end := strings.Index(rest, "\n"+pemEnd+"\n")
		if !strings.HasPrefix(rest, pemBegin+"\n") || end <= len(pemBegin) {
			return nil, fmt.Errorf("block %d is not enclosed in the markers of a certificate", len(ders))
		}
		end += len("\n" + pemEnd + "\n")
		der, err := pemBlock(rest[:end])
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", len(ders), err)
		}
		ders = append(ders, der)
		rest = rest[end:]
	}
	return ders, nil
}

func pemBlock(block string) ([]byte, error) {
	body := block[len(pemBegin)+1 : len(block)-len(pemEnd)-2]
	if n := base64.StdEncoding.DecodedLen(len(body)); n > maxDER+maxDER/48 { // one line end for each 48 bytes
		return nil, fmt.Errorf("about %d bytes of DER, want at most %d", n, maxDER)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, errors.New("body is not base64")
	}
	if !bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), []byte(block)) {
		return nil, errors.New("not in the form that PEM encoders write (lines of 64, no headers)")
	}
	return der, nil
}
