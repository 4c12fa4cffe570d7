package forwarded

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
)

// maxLeafHeader bounds a header that carries one certificate, in bytes, before anything
// is decoded. An RSA-4096 certificate takes about 2 KiB.
const maxLeafHeader = 16 << 10

// decodeBase64DER reads exactly one certificate in padded standard base64. Each certificate
// has one accepted spelling: no line breaks, no missing or surplus padding, no bits beyond
// the last byte, nothing after the DER.
func decodeBase64DER(value string) (*x509.Certificate, error) {
	der, err := base64DER(value)
	if err != nil {
		return nil, err
	}
	return parseBase64DER(der)
}

func base64DER(value string) ([]byte, error) {
	if len(value) > maxLeafHeader {
		return nil, fmt.Errorf("%d bytes, want at most %d", len(value), maxLeafHeader)
	}
	if value != "" && value[0] != sequenceDigit && startsAsBase64(value) {
		return nil, errNotDER
	}
	return strictBase64(value)
}

// sequenceDigit is the first base64 digit of every DER SEQUENCE, and so of every
// certificate.
const sequenceDigit = 'M'

var errNotDER = errors.New("base64, but not of a DER sequence")

// strictBase64 accepts only the canonical spelling. The standard decoder skips line breaks
// even in strict mode, which the comparison of lengths detects. Apart from line breaks the
// decoder accepts nothing that checkBase64 refuses, so checkBase64 can explain every
// failure.
func strictBase64(value string) ([]byte, error) {
	if value != "" && startsAsBase64(value) {
		der, err := base64.StdEncoding.Strict().DecodeString(value)
		if err == nil && base64.StdEncoding.EncodedLen(len(der)) == len(value) {
			return der, nil
		}
	}
	if err := checkBase64(value); err != nil {
		return nil, err
	}
	return nil, errors.New("base64 with bits beyond the last byte")
}

func parseBase64DER(der []byte) (*x509.Certificate, error) {
	if !beginsAsCertificate(der) {
		return nil, errNotCertificate
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, parseError{"base64, but not of one certificate", der, err}
	}
	return cert, nil
}

var errNotCertificate = errors.New("base64, but not of one certificate: it does not begin with a sequence in a sequence")

// beginsAsCertificate checks that the data begins with a SEQUENCE within a SEQUENCE, as
// every certificate does. It rejects noise cheaply; the parser decides everything else.
func beginsAsCertificate(der []byte) bool {
	header := 2
	if len(der) > 1 && der[1] >= 0x80 {
		header += int(der[1] & 0x7F)
	}
	return len(der) > header && der[0] == sequenceTag && der[header] == sequenceTag
}

const sequenceTag = 0x30

// parseError holds the parser's message and formats it only when it is read.
type parseError struct {
	says string // used if the data may be no certificate at all
	der  []byte
	err  error
}

func (e parseError) Error() string {
	says := e.says
	if parsefault.Help(e.err) != "" {
		says = "the certificate cannot be read"
		if subject := parsefault.Subject(e.der); subject != "" {
			says = "the certificate of " + subject + " cannot be read"
		}
	}
	text := e.err.Error() // quotes names, which can be long
	return says + ": " + logtext.Quote(text[:min(len(text), 2*logtext.MaxQuoted)])
}

// startsAsBase64 checks only the beginning, so that other text is not decoded.
func startsAsBase64(value string) bool {
	for i := range min(len(value), 16) {
		if !isBase64(value[i]) && value[i] != '=' {
			return false
		}
	}
	return true
}

// checkBase64 checks every byte, because the standard decoder skips line breaks even in
// strict mode.
func checkBase64(value string) error {
	body := strings.TrimRight(value, "=")
	if len(value)%4 != 0 || len(value)-len(body) > 2 || body == "" {
		return fmt.Errorf("%d base64 digits and %d padding characters are not whole bytes", len(body), len(value)-len(body))
	}
	for i := range len(body) {
		if !isBase64(body[i]) {
			return alphabetError{body[i], i}
		}
	}
	return nil
}

// alphabetError is formatted only when it is read, because noise is refused often.
type alphabetError struct {
	found  byte
	offset int
}

func (e alphabetError) Error() string {
	return fmt.Sprintf("byte 0x%02x at offset %d is not of the base64 alphabet", e.found, e.offset)
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// resembles names the form that a malformed value seems to have. The result is used only
// for the hint and never for a decision.
func resembles(value string) string {
	most := (len(value) + 3) / 4 * 3 // bytes, if it is base64
	value = value[:min(len(value), maxLeafHeader)]
	front := value[:min(len(value), 512)]
	switch {
	case strings.HasPrefix(value, "-----BEGIN+"):
		return "it looks like form-encoded PEM, with plus signs for spaces; it has to be percent-encoded"
	case strings.HasPrefix(value, "-----BEGIN "):
		return "it looks like PEM"
	case strings.HasPrefix(value, "-----BEGIN%20"), strings.HasPrefix(value, "%2D"), strings.HasPrefix(value, "%2d"):
		return "it looks like percent-encoded PEM, as nginx and Application Gateway send it"
	case strings.HasPrefix(value, "LS0tLS1CRUdJTi"):
		return "it looks like base64 of PEM text, not of DER"
	case len(value) > 1 && value[0] == ':' && value[len(value)-1] == ':':
		return "it looks like an RFC 9440 byte sequence"
	case isPairs(front) && (strings.Contains(front, "Hash=") || strings.Contains(front, "Cert=")):
		return "it looks like the X-Forwarded-Client-Cert of Envoy"
	case isSubject(front):
		return "it looks like the subject of a certificate: the front end has to send the whole certificate"
	case strings.HasPrefix(value, "3082") && strings.Trim(value, "0123456789abcdefABCDEF") == "":
		return "it looks like hex of DER, a mistake of some local set-ups"
	case isDigest(front):
		return "it looks like a fingerprint: the front end has to send the whole certificate"
	case strings.HasPrefix(value, "$"), strings.HasPrefix(value, "%{"), strings.HasPrefix(value, "%["), strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}"):
		return "it looks like a variable that the front end did not replace: check its name, and the front end's version"
	case strings.Contains(value, ",MI"):
		return "it looks like a list of certificates, or several values joined by a proxy; a list needs a format for lists"
	case strings.Contains(value, ","):
		return "it looks like several values joined by a proxy"
	case strings.Contains(front, " "):
		return "it contains spaces: was a plus sign decoded as a space on the way?"
	case front != "" && front[0] == sequenceDigit && isEscapedBase64(front):
		return "it looks like percent-encoded base64 without the markers of PEM, as old versions of Traefik send it"
	case (strings.Contains(front, "-") || strings.Contains(front, "_")) && strings.Trim(value, "-_=") != "":
		return "it looks like base64url"
	}
	if announced := announcedSize(front); announced > most {
		return fmt.Sprintf("it is cut: a certificate of %d bytes begins, and at most %d are there; does a proxy limit the size of headers?", announced, most)
	}
	return ""
}

// announcedSize returns the size in bytes of the DER that begins in base64, or 0 if it does not begin as a certificate.
func announcedSize(front string) int {
	der, err := base64.StdEncoding.DecodeString(front[:min(len(front), 8)])
	if err != nil || len(der) < 5 || der[0] != sequenceTag || der[1] != 0x82 || der[4] != sequenceTag {
		return 0
	}
	return 4 + int(der[2])<<8 + int(der[3])
}

// isSubject reports whether the text begins with an attribute of a name, such as CN=, also behind a slash or in the
// form of Traefik. After the first equals sign of base64 there is at most another one.
func isSubject(front string) bool {
	front = strings.TrimPrefix(strings.TrimPrefix(front, `Subject="`), "Subject%3D%22")
	kind, value, _ := strings.Cut(strings.Replace(strings.TrimPrefix(front, "/"), "%3D", "=", 1), "=")
	return isPairs("="+value) && slices.Contains([]string{"CN", "C", "O", "OU", "L", "ST", "DC", "UID", "serialNumber", "emailAddress"}, strings.TrimSpace(kind))
}

// isDigest reports whether the text is SHA-1 or SHA-256 in hex.
func isDigest(text string) bool {
	text = strings.ReplaceAll(text, ":", "")
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// isEscapedBase64 reports whether the text is percent-encoded base64, line ends included.
func isEscapedBase64(front string) bool {
	if at := strings.LastIndexByte(front, '%'); at >= 0 && at > len(front)-3 {
		front = front[:at] // drop a cut escape
	}
	text, err := url.PathUnescape(front)
	if err != nil || text == front {
		return false
	}
	for i := range len(text) {
		if c := text[i]; !isBase64(c) && c != '=' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}

// isPairs reports whether there is an equals sign with text after it; in base64 it occurs
// only at the end. It avoids a search for words in noise.
func isPairs(front string) bool {
	at := strings.IndexByte(front, '=')
	return at >= 0 && strings.TrimRight(front[at:], "=") != ""
}
