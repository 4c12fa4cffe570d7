package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// knowsMLDSA reports whether this Go release reads ML-DSA keys. They must be accepted everywhere or
// refused everywhere.
const knowsMLDSA = mldsa.Key != x509.UnknownPublicKeyAlgorithm

// mldsaWorld is one parameter set of testdata/mldsa: the example certificate of RFC 9881 as the
// root, and the objects that it has signed.
type mldsaWorld struct {
	root, leaf *x509.Certificate
	ocsp, crl  []byte
}

// mldsaNow is within the lifetime of all evidence there.
var mldsaNow = time.Date(2026, 1, 3, 12, 0, 0, 0, time.UTC)

func readMLDSA(t *testing.T, set string) *mldsaWorld {
	t.Helper()
	w := &mldsaWorld{}
	blocks := func(file string) (list []*pem.Block) {
		text, err := os.ReadFile("../testdata/mldsa/" + file + set + ".pem")
		require.NoError(t, err)
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			list = append(list, block)
		}
		return list
	}
	made := blocks("made-")
	require.Len(t, made, 3)
	var err error
	w.root, err = x509.ParseCertificate(blocks("rfc9881-")[0].Bytes)
	require.NoError(t, err)
	w.leaf, err = x509.ParseCertificate(made[0].Bytes)
	require.NoError(t, err)
	w.ocsp, w.crl = made[1].Bytes, made[2].Bytes
	return w
}

// Fetch answers with the response, or the list, of the world.
func (w *mldsaWorld) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	switch r.URL {
	case "http://crl.partner.example/root.crl":
		return revocation.Response{Body: w.crl}, nil
	case "http://ocsp.partner.example/":
		return revocation.Response{Body: w.ocsp}, nil
	}
	if strings.HasPrefix(r.URL, "http://ocsp.partner.example/") { // GET
		return revocation.Response{Body: w.ocsp}, nil
	}
	return revocation.Response{}, errors.New("nobody is there")
}

func (w *mldsaWorld) chain() certauth.Chain {
	return certauth.Chain{Roots: certauth.Certificates(w.root)}
}

func (w *mldsaWorld) notRevoked(t *testing.T, sources revocation.Sources) certauth.Policy {
	t.Helper()
	checker, err := revocation.New(revocation.Config{Fetcher: w, Sources: sources, Now: func() time.Time { return mldsaNow }})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, checker.Close()) })
	return certauth.All{w.chain(), certauth.NotRevoked{Checker: checker}}
}

// finding N13: ML-DSA certificates, which crypto/x509 reads since Go 1.27, were malformed on every
// release. They are now accepted there like others; on earlier releases they are refused with an
// explanation.
func TestMLDSA_PassesWhereGoKnowsIt(t *testing.T) {
	const unknown = "(FIPS 204): not supported by this program, which was built with "
	for _, set := range []string{"44", "65", "87"} {
		w := readMLDSA(t, set)
		for _, tc := range []struct {
			name   string
			policy func(*testing.T) certauth.Policy
			ca     bool // the CA's key is needed, so New refuses it
		}{
			{"chain", func(*testing.T) certauth.Policy { return w.chain() }, true},
			{"pin", func(*testing.T) certauth.Policy { return certauth.Thumbprints{thumbprint(w.leaf)} }, false},
			{"key pin", func(*testing.T) certauth.Policy { return certauth.PublicKeys{spkiPin(w.leaf)} }, false},
			{"OCSP signed by the CA", func(t *testing.T) certauth.Policy { return w.notRevoked(t, revocation.OCSPOnly) }, true},
			{"CRL signed by the CA", func(t *testing.T) certauth.Policy { return w.notRevoked(t, revocation.CRLOnly) }, true},
		} {
			t.Run("ML-DSA-"+set+", "+tc.name, func(t *testing.T) {
				auth, err := certauth.New(certauth.Config{
					Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: tc.policy(t), Now: func() time.Time { return mldsaNow },
				})
				if tc.ca && !knowsMLDSA {
					require.ErrorContains(t, err, "public key of ML-DSA-"+set+" "+unknown)
					return
				}
				require.NoError(t, err)
				id, err := auth.Check(appServiceRequest(t, w.leaf))
				if knowsMLDSA {
					require.NoError(t, err)
					assert.Equal(t, w.leaf.Raw, id.Leaf.Raw)
					return
				}
				refused := refusalOf(t, err)
				assert.Equal(t, certauth.ReasonCertificateMalformed, refused.Reason)
				assert.ErrorContains(t, refused, "public key of ML-DSA-"+set+" "+unknown)
				assert.Contains(t, refused.Hint, "Go 1.27 or later")
			})
		}
	}
}

func appServiceRequest(t *testing.T, leaf *x509.Certificate) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.example/", http.NoBody)
	certauthtest.SetAppServiceHeaders(r.Header, r)
	r.Header.Set(certHeader, base64.StdEncoding.EncodeToString(leaf.Raw))
	return r
}

func refusalOf(t *testing.T, err error) *certauth.Error {
	t.Helper()
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return refused
}

// A single changed bit of the CA's signature is sufficient: a new algorithm is no reason to accept.
func TestMLDSA_AChangedBitIsRefused(t *testing.T) {
	for _, set := range []string{"44", "65", "87"} {
		w := readMLDSA(t, set)
		change := func(der []byte) []byte {
			changed := append([]byte(nil), der...)
			changed[len(changed)-100] ^= 1
			return changed
		}
		options := revocation.VerifyOptions{Now: mldsaNow}
		forged, err := x509.ParseCertificate(change(w.leaf.Raw))
		require.NoError(t, err)
		t.Run("ML-DSA-"+set+", OCSP", func(t *testing.T) {
			good, goodErr := revocation.VerifyOCSP(w.ocsp, w.leaf, w.root, options)
			_, badErr := revocation.VerifyOCSP(change(w.ocsp), w.leaf, w.root, options)
			checkMLDSAEvidence(t, good, goodErr, badErr)
		})
		t.Run("ML-DSA-"+set+", CRL", func(t *testing.T) {
			good, goodErr := revocation.VerifyCRL(w.crl, w.leaf, w.root, options)
			_, badErr := revocation.VerifyCRL(change(w.crl), w.leaf, w.root, options)
			checkMLDSAEvidence(t, good, goodErr, badErr)
		})
		t.Run("ML-DSA-"+set+", chain", func(t *testing.T) {
			if !knowsMLDSA {
				t.Skip("New refuses the CA")
			}
			auth := must(t, certauth.Config{
				Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: w.chain(), Now: func() time.Time { return mldsaNow },
			})
			_, err := auth.Check(appServiceRequest(t, forged))
			assert.Equal(t, certauth.ReasonChainUntrusted, refusalOf(t, err).Reason)
		})
	}
}

func checkMLDSAEvidence(t *testing.T, good revocation.Result, goodErr, badErr error) {
	t.Helper()
	if !knowsMLDSA {
		require.ErrorIs(t, goodErr, evidence.ErrWeakAlgorithm)
		require.ErrorContains(t, goodErr, "Go 1.27 and later support it")
		require.ErrorIs(t, badErr, evidence.ErrWeakAlgorithm)
		return
	}
	require.NoError(t, goodErr)
	assert.Equal(t, revocation.Good, good.Status)
	require.ErrorIs(t, badErr, revocation.ErrBadSignature)
}

// The sizes in the documentation of package forwarded are those of such leaves, and a source for
// each form accepts them.
func TestMLDSA_FitsIntoHeaders(t *testing.T) {
	text, err := os.ReadFile("forwarded/doc.go")
	require.NoError(t, err)
	documented := regexp.MustCompile(`(?m)^//\tML-DSA-(\d\d) +(\d+) +(\d+) +(\d+)$`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, documented, 3)
	for _, line := range documented {
		leaf := readMLDSA(t, line[1]).leaf
		encoded := base64.StdEncoding.EncodeToString(leaf.Raw)
		escaped := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})))
		for i, size := range []int{len(leaf.Raw), len(encoded), len(escaped)} {
			about, err := strconv.Atoi(line[2+i])
			require.NoError(t, err)
			assert.InDelta(t, about, size, 150, line[0])
		}
		if !knowsMLDSA {
			continue
		}
		auth := must(t, certauth.Config{
			Source: forwarded.Nginx{From: forwarded.InsecureAnyPeer()}, Policy: certauth.Thumbprints{thumbprint(leaf)}, Now: func() time.Time { return mldsaNow },
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.Header.Set("X-Client-Cert", escaped)
		r.Header.Set("X-Client-Verify", "SUCCESS")
		_, err := auth.Check(r)
		require.NoError(t, err)
	}
}
