package outbound_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// findings O63, O72, O78 and O79: for a key of another certificate the hint was to export the key with the certificate, and for
// what belongs elsewhere, is too large, or has been changed by a setting, and for a key alone in PKCS#12 or DER, to look
// whether the file is still being written; and for the certificate itself in openssl's own form to remove it.
func TestOpen_TheHintFitsTheCause(t *testing.T) {
	ca := certauthtest.NewCA(t, "Root")
	own, other := issue(t, ca, "orders"), issue(t, ca, "orders")
	folder := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		write(t, path, content)
		return path
	}
	whole := outbound.File{Path: file("whole.pem", bundle(t, own))}
	block := func(label string) []byte {
		return []byte("-----BEGIN " + label + "-----\nAAAA\n-----END " + label + "-----\n")
	}
	der, _ := pem.Decode(keyPEM(t, own.Key))
	t.Setenv("OUTBOUND_PATH", whole.Path)
	t.Setenv("OUTBOUND_ESCAPES", strings.ReplaceAll(string(bundle(t, own)), "\n", `\n`))
	for name, tc := range map[string]struct {
		config outbound.Config
		reason outbound.Reason
		want   string
	}{
		"a key of another certificate": {outbound.Config{Source: outbound.File{Path: file("a.crt", certPEM(own.Certificate)), Key: file("a.key", keyPEM(t, other.Key))}}, outbound.ReasonKeyMissing, "with which this certificate was requested"},
		"no key":                       {outbound.Config{Source: outbound.File{Path: file("b.crt", certPEM(own.Certificate))}}, outbound.ReasonKeyMissing, "must be in the same source"},
		"roots with a key":             {outbound.Config{Source: whole, ServerRoots: whole}, outbound.ReasonMalformed, "the CA certificates of the servers alone"},
		"another secret":               {outbound.Config{Source: outbound.Fetch(func(context.Context) (string, []byte, error) { return "text/plain", bundle(t, own), nil })}, outbound.ReasonMalformed, "the secret of a Key Vault certificate"},
		"PKCS #7":                      {outbound.Config{Source: outbound.File{Path: file("c.p7b", block("PKCS7"))}}, outbound.ReasonMalformed, "openssl pkcs7 -print_certs"},
		"PKCS #7 in DER":               {outbound.Config{Source: outbound.File{Path: file("c.der", []byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"))}}, outbound.ReasonMalformed, "openssl pkcs7 -inform der -print_certs"},
		"a request":                    {outbound.Config{Source: outbound.File{Path: file("d.pem", block("CERTIFICATE REQUEST"))}}, outbound.ReasonMalformed, "a request is no certificate"},
		"PKCS#12 of many iterations":   {outbound.Config{Source: outbound.File{Path: "testdata/pkcs12/iterations-1000000.p12"}}, outbound.ReasonMalformed, "with the defaults of openssl pkcs12 -export"},
		"a key alone":                  {outbound.Config{Source: outbound.File{Path: file("f.pem", keyPEM(t, own.Key))}}, outbound.ReasonMalformed, "Path is the file of the certificate and Key that of the key"},
		"a key alone in PKCS#12":       {outbound.Config{Source: outbound.File{Path: "testdata/pkcs12/key-only.p12"}}, outbound.ReasonMalformed, "export the key with its certificate"},
		"a key in DER":                 {outbound.Config{Source: outbound.File{Path: file("k.der", der.Bytes)}}, outbound.ReasonMalformed, "openssl pkey -inform DER"},
		"a trusted certificate":        {outbound.Config{Source: outbound.File{Path: file("t.pem", block("TRUSTED CERTIFICATE"))}}, outbound.ReasonMalformed, "openssl x509 -in OLD -out NEW"},
		"a large file":                 {outbound.Config{Source: outbound.File{Path: file("g.pem", make([]byte, 2<<20))}}, outbound.ReasonMalformed, "is this the right place?"},
		"PEM on one line":              {outbound.Config{Source: outbound.File{Path: file("h.pem", bytes.ReplaceAll(bundle(t, own), []byte("\n"), []byte(" ")))}}, outbound.ReasonMalformed, "PKCS#12 in base64, which no editor and no setting changes"},
		"a folder":                     {outbound.Config{Source: outbound.File{Path: folder}}, outbound.ReasonSourceUnavailable, "for a folder use Directory"},
		"a file":                       {outbound.Config{Source: outbound.Directory{Path: whole.Path}}, outbound.ReasonSourceUnavailable, "for a file use File"},
		"PEM that is called PKCS#12":   {outbound.Config{Source: outbound.Fetch(func(context.Context) (string, []byte, error) { return "application/x-pkcs12", bundle(t, own), nil })}, outbound.ReasonMalformed, "return the content type application/x-pem-file"},
		"a variable with a path":       {outbound.Config{Source: outbound.Env{Name: "OUTBOUND_PATH"}}, outbound.ReasonMalformed, "use File with the value of the variable as Path"},
		"a variable with escapes":      {outbound.Config{Source: outbound.Env{Name: "OUTBOUND_ESCAPES"}}, outbound.ReasonMalformed, "set the variable with its line ends"},
		"a certificate for later":      {outbound.Config{Source: whole, Now: func() time.Time { return own.NotBefore.Add(-time.Hour) }}, outbound.ReasonCertificateNotYetValid, "the certificate in use now must stay in the source"},
		"parameters":                   {outbound.Config{Source: outbound.File{Path: file("e.pem", block("DH PARAMETERS"))}}, outbound.ReasonMalformed, "remove this block"},
	} {
		assert.Contains(t, refused(t, tc.config, tc.reason).Hint, tc.want, name)
	}
}
