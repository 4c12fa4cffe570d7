package forwarded

import (
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// Every decoder checks the length first, so that a long value costs nothing: a value of exactly the
// limit is refused because of its content, the next longer one because of its length.
func TestDecoders_LengthIsAskedFirst(t *testing.T) {
	leaf, list := maxLeafHeader, maxChainHeader
	for name, tc := range map[string]struct {
		decode func(string) ([]*x509.Certificate, error)
		limit  int
	}{
		"base64 DER":              {single(decodeBase64DER), leaf},
		"base64 DER list":         {decodeBase64List, list},
		"concatenated base64 DER": {decodeBase64Concatenated, list},
		"byte sequences":          {decodeByteSequenceList, list},
		"percent-encoded PEM":     {decodeURLPEM, leaf},
		"a chain of them":         {decodeURLPEMChain, list},
		"spaced PEM":              {single(decodeSpacedPEM), leaf},
		"XFCC":                    {func(value string) ([]*x509.Certificate, error) { _, err := parseXFCC(value); return nil, err }, list},
		"XFCC in JSON":            {func(value string) ([]*x509.Certificate, error) { _, err := parseXFCCJSON(value); return nil, err }, list},
	} {
		for extra, long := range map[int]bool{0: false, 1: true, 4: true, 100: true} {
			certs, err := tc.decode(strings.Repeat("M", tc.limit+extra))
			require.Error(t, err, "%s: %d", name, extra)
			assert.Empty(t, certs, name)
			assert.Equal(t, long, strings.Contains(err.Error(), "want at most "+strconv.Itoa(tc.limit)), "%s, %d more than the limit: %v", name, extra, err)
		}
	}
}

// Any number of bytes after the last certificate is an error, and so is half a certificate.
func TestDecodeConcatenated_NothingFollowsTheLast(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	der := slices.Concat(ca.Issue(t, "client").Raw, ca.Certificate.Raw)
	encode := base64.StdEncoding.EncodeToString
	certs, err := decodeBase64Concatenated(encode(der))
	require.NoError(t, err)
	assert.Len(t, certs, 2)
	for _, rest := range [][]byte{{0}, {0x30}, {5, 0}, {0x30, 0}, {0x30, 0x80, 0, 0}, ca.Certificate.Raw[:len(ca.Certificate.Raw)-1]} {
		certs, err := decodeBase64Concatenated(encode(slices.Concat(der, rest)))
		assert.Error(t, err, "%x", rest[:1])
		assert.Empty(t, certs)
	}
}

// A text can be valid base64 of almost nothing.
func TestDecodeBase64DER_FewBytesAreNoCertificate(t *testing.T) {
	for _, der := range []string{"\x30", "\x30\x00", "\x30\x80", "\x30\x81", "\x30\x81\x00", "\x30\x82\x00\x00", "\x30\x01\x30", "\x30\x02\x30\x00", "\x30\xFF\x30", "\x30\x7F\x30"} {
		cert, err := decodeBase64DER(base64.StdEncoding.EncodeToString([]byte(der)))
		assert.Error(t, err, "%x", der)
		assert.Nil(t, cert)
	}
}

// The texts that an operator reads about invalid base64, or base64 of something other than DER.
func TestDecodeBase64DER_SaysWhatIsWrong(t *testing.T) {
	for value, want := range map[string]string{
		"AAAA":           "not of a DER sequence",
		"MIIBQR":         "not whole bytes",
		"MII!":           "byte 0x21 at offset 3",
		"AII!":           "byte 0x21 at offset 3",
		"M===":           "not whole bytes",
		"MIIB\nMIIB":     "not whole bytes",
		"MIJ=":           "bits beyond the last byte",
		"MR==":           "bits beyond the last byte",
		"MII@":           "byte 0x40 at offset 3",
		"MII[":           "byte 0x5b at offset 3",
		"MII`":           "byte 0x60 at offset 3",
		"MII{":           "byte 0x7b at offset 3",
		"MII:":           "byte 0x3a at offset 3",
		"MII.":           "byte 0x2e at offset 3",
		"MAAA":           "does not begin with a sequence in a sequence",
		"MAIwAAAA":       "not of one certificate",
		"-MII":           "byte 0x2d at offset 0",
		"MIIBMIIBMIIB\n": "not whole bytes",
	} {
		_, err := decodeBase64DER(value)
		assert.ErrorContains(t, err, want, "%q", value)
	}
}

// single gives the decoder of one certificate the form of the others.
func single(decode func(string) (*x509.Certificate, error)) func(string) ([]*x509.Certificate, error) {
	return func(value string) ([]*x509.Certificate, error) {
		cert, err := decode(value)
		if err != nil {
			return nil, err
		}
		return []*x509.Certificate{cert}, nil
	}
}
