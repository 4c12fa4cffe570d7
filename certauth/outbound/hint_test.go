package outbound_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// finding O63: for a key of another certificate the hint was to export the key with the certificate, and for what belongs
// elsewhere to look whether the file is still being written.
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
		"parameters":                   {outbound.Config{Source: outbound.File{Path: file("e.pem", block("DH PARAMETERS"))}}, outbound.ReasonMalformed, "remove this block"},
	} {
		assert.Contains(t, refused(t, tc.config, tc.reason).Hint, tc.want, name)
	}
}
