package outbound_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// Names only suggest the signer: certificates with the same name and other keys, expired ones and roots must not be
// presented, in whatever order they are.
func TestChain_OrderedBySignature(t *testing.T) {
	root, other := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Other Root")
	upper := root.NewIntermediate(t, "Upper")
	lower := upper.NewIntermediate(t, "Lower")
	leaf := issue(t, lower, "orders")
	namesake := upper.NewIntermediate(t, "Lower") // of the same name, with another key
	decoy := certauthtest.NewCA(t, "Lower")
	expired := upper.NewIntermediate(t, "Lower", certauthtest.Valid(time.Now().Add(-9*day), time.Now().Add(-day)))
	ofExpired := issue(t, expired, "orders")
	crossed := other.CrossSign(t, upper) // the same name and key as upper, from another root
	inOtherType := *lower.Certificate
	inUTF8(t, "Lower")(&inOtherType)
	renamed := upper.CrossSign(t, &certauthtest.CA{Certificate: &inOtherType})
	for _, tc := range []struct {
		name string
		data []byte
		leaf *certauthtest.Certificate
		want [][]byte
	}{
		{"whole, in order", bundle(t, leaf, lower.Certificate, upper.Certificate, root.Certificate), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, upper.Certificate.Raw}},
		{"backwards", append(certPEM(root.Certificate, upper.Certificate, lower.Certificate), bundle(t, leaf)...), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, upper.Certificate.Raw}},
		{"with namesakes", append(certPEM(namesake.Certificate, decoy.Certificate, upper.Certificate), bundle(t, leaf, lower.Certificate)...), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, upper.Certificate.Raw}},
		{"without the issuer", bundle(t, leaf, upper.Certificate), leaf, [][]byte{leaf.Raw}},
		{"without the upper one", bundle(t, leaf, lower.Certificate, root.Certificate), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw}},
		{"with an issuer that has expired", bundle(t, ofExpired, expired.Certificate, upper.Certificate), ofExpired, [][]byte{ofExpired.Raw}},
		{"the leaf twice", append(bundle(t, leaf, lower.Certificate), certPEM(leaf.Certificate)...), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw}},
		{"finding O46 an issuer whose name has other string types", bundle(t, leaf, renamed), leaf, [][]byte{leaf.Raw, renamed.Raw}},
		{"cross-signed alone", bundle(t, leaf, lower.Certificate, crossed, other.Certificate), leaf, [][]byte{leaf.Raw, lower.Certificate.Raw, crossed.Raw}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			own := open(t, outbound.Config{Source: outbound.Fetch((&secret{data: tc.data}).fetch)})
			cert, err := own.GetClientCertificate(asking())
			require.NoError(t, err)
			assert.Equal(t, tc.want, cert.Certificate)
			assert.Equal(t, len(tc.want)-1, own.Status().Intermediates)
		})
	}
	t.Run("two CAs that sign one another", func(t *testing.T) {
		one, two := certauthtest.NewCA(t, "One"), certauthtest.NewCA(t, "Two")
		oneByTwo, twoByOne := two.CrossSign(t, one), one.CrossSign(t, two)
		of := issue(t, one, "orders")
		own := open(t, outbound.Config{Source: outbound.Fetch((&secret{data: bundle(t, of, oneByTwo, twoByOne)}).fetch)})
		assert.Equal(t, 2, own.Status().Intermediates)
	})
}

// primes is an RSA key of many primes, whose modulus is quick to find and to sign with, however long
// it is.
type primes struct {
	rsa.PublicKey

	factors []*big.Int
}

func newPrimes(t *testing.T, bits int) *primes {
	t.Helper()
	key := &primes{PublicKey: rsa.PublicKey{N: big.NewInt(1), E: 65537}}
	for key.N.BitLen() <= bits {
		p, err := rand.Prime(rand.Reader, 256)
		require.NoError(t, err)
		if new(big.Int).Mod(p, big.NewInt(int64(key.E))).Int64() == 1 {
			continue // there is no private exponent
		}
		key.N.Mul(key.N, p)
		key.factors = append(key.factors, p)
	}
	return key
}

func (k *primes) Public() crypto.PublicKey { return &k.PublicKey }

// Sign signs a SHA-256 digest with PKCS #1 v1.5 (RFC 8017, section 9.2), modulo one prime after another.
func (k *primes) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	info := append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, digest...)
	size := (k.N.BitLen() + 7) / 8
	message := new(big.Int).SetBytes(slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(info)), []byte{0}, info))
	one, product, signature := big.NewInt(1), big.NewInt(1), new(big.Int)
	for _, p := range k.factors {
		d := new(big.Int).ModInverse(big.NewInt(int64(k.E)), new(big.Int).Sub(p, one))
		missing := new(big.Int).Exp(message, d, p)
		missing.Mul(missing.Sub(missing, signature), new(big.Int).ModInverse(product, p)).Mod(missing, p)
		signature.Add(signature, missing.Mul(missing, product))
		product.Mul(product, p)
	}
	return signature.FillBytes(make([]byte, size)), nil
}

// finding O3: signatures were verified with RSA keys of any length, which takes minutes for one that fills a file.
func TestChain_NoIssuerThatTakesLongToVerify(t *testing.T) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "Root"}}
	for bits, want := range map[int]int{16384 - 512: 1, 16384: 0} {
		key := newPrimes(t, bits)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Long"}, NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(day),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, root, &key.PublicKey, rootKey)
		require.NoError(t, err)
		issuer, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		template = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "orders"}, NotBefore: time.Now().Add(-day), NotAfter: time.Now().Add(day)}
		der, err = x509.CreateCertificate(rand.Reader, template, issuer, &own.PublicKey, key)
		require.NoError(t, err)
		leaf, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		source := outbound.Fetch((&secret{data: append(certPEM(leaf, issuer), keyPEM(t, own)...)}).fetch)
		assert.Equal(t, want, open(t, outbound.Config{Source: source}).Status().Intermediates, "%d bits", key.N.BitLen())
		config := outbound.Config{Source: source, ServerRoots: outbound.Fetch((&secret{data: certPEM(issuer)}).fetch)}
		if want == 1 {
			open(t, config)
			continue
		}
		assert.ErrorContains(t, refused(t, config, outbound.ReasonMalformed), "more than 16384 bits")
	}
}
