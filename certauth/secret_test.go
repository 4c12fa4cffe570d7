package certauth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// privateKey returns a key in the forms in which it can end up in a wrong place.
func privateKey(t *testing.T) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	certificate := string(certauthtest.NewCA(t, "CA").PEM())
	return map[string]string{
		"PEM": text, "PEM after a line end": "\n" + text, "PEM of a certificate and its key": certificate + text,
		"PEM without its first line": strings.SplitAfterN(text, "\n", 2)[1], "PEM on one line": strings.ReplaceAll(text, "\n", `\n`),
		"base64 of PEM": base64.StdEncoding.EncodeToString([]byte(text)),
		"base64":        base64.StdEncoding.EncodeToString(pkcs8), "base64 of SEC 1": base64.StdEncoding.EncodeToString(sec1),
		"hex": hex.EncodeToString(pkcs8), "DER": string(pkcs8),
	}
}

// shows reports whether a text contains a part of the secret, unchanged or escaped. The beginning
// is the same in all keys of a kind, and markers are not secret.
func shows(text, secret string) bool {
	const piece = 16
	escaped := fmt.Sprintf("%+q", secret)
	for _, form := range []string{secret, escaped[1 : len(escaped)-1]} {
		for at := 40; at+piece <= len(form); at++ {
			if part := form[at : at+piece]; !strings.ContainsAny(part, "- ") && strings.Contains(text, part) {
				return true
			}
		}
	}
	return false
}

// finding S7: a PEMFile with the text of a PEM instead of a name printed it in the error of New,
// including the private key. The same applies to everything else that takes a name or reports the
// error of a function.
func TestNew_MistakesNeverShowAKey(t *testing.T) {
	for form, secret := range privateKey(t) {
		fails := errors.New("vault: cannot read " + secret)
		for name, policy := range map[string]certauth.Policy{
			"PEMFile":                 certauth.Chain{Roots: certauth.PEMFile(secret)},
			"PEM":                     certauth.Chain{Roots: certauth.PEM(secret)},
			"PinFile":                 certauth.ThumbprintsFrom(certauth.PinFile(secret)),
			"pins in Env":             certauth.PublicKeysFrom(certauth.Env(secret)),
			"a pin":                   certauth.PublicKeys{secret},
			"a thumbprint":            certauth.Thumbprints{secret},
			"a function of pins":      certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return nil, fails })),
			"pins of a function":      certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return []string{secret}, nil })),
			"a function":              certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return nil, fails })},
			"a function that panics":  certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { panic(secret) })},
			"a name":                  certauth.All{certauth.Certificates(certauthtest.SelfSigned(t, "c").Certificate), certauth.DNSNames{secret + "*"}},
			"a function that is good": certauth.Chain{Roots: certauth.PEMFile("no such file")},
		} {
			_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
			require.Error(t, err, name)
			assert.False(t, shows(err.Error(), secret), "%s, %s: %s", name, form, err)
			assert.LessOrEqual(t, strings.Count(err.Error(), "\n"), 1, "%s, %s: a line for the count and one for the mistake", name, form)
			assert.Less(t, len(err.Error()), 800, "%s, %s", name, form)
		}
	}
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.PEMFile(certauthtest.NewCA(t, "CA").PEM())}})
	require.ErrorContains(t, err, "this is PEM text or DER, not a path; use PEM for the text itself")
	for _, path := range []string{"/etc/ssl/partner\nroots.pem", strings.Repeat("long/", 200)} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.PEMFile(path)}})
		require.Error(t, err)
		assert.Equal(t, 1, strings.Count(err.Error(), "\n"))
		assert.Less(t, len(err.Error()), 300)
	}
	_, err = certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.PEMFile("/no/such/partner-roots.pem")}})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, `file "/no/such/partner-roots.pem": no such file or directory`)
}

// finding P21: a key in the place of a name was printed, because base64 ends in an equals sign, and what
// stands before the first one is the type of an attribute. After a plus sign another attribute begins.
func TestNew_AKeyInThePlaceOfANameIsNotShown(t *testing.T) {
	root := certauth.Chain{Roots: certauth.PEM(certauthtest.NewCA(t, "CA").PEM())}
	for form, key := range privateKey(t) {
		for _, secret := range []string{key, key + "=", key + "+" + key + "=", "CN=" + key + "+" + key + "="} {
			for name, policy := range map[string]certauth.Policy{
				"Subject":       certauth.Subject{secret},
				"IssuerName":    certauth.IssuerName{secret},
				"Denied issuer": certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: secret, Serial: "1"}}},
			} {
				_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.All{root, policy}})
				require.Error(t, err, "%s, %s", name, form)
				assert.False(t, shows(err.Error(), key), "%s, %s: %s", name, form, err)
			}
		}
	}
	_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.All{root, certauth.Subject{"CM=orders"}}})
	require.ErrorContains(t, err, `attribute "CM" is not known; give its OID`)
}

// finding S8: a secret of the configuration appeared in JSON. No way of printing a value that
// contains a secret, or a struct that contains the value, may show it.
func TestSecret_IsNotInAnythingThatPrints(t *testing.T) {
	const secret = "kq7Zr-hunter2-kq7Zr-hunter2"
	gate := forwarded.SharedSecret("X-Gate", secret)
	t.Setenv("WEBSITE_AUTH_ENCRYPTION_KEY", secret)
	exclusion := certauth.Exclusion{Path: "/health", Reason: "r", Control: "c", AppServiceHealth: true}
	source := forwarded.Header{From: forwarded.EveryGate(gate, forwarded.Peers("10.0.0.0/8")), Name: "X-Cert", Format: forwarded.FormatBase64DER}
	config := certauth.Config{
		Source: source, Policy: certauth.Thumbprints{pinOfNobody}, Exclusions: []certauth.Exclusion{exclusion},
	}
	auth := must(t, config)
	type hidden struct{ gate forwarded.Gate }
	for name, value := range map[string]any{
		"the exclusion": exclusion, "several": []certauth.Exclusion{exclusion},
		"a map": map[string]any{"x": gate}, "the gate": gate, "the source": source, "the configuration": config,
		"the Authenticator": auth, "an unexported field": hidden{gate}, "a pointer to that": &hidden{gate},
	} {
		var printed strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%t", "%e"} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
		if text, err := json.Marshal(value); err == nil {
			printed.Write(text)
		}
		for _, handler := range []slog.Handler{
			slog.NewJSONHandler(&printed, nil), slog.NewTextHandler(&printed, nil), slog.NewJSONHandler(&printed, &slog.HandlerOptions{AddSource: true}),
		} {
			logger := slog.New(handler).With("with", value)
			logger.Info("m", "value", value, slog.Group("g", "value", value))
		}
		text := printed.String()
		sum := sha256.Sum256([]byte(secret))
		token := base64.StdEncoding.EncodeToString(sum[:]) // the token that grants access
		for _, leak := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"), token} {
			assert.False(t, bytes.Contains(bytes.ToLower([]byte(text)), bytes.ToLower([]byte(leak))), "%s shows %s", name, leak)
		}
	}
}
