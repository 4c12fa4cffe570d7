package certauth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// CVE-2023-2422 Keycloak: the identity was taken from any certificate of the chain.
func TestIdentity_OnlyTheFirstCertificateIsTheClient(t *testing.T) {
	w := newWorld(t)
	stranger := certauthtest.SelfSigned(t, "client").Certificate
	second := w.issue(t, certauthtest.DNS("admin.example"))
	genuine := w.leaf.Certificate
	for name, policy := range map[string]certauth.Policy{
		"chain": w.chain(), "thumbprint": certauth.Thumbprints{thumbprint(genuine)},
		"key": certauth.PublicKeys{spkiPin(genuine)}, "certificate": certauth.Certificates(genuine),
	} {
		id, err := judge(t, policy, genuine, stranger)
		require.NoError(t, err, name)
		assert.True(t, id.Leaf.Equal(genuine), name)
		_, err = judge(t, policy, stranger, genuine)
		assert.Contains(t, []certauth.Reason{certauth.ReasonChainUntrusted, certauth.ReasonPinMismatch}, reasonOf(err), name)
	}
	id, err := judge(t, w.chain(), genuine, stranger, genuine, second)
	require.NoError(t, err)
	assert.Equal(t, []*x509.Certificate{genuine, stranger, second}, id.Presented, "in order, without copies of the leaf")
	_, err = judge(t, w.behind(certauth.DNSNames{"admin.example"}), genuine, second)
	assert.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err), "names of the second certificate: %v", err)
}

// CVE-2026-39388 OpenBao (PR #2932), CVE-2026-4740 OCM, CVE-2024-1052 Boundary: another
// certificate with the same names was accepted later in the session.
func TestIdentity_SiblingCertificateIsAnotherIdentity(t *testing.T) {
	w := newWorld(t)
	renewed := w.ca.IssueFor(t, w.leaf.Key, "client").Certificate // same key, same subject
	sibling := w.issue(t)                                         // same subject
	seen := map[string]bool{}
	for _, leaf := range []*certauth.Identity{identity(t, w, w.leaf.Certificate.Raw), identity(t, w, renewed.Raw), identity(t, w, sibling.Raw)} {
		for _, binding := range []string{leaf.Thumbprint(), leaf.ThumbprintSHA1(), leaf.X5TS256()} {
			assert.False(t, seen[binding])
			seen[binding] = true
		}
	}
	assert.Equal(t, identity(t, w, renewed.Raw).PublicKeyHash(), identity(t, w, w.leaf.Raw).PublicKeyHash())
	_, err := judge(t, certauth.Thumbprints{thumbprint(w.leaf.Certificate)}, renewed)
	assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(err))
}

func identity(t *testing.T, w world, der []byte) *certauth.Identity {
	t.Helper()
	id, err := judge(t, w.chain(), parse(t, der))
	require.NoError(t, err)
	return id
}

// go-jwt-middleware core.SetClaims, authn-go SetInfo: any code could forge an identity.
// (TestModule_NobodyExportsASetterOfTheIdentity examines the signatures.)
func TestIdentity_OnlyTheMiddlewareCanSetIt(t *testing.T) {
	type identityKey struct{}
	w := newWorld(t)
	id := identity(t, w, w.leaf.Raw)
	for _, key := range []any{identityKey{}, "identity", "certauth.identity", "certauth.identityKey", reflect.TypeFor[certauth.Identity](), certauth.Identity{}.Source} {
		ctx := context.WithValue(t.Context(), key, id)
		found, ok := certauth.FromContext(ctx)
		assert.False(t, ok, "%v", key)
		assert.Nil(t, found)
	}
}

// A certificate made by openssl, and its digests as printed by openssl and coreutils:
//
//	openssl x509 -in c.pem -fingerprint -sha256 (and -sha1) -noout
//	openssl x509 -in c.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum
const (
	opensslPEM = `-----BEGIN CERTIFICATE-----
MIIBjjCCATSgAwIBAgIUVBE6K1cXIRJaNqFplcAOhNFPgz4wCgYIKoZIzj0EAwIw
JDEQMA4GA1UECgwHUGFydG5lcjEQMA4GA1UEAwwHYmlsbGluZzAeFw0yNjExMjIw
ODQ2NTJaFw0zNjExMTkwODQ2NTJaMCQxEDAOBgNVBAoMB1BhcnRuZXIxEDAOBgNV
BAMMB2JpbGxpbmcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARoU8D+/jSfrwF0
lpUmP7bzwwrFgKz97YoPDmqHNv0H8RBftHGs42Kqy3E+o63afxxhUoFo4Wr9sdLg
WSyDriRXo0QwQjAMBgNVHRMBAf8EAjAAMBMGA1UdJQQMMAoGCCsGAQUFBwMCMB0G
A1UdDgQWBBQFXh8RlgAEv/iK4YJcoqsnXP3MlDAKBggqhkjOPQQDAgNIADBFAiB8
PBrVoaOFeS4+i/pzQcsaFZoh7BDt8z0PV4wfF04a6gIhAMvTAgmyy0KwatC+NzOE
IO68avDtLNz4e/pQb479sT5J
-----END CERTIFICATE-----
`
	opensslSHA256 = "3C:96:13:DB:20:87:3D:41:12:B8:F1:5D:FC:1D:BB:1B:25:0B:C3:C8:88:39:C5:9E:DD:C1:7C:27:D3:3C:BF:CC"
	opensslSHA1   = "5F:60:87:46:32:C2:A3:F5:57:49:CF:80:0D:0D:D6:CA:DD:AC:CD:CB"
	opensslSPKI   = "6191b582e0bc9b1ca0e8435585bb54fafed9ac04e68f859a6c567c0abe085969"
)

func TestIdentity_FingerprintsAreThoseOfOpenSSL(t *testing.T) {
	leaf := decodePEM(t, []byte(opensslPEM))
	id, err := judgeAt(t, leaf.NotBefore, certauth.Thumbprints{opensslSHA256}, leaf)
	require.NoError(t, err)
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, ":", "")) }
	assert.Equal(t, plain(opensslSHA256), id.Thumbprint())
	assert.Equal(t, plain(opensslSHA1), id.ThumbprintSHA1())
	spki, err := hex.DecodeString(opensslSPKI)
	require.NoError(t, err)
	assert.Equal(t, base64.StdEncoding.EncodeToString(spki), id.PublicKeyHash())
	// RFC 8705, section 3.1: base64url without padding of the SHA-256 of the DER.
	sum, err := hex.DecodeString(plain(opensslSHA256))
	require.NoError(t, err)
	want := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(base64.StdEncoding.EncodeToString(sum))
	assert.Equal(t, want, id.X5TS256())
	assert.Len(t, id.X5TS256(), 43)
	for _, policy := range []certauth.Policy{certauth.ThumbprintsSHA1{opensslSHA1}, certauth.PublicKeys{opensslSPKI}, certauth.PublicKeys{id.PublicKeyHash()}} {
		_, err = judgeAt(t, leaf.NotBefore, policy, leaf)
		assert.NoError(t, err)
	}
}

func TestIdentity_RemainingCountsToTheEnd(t *testing.T) {
	ca := aroundNoon(t)
	leaf := ca.Issue(t, "client", certauthtest.Valid(noon.Add(-time.Hour), noon.Add(time.Hour))).Certificate
	id, err := judgeAt(t, noon, chainOf(ca), leaf)
	require.NoError(t, err)
	assert.Equal(t, time.Hour, id.Remaining(noon))
	assert.Zero(t, id.Remaining(noon.Add(time.Hour)))
	assert.Equal(t, -time.Second, id.Remaining(noon.Add(time.Hour+time.Second)))
}

func TestIdentity_LogValueHoldsNoCertificate(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, certauthtest.DNS("secret.example"))
	record := func(policy certauth.Policy) string {
		id, err := judge(t, policy, leaf)
		require.NoError(t, err)
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).Info("seen", "identity", id)
		return out.String()
	}
	vouched := record(certauth.Named{Name: "partner", Policy: w.chain()})
	assert.Contains(t, vouched, thumbprint(leaf))
	assert.Contains(t, vouched, "CN=client")
	assert.Contains(t, vouched, "partner")
	pinned := record(certauth.PublicKeys{spkiPin(leaf)})
	assert.NotContains(t, pinned, "CN=client", "a name that is not vouched for")
	for _, text := range []string{vouched, pinned} {
		for _, raw := range []string{base64.StdEncoding.EncodeToString(leaf.Raw)[:24], hex.EncodeToString(leaf.Raw)[:24], "BEGIN", "secret.example", "RawTBS"} {
			assert.NotContains(t, text, raw)
		}
	}
	var none *certauth.Identity
	assert.Equal(t, slog.KindGroup, none.LogValue().Kind())
	assert.Empty(t, none.LogValue().Group())
	assert.Empty(t, (&certauth.Identity{}).LogValue().Group())
}

// finding N74: an identity was printed as pointers and bytes of the certificate.
func TestIdentity_IsPrintedAsItIsLogged(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t)
	id, err := judge(t, certauth.Named{Name: "partner", Policy: w.chain()}, leaf)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(id), fmt.Sprintf("%v", id), fmt.Sprintf("%+v", id)} {
		assert.Equal(t, id.LogValue().String(), text)
		assert.Contains(t, text, "fingerprint="+thumbprint(leaf))
		assert.Contains(t, text, "CN=client")
		assert.Contains(t, text, "matched=[partner]")
	}
	var none *certauth.Identity
	assert.Equal(t, "[]", none.String())
}

func TestPinSource_FileEnvironmentAndFunction(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	pin, sha1, key := thumbprint(leaf), sha1Pin(leaf), spkiPin(leaf)
	file := func(content string) certauth.PinFile {
		name := filepath.Join(t.TempDir(), "pins")
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		return certauth.PinFile(name)
	}
	environment := func(name, value string) certauth.Env {
		t.Setenv(name, value)
		return certauth.Env(name)
	}
	function := func(pins ...string) certauth.PinFunc {
		return func(context.Context) ([]string, error) { return pins, nil }
	}
	const no, yes = certauth.ReasonPinMismatch, certauth.ReasonNone
	runVerdicts(t, []verdict{
		{"a file", certauth.ThumbprintsFrom(file("# partner\n\n" + pinOfNobody + "\r\n  " + pin + " # renewed in May\n")), leaf, yes},
		{"a file without a line end", certauth.ThumbprintsFrom(file(pin)), leaf, yes},
		{"a file with the pin behind a #", certauth.ThumbprintsFrom(file(pinOfNobody + "\n#" + pin)), leaf, no},
		{"a variable", certauth.ThumbprintsSHA1From(environment("PINS_1", sha1)), leaf, yes},
		{"a variable with a list", certauth.ThumbprintsFrom(environment("PINS_2", pinOfNobody+", ;\r\n"+pin+";")), leaf, yes},
		{"a variable with other pins", certauth.ThumbprintsFrom(environment("PINS_3", pinOfNobody)), leaf, no},
		{"a function", certauth.PublicKeysFrom(function(key)), leaf, yes},
		{"a function with other pins", certauth.PublicKeysFrom(function(pinOfNobody)), leaf, no},
	})
	runMisconfigured(t, []misconfigured{
		{"nil", certauth.ThumbprintsFrom(nil), []string{"Policy.ThumbprintsFrom: nil source"}},
		{"typed nil", certauth.PublicKeysFrom(certauth.PinFunc(nil)), []string{"Policy.PublicKeysFrom: nil source"}},
		{"a variable that is not set", certauth.ThumbprintsFrom(certauth.Env("PINS_NONE")), []string{`Policy.ThumbprintsFrom: environment variable "PINS_NONE": not set or empty`}},
		{"a variable of separators", certauth.ThumbprintsFrom(environment("PINS_4", ",;")), []string{`Policy.ThumbprintsFrom: environment variable "PINS_4": pin: empty`}},
		{"a bad pin", certauth.ThumbprintsSHA1From(environment("PINS_5", sha1+","+pin)), []string{`Policy.ThumbprintsSHA1From: environment variable "PINS_5": pin[1]: 32 bytes, want 20 (SHA-256 needs Thumbprints)`}},
		{"a function without pins", certauth.PublicKeysFrom(function()), []string{"Policy.PublicKeysFrom: function: pin: empty"}},
		{"a function that panics", certauth.PublicKeysFrom(certauth.PinFunc(func(context.Context) ([]string, error) { panic("vault") })), []string{"Policy.PublicKeysFrom: panic: vault"}},
		{"an error of the function", certauth.PublicKeysFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return []string{key}, os.ErrPermission })), []string{"Policy.PublicKeysFrom: permission denied"}},
	})
	for name, source := range map[string]certauth.PinSource{
		"an empty file": file("# nothing\n"), "a folder": certauth.PinFile(t.TempDir()), "no file": certauth.PinFile(filepath.Join(t.TempDir(), "none")),
	} {
		mistakes := mistakesOf(t, certauth.ThumbprintsFrom(source))
		require.Len(t, mistakes, 1, name)
		assert.True(t, strings.HasPrefix(mistakes[0], "Policy.ThumbprintsFrom: "), mistakes[0])
	}
}

// "A list is fixed once read": later changes by a function to its slice have no effect.
func TestPinSource_FunctionsSliceIsCopied(t *testing.T) {
	w := newWorld(t)
	pins := []string{thumbprint(w.leaf.Certificate)}
	auth := authOf(t, certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return pins, nil })), time.Time{}, w.leaf.Certificate)
	pins[0] = pinOfNobody
	_, err := auth.Check(request())
	require.NoError(t, err)
	require.NoError(t, auth.Reload(t.Context()))
	_, err = auth.Check(request())
	assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(err), "the pins were replaced: %v", err)
}
