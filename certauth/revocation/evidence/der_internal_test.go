package evidence

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// X.690, section 8.3.2: the first nine bits of an INTEGER are not all the same.
func TestReadInteger_IsMinimal(t *testing.T) {
	for _, tc := range []struct {
		content string
		want    bool
	}{
		{"", false},
		{"\x00", true},
		{"\x7f", true},
		{"\x80", true},
		{"\xff", true},
		{"\x00\x00", false},
		{"\x00\x7e", false},
		{"\x00\x7f", false},
		{"\x00\x80", true},
		{"\x00\xff", true},
		{"\x01\x00", true},
		{"\x01\x7f", true},
		{"\xff\x7f", true},
		{"\xff\x7e", true},
		{"\xff\x80", false},
		{"\xff\x81", false},
		{"\xfe\x80", true},
	} {
		s := cryptobyte.String(ocsptest.Element(ocsptest.TagInteger, []byte(tc.content)))
		content, ok := readInteger(&s)
		assert.Equal(t, tc.want, ok, "%x", tc.content)
		if ok {
			assert.Equal(t, tc.content, string(content))
		}
	}
}

// RFC 6960, section 4.1.1: the hash of a key is that of its octets. Data without whole octets, or
// that is not a key, has none.
func TestKeyBits_AreWholeOctets(t *testing.T) {
	algorithm := ocsptest.Element(ocsptest.TagSequence, []byte{6, 1, 42})
	spki := func(content ...[]byte) []byte { return ocsptest.Element(ocsptest.TagSequence, content...) }
	bits, ok := keyBits(spki(algorithm, []byte{3, 3, 0, 7, 8}))
	assert.True(t, ok)
	assert.Equal(t, []byte{7, 8}, bits)
	for name, der := range map[string][]byte{
		"nothing":                      nil,
		"no SEQUENCE":                  {5, 0},
		"no algorithm":                 spki([]byte{3, 2, 0, 7}),
		"no key":                       spki(algorithm),
		"a key that is an OCTET":       spki(algorithm, []byte{4, 2, 0, 7}),
		"a key of seven bits":          spki(algorithm, []byte{3, 2, 1, 8}),
		"a key of an octet and a half": spki(algorithm, []byte{3, 3, 4, 7, 0xF0}),
	} {
		_, ok := keyBits(der)
		assert.False(t, ok, name)
	}
}

// Data that is not a certificate has no serial number.
func TestSerialBytes_AreOfACertificate(t *testing.T) {
	cert := func(content ...[]byte) []byte {
		return ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.TagSequence, content...))
	}
	version := ocsptest.Element(ocsptest.Explicit(0), []byte{2, 1, 2})
	for name, der := range map[string][]byte{"version 3": cert(version, []byte{2, 1, 9}), "version 1": cert([]byte{2, 1, 9})} {
		serial, ok := serialBytes(der)
		assert.True(t, ok, name)
		assert.Equal(t, []byte{9}, serial, name)
	}
	for name, der := range map[string][]byte{
		"nothing":                nil,
		"no SEQUENCE":            {5, 0},
		"no TBSCertificate":      ocsptest.Element(ocsptest.TagSequence, []byte{5, 0}),
		"a version that is half": cert([]byte{0xA0, 5}),
		"a version alone":        cert(version),
		"a serial that is NULL":  cert(version, []byte{5, 0}),
	} {
		_, ok := serialBytes(der)
		assert.False(t, ok, name)
	}
}

// A delegate must not have the key of the certificate in question, in any encoding; for keys of an
// unknown kind the encoding decides.
func TestSameKey_WhateverTheEncoding(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := func(public any, spki string) *x509.Certificate {
		return &x509.Certificate{PublicKey: public, RawSubjectPublicKeyInfo: []byte(spki)}
	}
	for name, tc := range map[string]struct {
		a, b *x509.Certificate
		want bool
	}{
		"the same in one encoding":           {cert(key.Public(), "a"), cert(key.Public(), "a"), true},
		"the same in two encodings":          {cert(key.Public(), "a"), cert(key.Public(), "b"), true},
		"two keys":                           {cert(key.Public(), "a"), cert(other.Public(), "b"), false},
		"a kind that is not known, the same": {cert(nil, "a"), cert(nil, "a"), true},
		"a kind that is not known, two keys": {cert(nil, "a"), cert(nil, "b"), false},
	} {
		assert.Equal(t, tc.want, sameKey(tc.a, tc.b), name)
		assert.Equal(t, tc.want, sameKey(tc.b, tc.a), name)
	}
}
