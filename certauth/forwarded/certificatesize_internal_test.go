package forwarded

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// certificateOf returns a certificate of exactly that many bytes.
func certificateOf(t *testing.T, size int) []byte {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	var der []byte
	for padding := size - 400; ; padding += size - len(der) {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
			ExtraExtensions: []pkix.Extension{{Id: []int{1, 2, 3, 4}, Value: make([]byte, padding)}},
		}
		der, err = x509.CreateCertificate(rand.Reader, template, template, public, key)
		require.NoError(t, err)
		if len(der) == size {
			return der
		}
	}
}

// 16 KiB of DER are read, and not a byte more, for the leaf and for certificates sent along.
func TestParse_SizeOfOneCertificate(t *testing.T) {
	fits, large := certificateOf(t, 16384), certificateOf(t, 16385)
	_, err := parseDER(fits)
	require.NoError(t, err)
	_, err = parseDER(large)
	require.ErrorContains(t, err, "16385 bytes of DER, want at most 16384")

	// Unreadable certificates are passed on within the same bound.
	framed := func(size int) []byte {
		der := make([]byte, size)
		copy(der, []byte{0x30, 0x82, byte((size - 4) >> 8), byte(size - 4), 0x30, 0})
		return der
	}
	cert, err := parseAlong(framed(16384), parseBase64DER)
	require.NoError(t, err)
	assert.Len(t, cert.Raw, 16384)
	_, err = parseAlong(framed(16385), parseBase64DER)
	require.Error(t, err)
}

// A chain in one text is limited to 64 KiB, like one in several texts.
func TestChainReader_SizeOfOneText(t *testing.T) {
	c := chainReader{format: ChainBase64Concatenated, name: "X-Chain"}.prepared()
	for size, want := range map[int]bool{65536: true, 65537: false} {
		o := source.Key{"leaf"}.Offer()
		err := c.offer(http.Header{"X-Chain": {strings.Repeat("x", size)}}, &o)
		assert.Equal(t, want, err == nil, "%d: %v", size, err)
		assert.Equal(t, want, o.Len() == 2, size)
	}
}
