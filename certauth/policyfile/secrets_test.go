package policyfile_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// places returns documents with an @ in the place of a name, or of another text that is not a key.
func places() map[string]string {
	const (
		source = `"source": {"appService": {"insecureOutsideAppService": true}}, `
		policy = `"policy": {"chain": {"roots": {"pemFile": "a.pem"}}}`
	)
	secret := func(value string) string {
		return `{"source": {"nginx": {"from": {"sharedSecret": {"header": "X-S", "values": [` + value + `]}}}}, ` + policy + `}`
	}
	at := map[string]string{
		"a member":                 `{` + source + `"policy": {@: 1}}`,
		"a word":                   `{"source": {"header": {"from": {"insecureAnyPeer": {}}, "name": "X-C", "format": @}}, ` + policy + `}`,
		"a revocation check":       `{` + source + `"policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"notRevoked": {"checker": @}}]}}`,
		"the header of a secret":   `{"source": {"nginx": {"from": {"sharedSecret": {"header": @, "values": [{"file": "secret"}]}}}}, ` + policy + `}`,
		"the file of a secret":     secret(`{"file": @}`),
		"the variable of a secret": secret(`{"env": @}`),
		"a secret":                 secret(`@`),
		"a subject":                `{` + source + `"policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"subject": [@]}]}}`,
		"an issuer's name":         `{` + source + `"policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"issuerName": [@]}]}}`,
		"a denied issuer":          `{` + source + `"policy": {"all": [{"chain": {"roots": {"pemFile": "a.pem"}}}, {"denied": {"serials": [{"issuer": @, "serial": "1"}]}}]}}`,
		"a pin":                    `{` + source + `"policy": {"thumbprints": [@]}}`,
		"a proxy":                  `{` + source + policy + `, "revocation": {"r": {"http": {"proxy": @}}}}`,
		"a network":                `{` + source + policy + `, "revocation": {"r": {"http": {"allowNets": [@]}}}}`,
		"the file of a list":       `{` + source + policy + `, "revocation": {"r": {"issuers": {"pemFile": "a.pem"}, "lists": [{"file": @}]}}}`,
		"the folder of lists":      `{` + source + policy + `, "revocation": {"r": {"issuers": {"pemFile": "a.pem"}, "lists": [{"dir": @}]}}}`,
		"the URL of a list":        `{` + source + policy + `, "revocation": {"r": {"issuers": {"pemFile": "a.pem"}, "lists": [{"url": @}]}}}`,
		"an issuer":                `{` + source + policy + `, "revocation": {"r": {"issuers": {"pemFile": @}}}}`,
		"a header of a case":       `{` + source + policy + `, "cases": [{"name": "a", "at": "now", "expect": "accepted", "headers": [@]}]}`,
		"the name of a case":       `{` + source + policy + `, "cases": [{"name": @, "at": "now", "expect": "anonymous"}]}`,
		"the path of a case":       `{` + source + policy + `, "cases": [{"name": "a", "at": "now", "path": @, "expect": "anonymous"}]}`,
	}
	for _, from := range []string{"pemFile", "certFile", "certDir", "env", "pem"} {
		at["roots by "+from] = `{` + source + `"policy": {"chain": {"roots": {"` + from + `": @}}}}`
		at["certificates by "+from] = `{` + source + `"policy": {"certificates": {"` + from + `": @}}}`
		at["a case by "+from] = `{` + source + policy + `, "cases": [{"name": "a", "at": "now", "expect": "accepted", "certificate": {"` + from + `": @}}]}`
	}
	for _, from := range []string{"file", "env"} {
		at["pins by "+from] = `{` + source + `"policy": {"thumbprintsFrom": {"` + from + `": @}}}`
	}
	return at
}

// finding P1: a key or a shared secret that was written instead of the name of a file or a variable
// was printed completely in the error and the log.
func TestLoad_MistakesShowNoKeyAndNoSecret(t *testing.T) {
	f := newFolder(t)
	seed := []byte("an Ed25519 key for this test only")[:ed25519.SeedSize]
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(seed))
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	inBase64 := base64.StdEncoding.EncodeToString(der)
	shown := func(t *testing.T, document, value string, parts ...string) {
		t.Helper()
		quoted, err := json.Marshal(value)
		require.NoError(t, err)
		path := f.write("policy.json", scoped)
		var log bytes.Buffer
		auth := open(t, path, certauth.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		f.write("policy.json", strings.Replace(document, "@", string(quoted), 1))
		_, opened := policyfile.Open(path, certauth.Config{})
		require.Error(t, opened)
		err = auth.Reload(t.Context())
		require.Error(t, err)
		for _, text := range []string{opened.Error(), fmt.Sprintf("%+v", err), log.String()} {
			for _, part := range parts {
				assert.NotContains(t, text, part)
			}
		}
	}
	f.write("secret", "0123456789abcdef")
	for name, document := range places() {
		for form, key := range map[string]string{
			"PEM": text, "PEM without line ends": strings.ReplaceAll(text, "\n", ""), "base64": inBase64, "hex": hex.EncodeToString(der),
			"PEM in base64":                base64.StdEncoding.EncodeToString([]byte(text)),
			"PEM after a text":             strings.Repeat("Subject: CN=orders\n", 80) + text,
			"base64 after its name":        "PARTNER_KEY=" + inBase64, // finding P12
			"base64 before an equals sign": inBase64 + "=",            // finding P21
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				// The key follows sixteen bytes that are the same in every Ed25519 key.
				shown(t, document, key, inBase64[24:32], hex.EncodeToString(seed)[:8], base64.StdEncoding.EncodeToString([]byte(text))[44:52])
			})
		}
	}
	for _, name := range []string{"the header of a secret", "the file of a secret", "the variable of a secret", "a secret"} {
		t.Run(name, func(t *testing.T) {
			shown(t, places()[name], "T0p-secret/of_the gate", "T0p-secret")
		})
	}
	for _, proxy := range []string{
		"user:T0p-secret@proxy.example:3128", "ftp://user:T0p-secret@proxy.example", "http://user:T0p-secret@proxy.example/path",
		"http://user:T0p-secret@/", "http://user:T0p-secret@a b", "user:T0p-secret",
	} {
		t.Run("a proxy, "+proxy, func(t *testing.T) {
			shown(t, places()["a proxy"], proxy, "T0p-secret")
		})
	}
}

// The expression means the same as package logtext of the root module, whose internal packages another
// module must not build on.
func TestLooksSecret_AsTheRootModule(t *testing.T) {
	content := make([]byte, 200)
	random := rand.New(rand.NewPCG(1, 2))
	lengths := [][]byte{{0x2e}, {0x77}, {0x80}, {0x81, 0xec}, {0x82, 0x04, 0xa4}, {0x82, 0x01, 0x3f}, {0x83, 1, 2, 3}, {0x84, 1, 2, 3, 4}, {0x85, 1, 2}}
	inner := [][]byte{{2, 1, 0}, {2, 1, 3}, {0x30, 0x82}, {6, 9}, {2, 2}, {4, 1}, {0}, {0xa0, 3}}
	found := 0
	for range 20_000 {
		for i := range content {
			content[i] = byte(random.Uint32())
		}
		der := append([]byte{0x30}, lengths[random.IntN(len(lengths))]...)
		der = append(append(der, inner[random.IntN(len(inner))]...), content[:[]int{10, 100}[random.IntN(2)]]...)
		if random.IntN(10) == 0 {
			der[random.IntN(len(der))] ^= 1 << random.IntN(8)
		}
		var text string
		switch random.IntN(4) {
		case 0:
			text = base64.StdEncoding.EncodeToString(der)
		case 1:
			text = base64.RawURLEncoding.EncodeToString(der)
		case 2:
			text = hex.EncodeToString(der)
		case 3:
			text = strings.ToUpper(hex.EncodeToString(der))
		}
		text = []string{"", "KEY=", "/a/", "a", "a ", "MI"}[random.IntN(6)] + text
		if want := logtext.LooksSecret(text); assert.Equal(t, want, policyfile.LooksSecret(text), text) && want {
			found++
		}
	}
	assert.Greater(t, found, 1000)
	assert.Less(t, found, 19_000)
}
