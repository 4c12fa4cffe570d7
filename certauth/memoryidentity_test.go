package certauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// unread is an extension that is not read here, as long as a list of timestamps can be.
func unread(n int) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: make([]byte, n)}
}

// callers returns certificates of one CA below one root, as a front end writes them.
func callers(tb testing.TB, b *bench, n int, dress func(t *x509.Certificate)) []string {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	texts := make([]string, n)
	for i := range texts {
		t := &x509.Certificate{
			SerialNumber: new(big.Int).Add(big.NewInt(int64(i)), new(big.Int).Lsh(big.NewInt(1), 120)),
			Subject:      pkix.Name{CommonName: fmt.Sprintf("client %d", i), Organization: []string{"Partner Ltd"}, Country: []string{"DE"}},
			NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			DNSNames: []string{"orders.partner.example", "billing.partner.example"},
		}
		dress(t)
		der, err := x509.CreateCertificate(rand.Reader, t, b.issuing, key.Public(), b.issuingKey)
		require.NoError(tb, err)
		texts[i] = base64.StdEncoding.EncodeToString(der)
		if i == 0 {
			tb.Logf("%d bytes of DER", len(der))
		}
	}
	return texts
}

// The memory for a caller is limited, including its parsed certificate and the text by which it is
// recognised. The CAs that callers share count once.
func TestMemory_OfARememberedCaller(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	n := 1000
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		n = 4000
	}
	for _, tc := range []struct {
		name  string
		dress func(*x509.Certificate)
		most  float64
	}{
		{"a certificate of 0.8 kB", func(c *x509.Certificate) {
			c.CRLDistributionPoints, c.OCSPServer = []string{"http://crl.partner.example/issuing1.crl"}, []string{"http://ocsp.partner.example"}
			c.ExtraExtensions = []pkix.Extension{unread(160)}
		}, 6000},
		{"a certificate of 1.07 kB with a URI and an e-mail address", func(c *x509.Certificate) {
			c.Subject.OrganizationalUnit, c.Subject.Locality = []string{"Payments and Settlement"}, []string{"Frankfurt am Main"}
			c.CRLDistributionPoints, c.OCSPServer = []string{"http://crl.partner.example/issuing-ca-1/full.crl"}, []string{"http://ocsp.partner.example/issuing-ca-1"}
			c.IssuingCertificateURL = []string{"http://pki.partner.example/issuing-ca-1/issuing-ca-1.cer"}
			c.ExtraExtensions = []pkix.Extension{unread(180)}
			c.URIs = []*url.URL{{Scheme: "spiffe", Host: "partner.example", Path: "/payments/settlement/client"}}
			c.EmailAddresses = []string{"settlement@partner.example"}
		}, 7500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, "p256", 1)
			texts := callers(t, b, n, tc.dress)
			auth, err := certauth.New(certauth.Config{
				Source: forwarded.AppService{InsecureOutsideAppService: true}, CacheSize: 2 * n,
				Policy: certauth.All{b.chain(), certauth.DNSNames{"billing.partner.example"}},
			})
			require.NoError(t, err)
			r := realRequest(t)
			ask := func(text string) {
				r.Header.Set(certHeader, text)
				_, err := auth.Check(r)
				require.NoError(t, err)
			}
			ask(texts[0]) // makes the places of the cache
			before := liveHeap()
			for _, text := range texts {
				ask(text)
				ask(text) // is a regular now
			}
			grown := float64(liveHeap() - before)
			known := auth.Remembered()
			t.Logf("%d of %.0f bytes", known, grown/float64(known))
			assert.Greater(t, known, n*8/10)
			assert.LessOrEqual(t, grown/float64(known), tc.most)
			runtime.KeepAlive(auth)
			runtime.KeepAlive(texts) // the header values were there before
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
