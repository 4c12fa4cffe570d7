package outbound_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// spellings returns the forms in which the key's number could appear in a text.
func spellings(t *testing.T, key any) []string {
	t.Helper()
	private, ok := key.(*ecdsa.PrivateKey)
	require.True(t, ok)
	raw, err := private.Bytes()
	require.NoError(t, err)
	decimals := strings.Trim(fmt.Sprintf("%d", raw), "[]")
	return []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), new(big.Int).SetBytes(raw).String(), decimals,
		strings.ReplaceAll(decimals, " ", ", "), base64.StdEncoding.EncodeToString(raw), "PRIVATE KEY",
		base64.StdEncoding.EncodeToString(raw[1:31]), base64.StdEncoding.EncodeToString(raw[2:32]),
	}
}

func TestPrivacy_NoKeyInAnyText(t *testing.T) {
	w := newWorld(t)
	leaf := w.put(t, "orders")
	logged := &records{}
	config := w.config()
	config.Logger = logged.logger()
	config.Password = password("a secret password")
	own := open(t, config)
	d := w.serve(t, nil, nil)
	_, _, err := get(t, client(t, own, nil), d.URL)
	require.NoError(t, err)
	transport, err := own.Transport(nil)
	require.NoError(t, err)

	var texts []string
	add := func(values ...any) {
		for _, value := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
				texts = append(texts, fmt.Sprintf(verb, value))
			}
			if written, err := json.Marshal(value); err == nil {
				texts = append(texts, string(written))
			}
		}
	}
	add(own, own.Status(), transport, config, config.Source, own.TLSConfig("x"))
	// Every kind of failure, with the key in every place from which it could be read.
	for _, content := range [][]byte{
		append(bundle(t, leaf), "-----BEGIN PRIVATE KEY-----\nAAAA"...),
		append(certPEM(issue(t, w.clients, "x").Certificate), keyPEM(t, leaf.Key)...),
		[]byte(strings.ReplaceAll(string(bundle(t, leaf)), "CERTIFICATE", "PRIVATE KEY")),
		[]byte(strings.ReplaceAll(string(bundle(t, leaf)), "PRIVATE KEY", "RSA PRIVATE KEY")),
		[]byte(strings.ReplaceAll(string(bundle(t, leaf)), "PRIVATE KEY", "SECRET KEY")),
		[]byte(base64.StdEncoding.EncodeToString(keyPEM(t, leaf.Key))),
	} {
		replace(t, w.path("tls.pem"), content)
		err := own.Reload(t.Context())
		require.Error(t, err)
		add(err, own.Status())
		t.Setenv("OWN_CERT", string(content))
		for _, source := range []outbound.Source{outbound.Env{Name: "OWN_CERT"}, outbound.Fetch((&secret{data: content, contentType: "application/x-pkcs12"}).fetch)} {
			_, err = outbound.Open(t.Context(), outbound.Config{Source: source})
			require.Error(t, err)
			add(err)
		}
	}
	quoting := errors.New("cannot parse " + string(keyPEM(t, leaf.Key)))
	_, err = outbound.Open(t.Context(), outbound.Config{Source: outbound.Fetch((&secret{err: quoting}).fetch)})
	require.Error(t, err)
	add(err)
	texts = append(texts, own.String(), logged.text())
	for _, event := range w.journal.events {
		add(event)
	}

	for _, spelling := range append(spellings(t, leaf.Key), "a secret password") {
		for _, text := range texts {
			if strings.Contains(text, spelling) && spelling != "PRIVATE KEY" || strings.Contains(text, "-----BEGIN") {
				assert.Fail(t, "key material in a text", text)
			}
		}
	}
	assert.Contains(t, logged.text(), "outbound: presented")
	assert.Contains(t, logged.text(), fingerprint(leaf.Certificate))
}

// finding O1: a key, or a secret that contains one, was printed in the error if it was configured instead of the name
// of a file, a folder or a variable.
func TestPrivacy_KeyConfiguredInsteadOfANameIsNotPrinted(t *testing.T) {
	w := newWorld(t)
	leaf := w.put(t, "orders")
	der, err := x509.MarshalPKCS8PrivateKey(leaf.Key)
	require.NoError(t, err)
	for form, text := range map[string]string{
		"PEM": string(bundle(t, leaf)), "DER in base64": base64.StdEncoding.EncodeToString(der), "DER in hex": hex.EncodeToString(der),
		"PKCS#12 in base64": base64.StdEncoding.EncodeToString(fixture(t, "azure-null-password.p12")), "binary": string(der),
		"PEM in base64": base64.StdEncoding.EncodeToString(keyPEM(t, leaf.Key)),
	} {
		for place, source := range map[string]outbound.Source{
			"File.Path": outbound.File{Path: text}, "File.Key": outbound.File{Path: w.path("tls.pem"), Key: text},
			"Env.Name": outbound.Env{Name: text}, "Env.Key": outbound.Env{Name: "OWN_CERT", Key: text}, "Directory.Path": outbound.Directory{Path: text},
		} {
			t.Run(place+", "+form, func(t *testing.T) {
				for field, config := range map[string]outbound.Config{
					"Source": {Source: source}, "ServerRoots": {Source: outbound.File{Path: w.path("tls.pem")}, ServerRoots: source},
				} {
					own, err := outbound.Open(t.Context(), config)
					if err == nil {
						_ = own.Close()
					}
					require.ErrorContains(t, err, fmt.Sprintf("%s.%s: (%d bytes, not shown) is a certificate or a key, want its name", field, place, len(text)))
					assert.NotContains(t, err.Error(), text[40:52])
				}
			})
		}
	}
}

// finding P12: a key behind an equals sign or a slash was printed, as the line of a file of variables has it.
func TestPrivacy_NoKeyBehindItsName(t *testing.T) {
	w := newWorld(t)
	der, err := x509.MarshalPKCS8PrivateKey(w.put(t, "orders").Key)
	require.NoError(t, err)
	for _, key := range []string{base64.StdEncoding.EncodeToString(der), base64.RawURLEncoding.EncodeToString(der), hex.EncodeToString(der)} {
		for _, front := range []string{"PARTNER_KEY=", "/run/secrets/"} {
			text := front + key
			for _, source := range []outbound.Source{
				outbound.File{Path: text},
				outbound.Env{Name: text},
				outbound.Directory{Path: text},
				outbound.Fetch((&secret{err: errors.New("cannot use " + text)}).fetch),
			} {
				_, err := outbound.Open(t.Context(), outbound.Config{Source: source})
				require.Error(t, err)
				assert.NotContains(t, err.Error(), key[8:16])
			}
		}
	}
}

// finding P21: a key in the place of a name was printed. finding O20: so was one that a Fetch returned in the place of
// the content type.
func TestPrivacy_NoKeyInThePlaceOfANameOrAContentType(t *testing.T) {
	w := newWorld(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for form, text := range map[string]string{
		"PEM": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "base64": base64.StdEncoding.EncodeToString(der) + "=",
		"hex": hex.EncodeToString(der) + "=", "DER": string(der),
	} {
		for place, config := range map[string]outbound.Config{
			"Select.Subject": {Source: outbound.File{Path: w.path("tls.pem")}, Select: outbound.Select{Subject: text}},
			"content type": {Source: outbound.Fetch(func(context.Context) (string, []byte, error) {
				return text, []byte("application/x-pkcs12"), nil
			})},
		} {
			t.Run(place+", "+form, func(t *testing.T) {
				_, err := outbound.Open(t.Context(), config)
				require.Error(t, err)
				for _, secret := range []string{base64.StdEncoding.EncodeToString(der)[24:36], hex.EncodeToString(der)[36:48], strings.Trim(fmt.Sprintf("%q", der[20:30]), `"`)} {
					assert.NotContains(t, err.Error(), secret)
					assert.NotContains(t, fmt.Sprint(errors.Unwrap(err)), secret)
				}
			})
		}
	}
}

// finding O6: an unknown server could write line ends and the escapes of a terminal into the texts of errors, by the
// names in its certificate.
func TestPrivacy_ErrorsAreOneLineWhateverTheServerClaims(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	stranger := certauthtest.NewCA(t, "Stranger").Issue(t, "server", certauthtest.Usage(x509.ExtKeyUsageServerAuth),
		certauthtest.DNS("x\nlevel=INFO msg=\"outbound: accepted\"", "\x1b[2J"))
	d := w.serve(t, func(c *tls.Config) {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{stranger.Raw}, PrivateKey: stranger.Key}}
	}, nil)
	own := open(t, w.config())
	_, port, err := net.SplitHostPort(d.Listener.Addr().String())
	require.NoError(t, err)
	_, _, viaTransport := get(t, client(t, own, nil), "https://localhost:"+port)
	for _, err := range []error{viaTransport, dial(d, own.TLSConfig("localhost"))} {
		e := reasonIs(t, err, outbound.ReasonServerUntrusted)
		for _, text := range []string{e.Error(), err.Error(), fmt.Sprintf("%+v", err)} {
			assert.NotContains(t, text, "\n")
			assert.NotContains(t, text, "\x1b")
			assert.Contains(t, text, `x\nlevel=INFO`)
		}
	}
}

func TestPrivacy_FileThatEverybodyMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits")
	}
	w := newWorld(t)
	leaf := issue(t, w.clients, "orders")
	write(t, w.path("tls.crt"), certPEM(leaf.Certificate))
	write(t, w.path("tls.key"), keyPEM(t, leaf.Key))
	config := w.config()
	config.Source = outbound.File{Path: w.path("tls.crt"), Key: w.path("tls.key")}
	require.NoError(t, os.Chmod(w.path("tls.crt"), 0o644))
	own := open(t, config)
	assert.Empty(t, w.journal.of(outbound.OutcomeWarned), "certificates may be readable by everybody")

	require.NoError(t, os.Chmod(w.path("tls.key"), 0o604))
	for range 3 {
		require.NoError(t, own.Reload(t.Context()))
	}
	warnings := w.journal.of(outbound.OutcomeWarned)
	require.Len(t, warnings, 1, "once, not at each reload")
	assert.Equal(t, outbound.ReasonKeyExposed, warnings[0].Reason())
	assert.ErrorContains(t, warnings[0].Err, w.path("tls.key"))
	assert.Contains(t, warnings[0].Err.Hint, "defaultMode", "finding O36: chmod changes nothing in a Kubernetes volume")
}
