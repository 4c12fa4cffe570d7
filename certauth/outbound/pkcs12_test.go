package outbound_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// then is a time at which the files of testdata are valid.
var then = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func password(text string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return text, nil }
}

func TestPKCS12_FilesOfOtherPrograms(t *testing.T) {
	for _, tc := range []struct {
		name     string
		file     string
		password string
		chain    int // intermediates presented
		selected outbound.Select
		want     outbound.Reason
	}{
		{"openssl's AES-256 with the chain in the wrong order", "modern.p12", "changeit", 1, outbound.Select{}, ""},
		{"openssl's AES-256 without a chain", "modern-nochain.p12", "changeit", 0, outbound.Select{}, ""},
		{"AES-256 and an empty password", "modern-empty.p12", "", 1, outbound.Select{}, ""},
		{"AES-128", "aes128.p12", "changeit", 1, outbound.Select{}, ""},
		{"AES-192", "aes192.p12", "changeit", 1, outbound.Select{}, ""},
		{"a MAC with SHA-512", "sha512.p12", "changeit", 1, outbound.Select{}, ""},
		{"3DES, as uploads to App Service must be", "3des.p12", "changeit", 1, outbound.Select{}, ""},
		{"3DES and an empty password", "3des-empty.p12", "", 1, outbound.Select{}, ""},
		{"RC2-40, the old default of openssl and Windows", "rc2-40.p12", "changeit", 1, outbound.Select{}, ""},
		{"RC2-40 and an empty password", "rc2-40-empty.p12", "", 1, outbound.Select{}, ""},
		{"RC2-128 for the key too", "rc2-128.p12", "changeit", 1, outbound.Select{}, ""},
		{"attributes as .NET writes them", "dotnet-shaped.p12", "changeit", 1, outbound.Select{}, ""},
		{"no MAC", "nomac.p12", "changeit", 1, outbound.Select{}, ""},
		{"no MAC and an empty password", "nomac-empty.p12", "", 1, outbound.Select{}, ""},
		{"not encrypted at all", "plain.p12", "", 1, outbound.Select{}, ""},
		{"not encrypted, and a password that nobody needs", "plain.p12", "changeit", 1, outbound.Select{}, ""},
		{"not encrypted, with a MAC", "plain-mac.p12", "changeit", 1, outbound.Select{}, ""},
		{"RSA", "rsa.p12", "changeit", 1, outbound.Select{}, ""},
		{"keytool's legacy form", "keytool-legacy.p12", "changeit", 1, outbound.Select{}, ""},
		{"finding O77: a secret key beside the leaf", "keytool-secret.p12", "changeit", 1, outbound.Select{}, ""},
		{"two leaves and two keys, one selected", "keytool-two.p12", "changeit", 1, outbound.Select{Subject: "CN=orders,O=Contoso"}, ""},
		{"two leaves and two keys, the other selected", "keytool-two.p12", "changeit", 1, outbound.Select{Subject: "CN=billing,O=Contoso"}, ""},
		{"two leaves and nothing selected", "keytool-two.p12", "changeit", 0, outbound.Select{}, outbound.ReasonAmbiguous},
		{"two leaves and neither selected", "keytool-two.p12", "changeit", 0, outbound.Select{Subject: "CN=payments,O=Contoso"}, outbound.ReasonNotSelected},

		{"a wrong password", "modern.p12", "changeIt", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"no password where there is one", "modern.p12", "", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"a password where the empty one is right", "modern-empty.p12", "changeit", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"a wrong password for 3DES", "3des.p12", "x", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"a wrong password without a MAC", "nomac.p12", "x", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"no password without a MAC", "nomac.p12", "", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"a password beyond the basic plane", "modern.p12", "\U0001F511", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"a wrong password for a MAC alone", "plain-mac.p12", "x", 0, outbound.Select{}, outbound.ReasonPasswordWrong},
		{"more iterations than anybody needs", "iterations-1000000.p12", "changeit", 0, outbound.Select{}, outbound.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := outbound.Config{
				Source:   outbound.File{Path: filepath.Join("testdata", "pkcs12", tc.file)},
				Select:   tc.selected,
				Password: password(tc.password), Now: at(then),
			}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			status := open(t, config).Status()
			assert.True(t, status.Usable)
			assert.Equal(t, tc.chain, status.Intermediates)
			if tc.selected.Subject != "" {
				assert.Equal(t, tc.selected.Subject, status.Subject)
			} else {
				assert.Equal(t, "CN=orders,O=Contoso", status.Subject)
			}
		})
	}
}

// finding O38: of a password that is wrong the error did not say that none was given, as by a variable that is not set,
// or that it ends in the line end of the file from which it was read; and of a reference that App Service had not
// resolved it said only that the password is another.
func TestPKCS12_SaysWhatIsPeculiarAboutAWrongPassword(t *testing.T) {
	for _, tc := range []struct {
		name, file, password string
		reason               outbound.Reason
		want                 string
	}{
		{"none", "modern.p12", "", outbound.ReasonPasswordWrong, "no password was given"},
		{"none, without a MAC", "nomac.p12", "", outbound.ReasonPasswordWrong, "no password was given"},
		{"a line end", "modern.p12", "changeit\n", outbound.ReasonPasswordWrong, "it begins or ends with white space"},
		{"a line end, without a MAC", "nomac.p12", "changeit\r\n", outbound.ReasonPasswordWrong, "it begins or ends with white space"},
		{"a space in front", "modern.p12", " changeit", outbound.ReasonPasswordWrong, "it begins or ends with white space"},
		{"another", "modern.p12", "change it", outbound.ReasonPasswordWrong, "another password, or the file was changed ("},
		{"a reference", "modern.p12", "@Microsoft.KeyVault(VaultName=vault;SecretName=password)", outbound.ReasonReferenceUnresolved, "Password returns an unresolved reference"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := refused(t, outbound.Config{Source: outbound.File{Path: filepath.Join("testdata", "pkcs12", tc.file)}, Password: password(tc.password)}, tc.reason)
			assert.ErrorContains(t, e, tc.want)
			assert.NotContains(t, e.Error(), "changeit", "the password itself is a secret")
		})
	}
}

// A file from Azure's own tools: its password is NULL, which gives other keys than the empty
// password.
func TestPKCS12_NullPasswordOfAzure(t *testing.T) {
	own := open(t, outbound.Config{
		Source: outbound.Fetch((&secret{contentType: "application/x-pkcs12", data: fixture(t, "azure-null-password.p12")}).fetch),
		Now:    at(time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)),
	})
	assert.Contains(t, own.Status().Subject, "Windows Azure Tools")
}

func TestPKCS12_KeyVaultSecret(t *testing.T) {
	file := fixture(t, "modern-empty.p12")
	encoded := []byte(base64.StdEncoding.EncodeToString(file))
	wrapped := append(append(bytes.Clone(encoded[:64]), '\r', '\n'), encoded[64:]...)
	bundled := append(append(fixture(t, "leaf.key"), fixture(t, "root.pem")...), append(fixture(t, "intermediate.pem"), fixture(t, "leaf.pem")...)...)
	for _, tc := range []struct {
		name, contentType string
		data              []byte
		want              outbound.Reason
	}{
		{"PKCS#12 in base64", "application/x-pkcs12", encoded, ""},
		{"PKCS#12 in base64 on lines", "application/x-pkcs12", wrapped, ""},
		{"PKCS#12 as it is", "application/x-pkcs12", file, ""},
		{"the type in another case and with a parameter", "Application/X-PKCS12; charset=utf-8", encoded, ""},
		{"PEM with the leaf last and the root before its intermediate", "application/x-pem-file", bundled, ""},
		{"no type, PEM", "", bundled, ""},
		{"no type, base64", "", encoded, ""},
		{"PEM that is called PKCS#12", "application/x-pkcs12", bundled, outbound.ReasonMalformed},
		{"PKCS#12 that is called PEM", "application/x-pem-file", encoded, outbound.ReasonMalformed},
		{"another type", "text/plain", encoded, outbound.ReasonMalformed},
		{"an empty secret", "application/x-pkcs12", nil, outbound.ReasonSourceUnavailable},
		{"base64 of the URL alphabet", "application/x-pkcs12", []byte(base64.URLEncoding.EncodeToString(file)), outbound.ReasonMalformed},
		{"a certificate of which the key stayed in the vault", "application/x-pem-file", fixture(t, "leaf.pem"), outbound.ReasonKeyMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := outbound.Config{Source: outbound.Fetch((&secret{contentType: tc.contentType, data: tc.data}).fetch), Now: at(then)}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			assert.Equal(t, 1, open(t, config).Status().Intermediates)
		})
	}
}

// Whatever is truncated or changed, the result is an error with a reason or the right certificate, and never a
// panic.
func TestPKCS12_TruncatedAndChanged(t *testing.T) {
	for _, name := range []string{"modern.p12", "3des.p12", "rc2-40.p12", "plain.p12", "keytool-two.p12"} {
		t.Run(name, func(t *testing.T) {
			whole := fixture(t, name)
			path := filepath.Join(t.TempDir(), name)
			config := outbound.Config{
				Source: outbound.File{Path: path}, Password: password("changeit"), Now: at(then),
				Select: outbound.Select{Subject: "CN=orders,O=Contoso"},
			}
			step := max(1, len(whole)/40)
			for cut := 1; cut < len(whole); cut += step {
				write(t, path, whole[:cut])
				refused(t, config, outbound.ReasonMalformed)
			}
			for i := 0; i < len(whole); i += step {
				changed := bytes.Clone(whole)
				changed[i] ^= 0x15
				write(t, path, changed)
				own, err := outbound.Open(t.Context(), config)
				if err == nil {
					assert.Equal(t, "plain.p12", name, "offset %d: a change may pass only without a MAC", i)
					assert.NoError(t, own.Close())
				}
			}
		})
	}
}

func TestPKCS12_Limits(t *testing.T) {
	whole := fixture(t, "modern.p12")
	folder := t.TempDir()
	t.Run("a megabyte and a byte is not read", func(t *testing.T) {
		path := filepath.Join(folder, "big.p12")
		write(t, path, append(bytes.Clone(whole), make([]byte, 1<<20+1-len(whole))...))
		refused(t, outbound.Config{Source: outbound.File{Path: path}, Password: password("changeit"), Now: at(then)}, outbound.ReasonMalformed)
	})
	t.Run("a megabyte of a fetched secret and a byte is not decoded", func(t *testing.T) {
		data := make([]byte, 1<<20+1)
		copy(data, whole)
		refused(t, outbound.Config{Source: outbound.Fetch((&secret{data: data}).fetch), Now: at(then)}, outbound.ReasonMalformed)
	})
	t.Run("bytes after the end are refused", func(t *testing.T) {
		path := filepath.Join(folder, "more.p12")
		write(t, path, append(bytes.Clone(whole), 0))
		refused(t, outbound.Config{Source: outbound.File{Path: path}, Password: password("changeit"), Now: at(then)}, outbound.ReasonMalformed)
	})
	t.Run("an empty file", func(t *testing.T) {
		path := filepath.Join(folder, "empty.p12")
		write(t, path, nil)
		refused(t, outbound.Config{Source: outbound.File{Path: path}, Now: at(then)}, outbound.ReasonMalformed)
	})
	t.Run("a thousand certificates", func(t *testing.T) {
		path := filepath.Join(folder, "many.pem")
		leaf := fixture(t, "leaf.pem")
		write(t, path, append(bytes.Repeat(leaf, 1200), fixture(t, "leaf.key")...))
		refused(t, outbound.Config{Source: outbound.File{Path: path}, Now: at(then)}, outbound.ReasonMalformed)
	})
}

// The limits on memory and work are our own: a file that requires 2^31 iterations is refused before the first one.
func TestPKCS12_RefusalCostsNothing(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	refused(t, outbound.Config{
		Source:   outbound.File{Path: filepath.Join("testdata", "pkcs12", "iterations-1000000.p12")},
		Password: password("changeit"), Now: at(then),
	}, outbound.ReasonMalformed)
	runtime.ReadMemStats(&after)
	// A million iterations of the library allocate more than this many bytes, a number that does not depend on the
	// machine.
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestPEM_Forms(t *testing.T) {
	leaf, key := fixture(t, "leaf.pem"), fixture(t, "leaf.key")
	legacy := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte{1}})
	for _, tc := range []struct {
		name string
		data []byte
		want outbound.Reason
	}{
		{"certificate and key", append(bytes.Clone(leaf), key...), ""},
		{"key first, with text between", append(append(bytes.Clone(key), "subject=/CN=orders\n"...), leaf...), ""},
		{"the parameters of openssl ecparam", append(append(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{5, 0}}), key...), leaf...), ""},
		{"an encrypted key", append(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}), leaf...), outbound.ReasonPasswordWrong},
		{"an encrypted key of the old kind", append(legacy, leaf...), outbound.ReasonPasswordWrong},
		{"a damaged block", append(bytes.Replace(leaf, []byte("\n-----END"), []byte("-----END"), 1), key...), outbound.ReasonMalformed},
		{"a key that is cut off", append(bytes.Clone(leaf), key[:len(key)/2]...), outbound.ReasonMalformed},
		{"a byte order mark", append([]byte("\ufeff"), append(bytes.Clone(leaf), key...)...), outbound.ReasonMalformed},
		{"a request for a certificate", append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{1}}), leaf...), outbound.ReasonMalformed},
		{"a key alone", key, outbound.ReasonMalformed},
		{"a certificate alone", leaf, outbound.ReasonKeyMissing},
		{"zero bytes, as a file that was only allocated", make([]byte, len(leaf)), outbound.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tls.pem")
			write(t, path, tc.data)
			config := outbound.Config{Source: outbound.File{Path: path}, Now: at(then)}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			assert.True(t, open(t, config).Status().Usable)
		})
	}
}

// finding O31: of a file in UTF-16 the error said only that it is no PEM, and of one that a setting or an editor has
// damaged that its blocks are not readable. The errors of PEMFile name the damage.
func TestPEM_SaysWhatDamagedIt(t *testing.T) {
	whole := string(append(fixture(t, "leaf.pem"), fixture(t, "leaf.key")...))
	utf16 := ""
	for _, b := range []byte(whole) {
		utf16 += string([]byte{b, 0})
	}
	for name, tc := range map[string]struct{ data, want string }{
		"UTF-16 of PowerShell":    {"\xff\xfe" + utf16, "this is UTF-16"},
		"UTF-16 without a mark":   {utf16, "this is UTF-16"},
		"a byte order mark":       {"\ufeff" + whole, "a byte order mark"},
		"one line":                {strings.ReplaceAll(whole, "\n", " "), "it is all on one line"},
		"line ends as in JSON":    {strings.ReplaceAll(whole, "\n", `\n`), "a backslash and an n"},
		"base64 of PEM":           {base64.StdEncoding.EncodeToString([]byte(whole)), "this is base64 of PEM"},
		"damaged base64 of a P12": {"MIIKXgIBAzCCCh", "neither PEM nor DER nor base64 of DER"},
	} {
		path := filepath.Join(t.TempDir(), "tls.pem")
		write(t, path, []byte(tc.data))
		failed := refused(t, outbound.Config{Source: outbound.File{Path: path}, Now: at(then)}, outbound.ReasonMalformed)
		assert.ErrorContains(t, failed, path+": ", name)
		assert.ErrorContains(t, failed, tc.want, name)
	}
}

// finding O35: of a certificate or a key on a curve, or of an algorithm, that Go does not support, the error said that it is
// none, and asked whether the file is still being written.
func TestPEM_KeysThatGoDoesNotSupport(t *testing.T) {
	for name, want := range map[string]string{
		"brainpool.pem": ": PEM block 1 is a certificate that cannot be read: x509: unsupported elliptic curve: the key must be on P-256, P-384 or P-521,",
		"brainpool.p12": ": key 0 with part 0: ",
		"ed448.pem":     ": PEM block 2: a private key of an algorithm or curve that Go does not support (have the certificate issued for ",
		"ed448.p12":     ": key 0 with part 0: ",
	} {
		path := filepath.Join(t.TempDir(), name)
		write(t, path, fixture(t, name))
		failed := refused(t, outbound.Config{Source: outbound.File{Path: path}, Password: password("changeit"), Now: at(then)}, outbound.ReasonKeyNotAllowed)
		assert.ErrorContains(t, failed, "outbound: Source.File: key_not_allowed: "+path+want, name)
	}
	path := filepath.Join(t.TempDir(), "der.cer")
	block, _ := pem.Decode(fixture(t, "brainpool.pem"))
	write(t, path, block.Bytes)
	assert.ErrorContains(t, refused(t, outbound.Config{Source: outbound.File{Path: path}}, outbound.ReasonKeyNotAllowed), "unsupported elliptic curve")
	write(t, path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}}))
	assert.ErrorContains(t, refused(t, outbound.Config{Source: outbound.File{Path: path}}, outbound.ReasonMalformed), "PEM block 1 is not a certificate")
}

// PBMAC1 (RFC 9579) can be written by openssl 3.4 and Java 26. Its parameters can be invalid in more ways than those of the
// old MAC.
func TestPKCS12_PBMAC1(t *testing.T) {
	ca := certauthtest.NewCA(t, "Client Root")
	leaf := issue(t, ca, "orders")
	encode := func(password string) []byte {
		file, err := pkcs12.Modern2026.Encode(leaf.Key, leaf.Certificate, nil, password)
		require.NoError(t, err)
		return file
	}
	file := encode("changeit")
	shortKey := bytes.Replace(file, []byte{0x02, 0x02, 0x08, 0x00, 0x02, 0x01, 0x20}, []byte{0x02, 0x02, 0x08, 0x00, 0x02, 0x01, 0x10}, 1)
	require.NotEqual(t, file, shortKey)
	longKey := bytes.Replace(file, []byte{0x02, 0x02, 0x08, 0x00, 0x02, 0x01, 0x20}, []byte{0x02, 0x02, 0x08, 0x00, 0x02, 0x01, 0x7F}, 1)
	for _, tc := range []struct {
		name, password string
		file           []byte
		want           outbound.Reason
	}{
		{"the right password", "changeit", file, ""},
		{"the empty password", "", encode(""), ""},
		{"a wrong password", "x", file, outbound.ReasonPasswordWrong},
		{"no password", "", file, outbound.ReasonPasswordWrong},
		{"CVE-2026-34181 OpenSSL: a derived key of a few bytes", "changeit", shortKey, outbound.ReasonMalformed},
		{"a derived key longer than any hash", "changeit", longKey, outbound.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := outbound.Config{Source: outbound.Fetch((&secret{data: tc.file}).fetch), Password: password(tc.password)}
			if tc.want != "" {
				refused(t, config, tc.want)
				return
			}
			assert.True(t, open(t, config).Status().Usable)
		})
	}
}

// finding O40: of a private key in DER the error said that it is no PKCS#12 file, and of a pin in the notation of curl that
// it has 38 bytes.
func TestOpen_NamesWhatIsThereInstead(t *testing.T) {
	leaf := issue(t, certauthtest.NewCA(t, "Root"), "orders")
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leaf.Key)
	require.NoError(t, err)
	ec, err := x509.MarshalECPrivateKey(leaf.Key.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "tls.pem"), certPEM(leaf.Certificate))
	modulus, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, der := range map[string][]byte{"PKCS #8": pkcs8, "PKCS #1": x509.MarshalPKCS1PrivateKey(modulus), "of elliptic curves": ec} {
		write(t, filepath.Join(folder, "tls.key"), der)
		e := refused(t, outbound.Config{Source: outbound.File{Path: filepath.Join(folder, "tls.pem"), Key: filepath.Join(folder, "tls.key")}}, outbound.ReasonMalformed)
		assert.ErrorContains(t, e, "if it is a private key in DER, convert it to PEM", name)
	}
	// finding O56: of a key in the form of OpenSSH the error was that its text is withheld.
	for _, form := range []string{"OPENSSH", "ANY"} {
		write(t, filepath.Join(folder, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: form + " PRIVATE KEY", Bytes: []byte("openssh-key-v1")}))
		e := refused(t, outbound.Config{Source: outbound.File{Path: filepath.Join(folder, "tls.pem"), Key: filepath.Join(folder, "tls.key")}}, outbound.ReasonMalformed)
		assert.ErrorContains(t, e, "tls.key: PEM block 1: a private key in the form \""+form+"\"; convert it to PKCS #8 (ssh-keygen -p -m PKCS8)")
	}
	_, err = outbound.Open(t.Context(), outbound.Config{Source: outbound.Env{Name: "OWN"}, ServerKeys: []string{"sha256//" + base64.StdEncoding.EncodeToString(make([]byte, 32))}})
	assert.ErrorContains(t, err, "ServerKeys[0]: begins with the name of the hash")
}
