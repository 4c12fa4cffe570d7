package certpem_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/certpem"
)

func block(t testing.TB, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestParse_EveryCertificateOrAnError(t *testing.T) {
	a, b := block(t, "a"), block(t, "b")
	damaged := strings.Replace(a, "\nM", "\n!", 1)
	require.NotEqual(t, a, damaged)
	lines := strings.SplitAfter(a, "\n")
	for _, tc := range []struct {
		name, bundle string
		want         []string // names, or nil for an error
	}{
		{"one", a, []string{"a"}},
		{"two", a + b, []string{"a", "b"}},
		{"the same twice", a + a, []string{"a", "a"}},
		{"text around and between", "# roots\n" + a + "\nsubject=b\n" + b + "the end\n", []string{"a", "b"}},
		{"no line end at the end", strings.TrimSuffix(a, "\n"), []string{"a"}},
		{"CRLF", strings.ReplaceAll(a+b, "\n", "\r\n"), []string{"a", "b"}},
		{"nothing", "", nil},
		{"text alone", "no certificate here\n", nil},
		{"DER", decode(t, a), nil},
		{"a key", strings.ReplaceAll(a, "CERTIFICATE", "PRIVATE KEY"), nil},
		{"a certificate and a key", a + strings.ReplaceAll(b, "CERTIFICATE", "EC PRIVATE KEY"), nil},
		{"TRUSTED CERTIFICATE", strings.ReplaceAll(a, "CERTIFICATE", "TRUSTED CERTIFICATE"), nil},
		{"X509 CERTIFICATE", strings.ReplaceAll(a, "CERTIFICATE", "X509 CERTIFICATE"), nil},
		{"a request", strings.ReplaceAll(a, "CERTIFICATE", "CERTIFICATE REQUEST"), nil},
		{"a damaged block first", damaged + b, nil},
		{"a damaged block last", b + damaged, nil},
		{"a block that does not end", strings.Join(lines[:len(lines)-2], "") + b, nil},
		{"a block cut short at the end", b + strings.Join(lines[:4], ""), nil},
		{"base64 of no certificate", b + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", nil},
		{"an empty block", b + "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", nil},
		{"two certificates in one block", b + twoInOne(t, a), nil},
		{"files joined without a line end", strings.TrimSuffix(a, "\n") + b, nil},
	} {
		certs, err := certpem.Parse([]byte(tc.bundle))
		if tc.want == nil {
			assert.Error(t, err, tc.name)
			assert.Nil(t, certs, tc.name)
			continue
		}
		var names []string
		for _, cert := range certs {
			names = append(names, cert.Subject.CommonName)
		}
		assert.NoError(t, err, tc.name)
		assert.Equal(t, tc.want, names, tc.name)
	}
}

// As the doc of Parse says, a block that encoding/pem would skip silently is an error, because the
// set would shrink. encoding/pem requires BEGIN at the very start of a line.
func TestParse_NoBlockIsSkippedInSilence(t *testing.T) {
	a, b := block(t, "a"), block(t, "b")
	for name, bundle := range map[string]string{
		"a byte-order mark in front, as Windows writes it": "\ufeff" + a + b,
		"text in front of BEGIN":                           b + "subject=a " + a,
		"a quoted mail":                                    b + "> " + a,
		"no-break space in front of BEGIN":                 b + "\u00a0" + a,
		"a blank in front of BEGIN":                        b + " " + a,
		"line ends of old":                                 b + strings.ReplaceAll(a, "\n", "\r"),
		"two blocks glued, then a third":                   strings.TrimSuffix(a, "\n") + a + b,
	} {
		certs, err := certpem.Parse([]byte(bundle))
		if err == nil {
			assert.Len(t, certs, strings.Count(bundle, "-----BEGIN CERTIFICATE"), "%s: a certificate is lost silently", name)
		}
	}
}

// finding N118: of PKCS #7, in which Windows saves chains (.p7b), the error did not say how to convert it.
func TestParse_SaysHowToConvertPKCS7(t *testing.T) {
	_, err := certpem.Parse([]byte("-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n"))
	assert.ErrorContains(t, err, `block 0 is a "PKCS7", want CERTIFICATE (openssl pkcs7 -print_certs)`)
}

// finding O79: of a certificate in openssl's own forms the error did not say how to convert it.
func TestParse_SaysHowToConvertTheFormsOfOpenSSL(t *testing.T) {
	for _, form := range []string{"TRUSTED CERTIFICATE", "X509 CERTIFICATE"} {
		_, err := certpem.Parse([]byte("-----BEGIN " + form + "-----\nAAAA\n-----END " + form + "-----\n"))
		assert.ErrorContains(t, err, `block 0 is a "`+form+`", want CERTIFICATE (openssl x509 -in OLD -out NEW)`)
	}
}

// finding N114: of a file that is cut, as a half copied or half written one, the error named a byte order mark or text
// before a marker.
func TestParse_SaysThatTheEndMayBeMissing(t *testing.T) {
	for _, cut := range []string{block(t, "a")[:200], block(t, "a") + block(t, "b")[:200]} {
		_, err := certpem.Parse([]byte(cut))
		assert.ErrorContains(t, err, "a missing end")
	}
}

// finding P10: in a bundle with an unresolved merge conflict, the CAs of both sides were trusted.
func TestParse_AMergeConflictIsAnError(t *testing.T) {
	a, b := block(t, "a"), block(t, "b")
	for name, bundle := range map[string]string{
		"whole":                "<<<<<<< HEAD\n" + a + "=======\n" + b + ">>>>>>> rotate-the-root\n",
		"in the middle":        a + "<<<<<<< HEAD\n=======\n" + b + ">>>>>>> rotate-the-root\n",
		"CRLF":                 strings.ReplaceAll(a+"<<<<<<< HEAD\n=======\n"+b+">>>>>>> x\n", "\n", "\r\n"),
		"half mended":          "<<<<<<< HEAD\n" + a + b,
		"half mended, the end": a + b + ">>>>>>> x",
		"without labels":       "<<<<<<<\n" + a + "=======\n" + b + ">>>>>>>\n",
		"longer marks":         "<<<<<<<<< HEAD\n" + a + "=========\n" + b + ">>>>>>>>> x\n", // conflict-marker-size in gitattributes
	} {
		_, err := certpem.Parse([]byte(bundle))
		assert.ErrorContains(t, err, "merge conflict", name)
	}
	list, err := certpem.Parse([]byte("Root A\n=======\n" + a + "a <<<<<<< b\n" + b))
	require.NoError(t, err, "trust stores underline names")
	assert.Len(t, list, 2)
}

// X.690, sections 8.1.3.4 to 8.1.3.6: the second octet is a length up to 127, 0x80 for an
// indefinite length, or more for the number of octets that hold the length.
func TestIsDER_BeginsAsALongSequence(t *testing.T) {
	for content, want := range map[string]bool{
		"": false, "0": false, "0\x7f": false, "0\x80": true, "0\x81": true, "0\x82\x01\x00": true,
		"1\x82\x01\x00": false, "01": false, "\x04\x82": false, "-----BEGIN CERTIFICATE-----": false,
	} {
		assert.Equal(t, want, certpem.IsDER([]byte(content)), "%q", content)
	}
}

// The Unicode Standard, section 3.10, D98: a byte order mark is FE FF or FF FE. Without one, the
// hyphen at the start of PEM has a zero byte next to it.
func TestParse_TellsUTF16(t *testing.T) {
	for begin, want := range map[string]bool{
		"\xff\xfe": true, "\xfe\xff": true, "-\x00": true, "\x00-": true,
		"\xff-": false, "-\xfe": false, "\xfe-": false, "-\xff": false, "-a": false, "a\x00": false, "\x00a": false, "-": false,
	} {
		for _, text := range []string{begin, begin + "--"} {
			_, err := certpem.Parse([]byte(text))
			require.Error(t, err)
			assert.Equal(t, want, strings.Contains(err.Error(), "UTF-16"), "%q: %v", text, err)
		}
	}
}

func TestParse_SizeIsBounded(t *testing.T) {
	a := block(t, "a")
	full := a + strings.Repeat("#", certpem.MaxBundle-len(a))
	_, err := certpem.Parse([]byte(full))
	assert.NoError(t, err)
	_, err = certpem.Parse([]byte(full + "#"))
	assert.Error(t, err)
}

func decode(t *testing.T, text string) string {
	t.Helper()
	found, _ := pem.Decode([]byte(text))
	require.NotNil(t, found)
	return string(found.Bytes)
}

func twoInOne(t *testing.T, text string) string {
	t.Helper()
	der := decode(t, text)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(der + der)}))
}

// Exactly the blocks that a plain loop over pem.Decode reads are accepted, and no block is omitted.
func FuzzParse(f *testing.F) {
	a, b := block(f, "a"), block(f, "b")
	for _, seed := range []string{a, a + b, "text\n" + a, "\ufeff" + a + b, a + "x" + b, strings.Replace(a, "\nM", "\n!", 1) + b, "", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", strings.ReplaceAll(a, "CERTIFICATE", "PRIVATE KEY")} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, bundle []byte) {
		certs, err := certpem.Parse(bundle)
		if err != nil {
			assert.Nil(t, certs)
			return
		}
		require.NotEmpty(t, certs)
		rest := bundle
		for _, cert := range certs {
			var found *pem.Block
			found, rest = pem.Decode(rest)
			require.NotNil(t, found)
			assert.Equal(t, "CERTIFICATE", found.Type)
			assert.Equal(t, found.Bytes, cert.Raw)
		}
		found, _ := pem.Decode(rest)
		assert.Nil(t, found)
		assert.Equal(t, len(certs), bytes.Count(bundle, []byte("-----BEGIN CERTIFICATE-----")), "a block was skipped")
	})
}
