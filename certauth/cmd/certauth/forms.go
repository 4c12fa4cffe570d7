package main

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// found is a certificate in some form, with the certificates that accompany it.
type found struct {
	form  string
	certs []*x509.Certificate
}

var (
	headerLine = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_-]*):[ \t]+(.*)$`)
	certInXFCC = regexp.MustCompile(`(?:^|;)(?:Cert|Chain)="([^"]+)"`)
	certInJSON = regexp.MustCompile(`(?i)"(?:cert|chain)"\s*:\s*\[?\s*("(?:[^"\\]|\\.)*")`)
	hostPort   = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$`)
)

// certificates finds certificates in an argument of the operator: the name of a file, "-", a host and
// port, or the text itself. Sources of the library never guess in this way.
func (p *program) certificates(what, password string) (found, error) {
	if what == "-" {
		content, err := p.read(what)
		if err != nil {
			return found{}, err
		}
		return decodeForm(content, password)
	}
	if _, err := os.Stat(what); err == nil {
		content, err := p.read(what)
		if err != nil {
			return found{}, err
		}
		f, err := decodeForm(content, password)
		if err != nil {
			err = fmt.Errorf("%s: %w", what, err)
		}
		return f, err
	} else if !errors.Is(err, os.ErrNotExist) && len(what) < 200 {
		return found{}, err
	}
	if hostPort.MatchString(what) {
		return p.presentedBy(what)
	}
	f, err := decodeForm([]byte(what), password)
	if err != nil && len(what) < 200 {
		err = fmt.Errorf("%s is not a file that can be read, not HOST:PORT, and %w", quotedArgument(what), err)
	}
	return f, err
}

// shortestKey is the length of an Ed25519 key in PKCS #8 and base64. Other forms of keys are longer.
const shortestKey = 64

// quotedArgument hides arguments that may be keys, because the output may end up in the log of a
// build.
func quotedArgument(what string) string {
	if len(what) >= shortestKey {
		return fmt.Sprintf("this text of %d bytes, not shown here,", len(what))
	}
	return strconv.Quote(what)
}

// presentedBy asks a server for its certificate, which is shown but not trusted. A server that then refuses the connection,
// because it has none of ours, has answered.
func (p *program) presentedBy(address string) (found, error) {
	f := found{form: "presented by " + address}
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second},
		Config: &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // the certificate is printed, not trusted
			VerifyConnection: func(state tls.ConnectionState) error {
				f.certs = state.PeerCertificates
				return nil
			},
		},
	}
	conn, err := dialer.DialContext(p.ctx, "tcp", address)
	if err == nil {
		_ = conn.Close()
		err = errors.New("no certificate")
	}
	switch {
	case len(f.certs) > 0:
		err = nil
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%s does not answer in time; does it speak TLS?", address)
	}
	return f, err
}

func decodeForm(content []byte, password string) (found, error) {
	if len(content) > 0 && content[0] == 0x30 {
		if cert, err := x509.ParseCertificate(content); err == nil {
			return found{"DER", []*x509.Certificate{cert}}, nil
		}
		if fips140.Enforced() {
			return found{}, errors.New("not a certificate in DER; GODEBUG=fips140=only forbids how a PFX is encrypted")
		}
		_, leaf, others, err := pkcs12.DecodeChain(content, password)
		if err != nil {
			return found{}, notACertificate(content, err)
		}
		return found{"PFX", append([]*x509.Certificate{leaf}, others...)}, nil
	}
	if bytes.HasPrefix(content, []byte("\ufeff")) {
		return found{}, errors.New("it begins with a byte order mark, with which no service reads it; save it as UTF-8 without the mark")
	}
	text := strings.TrimSpace(string(content))
	name := ""
	if m := headerLine.FindStringSubmatch(text); m != nil && !strings.Contains(text, "\n") {
		name, text = m[1]+": ", strings.TrimSpace(m[2])
	}
	f, err := decodeText(text)
	f.form = name + f.form
	return f, err
}

// signedData is the identifier with which PKCS #7 begins.
var signedData = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

// notACertificate describes what the DER contains instead. opening is the error of reading it as a
// PFX.
func notACertificate(der []byte, opening error) error {
	if errors.Is(opening, pkcs12.ErrIncorrectPassword) {
		return errors.New("a PFX that this -password does not open")
	}
	if bytes.Contains(der[:min(len(der), 16)], signedData) {
		return errors.New("PKCS #7, not a certificate; openssl pkcs7 -inform der -print_certs prints those in it")
	}
	if _, err := x509.ParseRevocationList(der); err == nil {
		return errors.New("a CRL, not a certificate")
	}
	if _, err := ocsp.ParseResponse(der, nil); err == nil {
		return errors.New("an OCSP answer, not a certificate")
	}
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return errors.New("a private key, not a certificate")
	}
	text := opening.Error()
	return fmt.Errorf("DER, and neither a certificate nor a PFX that opens: %s", text[:min(len(text), 100)])
}

func decodeText(text string) (found, error) {
	switch {
	case text == "":
		return found{}, errors.New("nothing is there")
	case certInJSON.MatchString(text):
		var quoted [][]string
		for _, m := range certInJSON.FindAllStringSubmatch(text, -1) {
			var plain string
			if err := json.Unmarshal([]byte(m[1]), &plain); err != nil {
				return found{}, err
			}
			quoted = append(quoted, []string{m[0], plain})
		}
		return xfcc(quoted)
	case strings.Contains(text, "%2D%2D") || strings.HasPrefix(text, "-----BEGIN%20") || strings.Contains(text, "%0A"):
		plain, err := url.PathUnescape(text)
		if err != nil {
			return found{}, fmt.Errorf("percent-encoded incorrectly: %w", err)
		}
		if m := certInXFCC.FindAllStringSubmatch(text, -1); m != nil {
			return xfcc(m)
		}
		return blocks("percent-encoded PEM", plain)
	case certInXFCC.MatchString(text):
		return xfcc(certInXFCC.FindAllStringSubmatch(text, -1))
	case strings.Contains(text, "-----BEGIN") && !strings.Contains(text, "\n"):
		for _, label := range []string{"CERTIFICATE", "TRUSTED CERTIFICATE"} {
			text = strings.ReplaceAll(text, "-----BEGIN "+label+"-----", "\x00B"+label+"\x00")
			text = strings.ReplaceAll(text, "-----END "+label+"-----", "\x00E"+label+"\x00")
		}
		text = strings.NewReplacer(" ", "\n", `\n`, "\n", "\t", "\n").Replace(text)
		for _, label := range []string{"CERTIFICATE", "TRUSTED CERTIFICATE"} {
			text = strings.ReplaceAll(text, "\x00B"+strings.ReplaceAll(label, " ", "\n")+"\x00", "-----BEGIN "+label+"-----\n")
			text = strings.ReplaceAll(text, "\x00E"+strings.ReplaceAll(label, " ", "\n")+"\x00", "\n-----END "+label+"-----\n")
		}
		return blocks("PEM on one line", text)
	case strings.Contains(text, "-----BEGIN"):
		return blocks("PEM", text)
	case strings.HasPrefix(text, ":"):
		return encoded("byte sequence (RFC 9440)", strings.Split(text, ","), ":")
	}
	form := "base64 DER"
	if strings.Contains(text, ",") {
		form = "base64 DER list"
	}
	return encoded(form, strings.Split(strings.Join(strings.Fields(text), ""), ","), "")
}

func xfcc(matches [][]string) (found, error) {
	all := found{form: "X-Forwarded-Client-Cert text"}
	seen := map[string]bool{}
	for _, m := range matches {
		plain, err := url.PathUnescape(m[1])
		if err != nil {
			return found{}, err
		}
		f, err := blocks("", plain)
		if err != nil {
			return found{}, err
		}
		for _, cert := range f.certs {
			if !seen[string(cert.Raw)] {
				seen[string(cert.Raw)] = true
				all.certs = append(all.certs, cert)
			}
		}
	}
	return all, nil
}

func blocks(form, text string) (found, error) {
	f := found{form: form}
	rest := []byte(text)
	var others []string
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		rest = after
		if block.Type != "CERTIFICATE" {
			others = append(others, fmt.Sprintf("%.40q", block.Type)) // a key next to the certificate is ignored
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return found{}, fmt.Errorf("certificate %d in PEM: %w", len(f.certs)+1, err)
		}
		f.certs = append(f.certs, cert)
	}
	if len(f.certs) == 0 && len(others) > 0 {
		return found{}, fmt.Errorf("no certificate in the PEM text, but %s", strings.Join(others[:min(len(others), 5)], ", "))
	}
	if len(f.certs) == 0 {
		return found{}, errors.New("no certificate in the PEM text; is it cut, or are its line ends gone?")
	}
	return f, nil
}

func encoded(form string, items []string, delimiter string) (found, error) {
	f := found{form: form}
	for _, item := range items {
		item = strings.TrimSpace(item)
		item = strings.TrimSuffix(strings.TrimPrefix(item, delimiter), delimiter)
		der, err := base64.StdEncoding.DecodeString(item)
		if err != nil {
			return found{}, errors.New("neither PEM nor base64 of a certificate; is it cut, or was + turned into a space?")
		}
		if bytes.HasPrefix(der, []byte("-----BEGIN")) {
			return blocks("base64 of PEM", string(der))
		}
		certs, err := x509.ParseCertificates(der)
		if err != nil || len(certs) == 0 {
			return found{}, fmt.Errorf("not a certificate in base64: %w", err)
		}
		f.certs = append(f.certs, certs...)
	}
	return f, nil
}
