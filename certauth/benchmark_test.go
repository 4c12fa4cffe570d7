package certauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// bench holds the certificates of the benchmarks: leaf, intermediate and root with keys of one
// kind, and a policy with a chain, a pin and a name.
type bench struct {
	root, issuing *x509.Certificate
	issuingKey    crypto.Signer
	leaves        []*x509.Certificate
	headers       []string
	leafKey       crypto.Signer
	serial        int64
}

func newKeyOf(tb testing.TB, kind string) crypto.Signer {
	tb.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "rsa4096":
		key, err = rsa.GenerateKey(rand.Reader, 4096)
	}
	require.NoError(tb, err)
	return key
}

// newBench issues n leaves. An RSA-4096 leaf is below RSA-2048 CAs.
func newBench(tb testing.TB, kind string, n int) *bench {
	tb.Helper()
	caKind := kind
	if kind == "rsa4096" {
		caKind = "rsa2048"
	}
	b := &bench{}
	template := func(name string) *x509.Certificate {
		b.serial++
		return &x509.Certificate{
			SerialNumber: new(big.Int).Add(big.NewInt(b.serial), new(big.Int).Lsh(big.NewInt(1), 120)),
			Subject:      pkix.Name{CommonName: name, Organization: []string{"Partner Ltd"}, Country: []string{"DE"}},
			NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
			BasicConstraintsValid: true,
		}
	}
	ca := func(name string) *x509.Certificate {
		t := template(name)
		t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
		return t
	}
	rootKey, issuingKey := newKeyOf(tb, caKind), newKeyOf(tb, caKind)
	rootTemplate := ca("Partner Root CA")
	b.root = create(tb, rootTemplate, rootTemplate, rootKey.Public(), rootKey)
	b.issuing = create(tb, ca("Partner Issuing CA 1"), b.root, issuingKey.Public(), rootKey)
	b.issuingKey, b.leafKey = issuingKey, newKeyOf(tb, kind)
	for i := range n {
		b.add(tb, template(fmt.Sprintf("client %d", i)))
	}
	return b
}

func (b *bench) add(tb testing.TB, t *x509.Certificate) {
	tb.Helper()
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{"orders.partner.example", "billing.partner.example"}
	t.CRLDistributionPoints, t.OCSPServer = []string{"http://crl.partner.example/issuing1.crl"}, []string{"http://ocsp.partner.example"}
	leaf := create(tb, t, b.issuing, b.leafKey.Public(), b.issuingKey)
	b.leaves = append(b.leaves, leaf)
	b.headers = append(b.headers, base64.StdEncoding.EncodeToString(leaf.Raw))
}

func (b *bench) chain() certauth.Chain {
	return certauth.Chain{Roots: certauth.Certificates(b.root), Intermediates: certauth.Certificates(b.issuing)}
}

// policy returns a chain, a pin on the shared key, and a name.
func (b *bench) policy(more ...certauth.Policy) certauth.Policy {
	return append(certauth.All{
		b.chain(),
		certauth.PublicKeys{spkiPin(b.leaves[0])},
		certauth.DNSNames{"billing.partner.example", "other.partner.example"},
	}, more...)
}

func (b *bench) auth(tb testing.TB, change ...func(*certauth.Config)) *certauth.Authenticator {
	tb.Helper()
	config := certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: b.policy()}
	for _, f := range change {
		f(&config)
	}
	auth, err := certauth.New(config)
	require.NoError(tb, err)
	return auth
}

type outerKey struct{}

// realRequest returns a request with ten headers and a context with a cancel function and a value.
func realRequest(tb testing.TB) *http.Request {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithValue(tb.Context(), outerKey{}, 1))
	tb.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example/orders", http.NoBody)
	require.NoError(tb, err)
	for name, value := range map[string]string{
		"Accept": "*/*", "Accept-Encoding": "gzip", "Content-Type": "application/json", "User-Agent": "partner/1.0",
		"X-Forwarded-For": "192.0.2.1:50000", "X-Arr-Log-Id": "f4b3b2a1-0000-4000-8000-000000000000",
		"X-Arr-Ssl":          "2048|256|CN=Microsoft Azure RSA TLS Issuing CA 03, O=Microsoft Corporation, C=US|CN=*.azurewebsites.net, O=Microsoft Corporation, L=Redmond, S=WA, C=US",
		"X-Appservice-Proto": "https", "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	} {
		r.Header.Set(name, value)
	}
	r.RemoteAddr = "10.0.0.4:41234"
	return r
}

const certHeader = "X-Arr-Clientcert"

// final is the innermost handler. The request must escape; otherwise its copy would be made on the
// stack, and the comparison would be meaningless.
//
//go:noinline
func final(_ http.ResponseWriter, r *http.Request) { sink = r }

//go:noinline
func finalWithIdentity(_ http.ResponseWriter, r *http.Request) {
	sink = r
	id, ok := certauth.FromContext(r.Context())
	if !ok {
		panic("no identity")
	}
	sinkLeaf = id.Leaf
}

var (
	sink     *http.Request
	sinkLeaf *x509.Certificate
)

// bare does what every middleware that passes on a value must do.
func bare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), outerKey{}, &sinkLeaf)))
	})
}

// byHand is careful hand-written middleware: decode, parse, dates, pin, verify.
func (b *bench) byHand(next http.Handler) http.Handler {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(b.root)
	intermediates.AddCert(b.issuing)
	pins := map[[20]byte]bool{}
	for _, leaf := range b.leaves {
		pins[sha1.Sum(leaf.Raw)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		der, err := base64.StdEncoding.DecodeString(r.Header.Get("X-ARR-ClientCert"))
		if err != nil {
			panic(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		now := time.Now()
		if now.Before(cert.NotBefore) || now.After(cert.NotAfter) || !pins[sha1.Sum(cert.Raw)] {
			panic("refused")
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			panic(err)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), outerKey{}, cert)))
	})
}

// noResponse is for requests whose response is not read.
type noResponse struct{ header http.Header }

func (w *noResponse) Header() http.Header         { return w.header }
func (w *noResponse) Write(b []byte) (int, error) { return len(b), nil }
func (w *noResponse) WriteHeader(int)             {}

// serve returns a loop that sends the headers in turn through the handler and restores each
// beforehand, as every case does. The handler is the server's own.
func serve(tb testing.TB, h http.Handler, headers ...string) func(n int) {
	tb.Helper()
	r := realRequest(tb)
	return serveRequest(tb, h, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{Handler: h})), headers...)
}

// serveRequest is serve with the caller's request.
func serveRequest(tb testing.TB, h http.Handler, r *http.Request, headers ...string) func(n int) {
	tb.Helper()
	values := make([][]string, len(headers))
	for i, header := range headers {
		values[i] = []string{header}
	}
	w := &noResponse{http.Header{}}
	at := 0
	return func(n int) {
		for range n {
			r.Header[certHeader] = values[at]
			if at++; at == len(values) {
				at = 0
			}
			h.ServeHTTP(w, r)
		}
	}
}
