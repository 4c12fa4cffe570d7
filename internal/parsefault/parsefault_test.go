package parsefault_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
)

func certificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Old Root"}, NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return der
}

func TestHelp_OnlyForWhatIsMeantToBeACertificate(t *testing.T) {
	for text, want := range map[string]string{
		"x509: negative serial number":          "4.1.2.2",
		"x509: unsupported elliptic curve":      "P-256",
		"x509: RSA key missing NULL parameters": "RFC 3279",
		"x509: trailing data":                   "",

		// finding R31: crypto/x509 quotes names of the certificate.
		`x509: cannot parse URI "https://RSA.example/%": invalid URL escape "%"`:          "4.2.1.6",
		`x509: cannot parse URI "https://a/negative serial number/%": invalid URL escape`: "4.2.1.6",
		`x509: failed to parse rfc822Name constraint "DSA@policies.example"`:              "4.2.1.10",
		`x509: certificate contains duplicate extension with OID "1.2.3"`:                 "4.2",
		`x509: unhandled "RSA"`:           "",
		"x509: malformed certificate":     "",
		"x509: malformed tbs certificate": "",
	} {
		help := parsefault.Help(errors.New(text))
		assert.Equal(t, want == "", help == "", text)
		assert.Contains(t, help, want, text)
	}
}

func TestSubject_ReadsWhatIsThere(t *testing.T) {
	der := certificate(t)
	assert.Equal(t, `"CN=Old Root"`, parsefault.Subject(der))
	for n := range der {
		if n < 100 {
			assert.Empty(t, parsefault.Subject(der[:n]))
		}
	}
	assert.Empty(t, parsefault.Subject(nil))
	set := bytes.Clone(der)
	set[0] = 0x31
	assert.Empty(t, parsefault.Subject(set), "a certificate is a SEQUENCE")
	set = bytes.Clone(der)
	set[4] = 0x31
	assert.Empty(t, parsefault.Subject(set), "and so is its signed part")
}

// finding S37: a long subject was formatted and searched for keys as a whole.
func TestSubject_ALongOneCostsLittle(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: strings.Repeat("M-", 7500)}, NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	subject := parsefault.Subject(der)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10))
	assert.Equal(t, `"CN=`+strings.Repeat("M-", 46)+`M..."`, subject)
}

// Subject never panics, and its result is short ASCII.
func FuzzSubject(f *testing.F) {
	der := certificate(f)
	f.Add(der)
	f.Add(der[:40])
	f.Add([]byte{0x30, 2, 0x30, 0})
	f.Fuzz(func(t *testing.T, input []byte) {
		subject := parsefault.Subject(input)
		assert.LessOrEqual(t, len(subject), 10*logtext.MaxQuoted)
		for i := range len(subject) {
			assert.True(t, subject[i] >= 0x20 && subject[i] < 0x7f)
		}
	})
}
