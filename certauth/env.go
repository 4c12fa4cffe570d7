package certauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certpem"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// Env names an environment variable: an App Service setting, or a Key Vault reference in one. A
// variable that is not set, or empty, is an error.
//
// As a [CertSource] the variable holds certificates as PEM text, like [PEM]. Line ends must be
// real: "\n" written as two characters, PEM in base64, and spaces instead of line ends are errors
// that say so. As a [PinSource] it holds pins separated by commas, semicolons or line ends.
//
// The variable is read again like a [PEMFile], but a process sees a new value only if it sets the
// variable itself, or after a restart. App Service restarts the app when a setting is changed. A
// new version of the secret behind a Key Vault reference takes up to 24 hours to arrive, and never
// arrives if the reference names a version, unless a setting is changed as well. To withdraw a
// pin at once, change a setting.
type Env string

func (e Env) value() (string, error) {
	value := os.Getenv(string(e))
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("%s: not set or empty", e.describe())
	}
	return value, nil
}

func (e Env) certs(_ context.Context, known reload.Digest) ([]*x509.Certificate, reload.Digest, error) {
	value, err := e.value()
	if err != nil {
		return nil, reload.Digest{}, err
	}
	return parseNew([]byte(value), known, func(content []byte) ([]*x509.Certificate, error) {
		certs, err := certpem.Parse(content)
		if err != nil {
			err = fmt.Errorf("%s: %w", e.describe(), lostLineEnds(value, err))
		}
		return certs, err
	})
}

// lostLineEnds explains the damage that settings and shells do to PEM, if it occurred.
func lostLineEnds(value string, err error) error {
	switch {
	case strings.Contains(value, `\n`), strings.Contains(value, `\r`):
		return errors.New(`contains "\n" as two characters instead of line ends; set it with real line ends`)
	case strings.HasPrefix(strings.TrimSpace(value), "LS0tLS1CRUdJTi"):
		return errors.New("is base64 of PEM; decode it before it is set")
	case strings.Contains(value, "-----BEGIN ") && !strings.ContainsAny(strings.TrimSpace(value), "\r\n"):
		return errors.New("is one line because its line ends were lost; keep them where it is set (quote it in a shell or a docker env file)")
	}
	return err
}

func (Env) reloads() bool      { return true }
func (e Env) describe() string { return "environment variable " + quote(string(e)) }

func (e Env) pins(context.Context, reload.Digest) ([]string, reload.Digest, error) {
	value, err := e.value()
	if err != nil {
		return nil, reload.Digest{}, err
	}
	var list []string
	for text := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(",;\r\n", r) }) {
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, text)
		}
	}
	return list, sha256.Sum256([]byte(value)), nil
}
