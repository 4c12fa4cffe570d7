package certauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// The tests of this file run in a separate process, because the mode applies to the whole process.
// If it is set for all tests, as .ci/run does, they run directly.
func TestFIPSOnly(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("the other tests run separately")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, "-test.run", "^TestFIPSOnly_", "-test.v")
	command.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, 2, strings.Count(string(out), "\n--- PASS: TestFIPSOnly_"), string(out))
}

func fipsOnly(t *testing.T) {
	t.Helper()
	if !fips140.Enforced() {
		t.Skip("GODEBUG=fips140=only")
	}
}

// finding N12: a policy of SHA-256 pins did not work under fips140=only, because crypto/sha1
// panicked. Each row of the table in .github/FIPS.md is an error, identified by its first words.
func TestFIPSOnly_WhatIsNotAvailable(t *testing.T) {
	fipsOnly(t)
	const sha1Forbidden = "SHA-1 is not available under GODEBUG=fips140=only"
	pki := newFIPSWorld(t)
	rows := map[string]func(t *testing.T){
		"`certauth.ThumbprintsSHA1`": func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: certauth.ThumbprintsSHA1{strings.Repeat("ab", 20)}})
			require.ErrorContains(t, err, "Policy.ThumbprintsSHA1: "+sha1Forbidden)
		},
		"`Identity.ThumbprintSHA1`": func(t *testing.T) {
			assert.Empty(t, (&certauth.Identity{Leaf: pki.leaf.Certificate}).ThumbprintSHA1())
			assert.NotEmpty(t, (&certauth.Identity{Leaf: pki.leaf.Certificate}).Thumbprint())
		},
		"`FingerprintHeader` of": func(t *testing.T) {
			gate := forwarded.InsecureAnyPeer()
			for name, source := range map[string]certauth.Source{
				"Nginx":              forwarded.Nginx{From: gate, FingerprintHeader: "X-Fp"},
				"ApplicationGateway": forwarded.ApplicationGateway{From: gate, FingerprintHeader: "X-Fp"},
				"Kong":               forwarded.Kong{From: gate, FingerprintHeader: "X-Fp"},
				"Header":             forwarded.Header{From: gate, Name: "X-Cert", Format: forwarded.FormatBase64DER, FingerprintName: "X-Fp", FingerprintHash: forwarded.HashSHA1},
			} {
				_, err := certauth.New(certauth.Config{Source: source, Policy: certauth.Thumbprints{thumbprint(pki.leaf.Certificate)}})
				require.ErrorContains(t, err, sha1Forbidden, name)
			}
		},
		"`revocation.Config.CertIDHash` other": func(t *testing.T) {
			for _, hash := range []crypto.Hash{0, crypto.SHA1} {
				_, err := revocation.New(revocation.Config{CertIDHash: hash})
				require.ErrorContains(t, err, "CertIDHash: "+sha1Forbidden)
			}
		},
		"`Verify.AllowSHA1`": func(t *testing.T) {
			_, err := revocation.New(revocation.Config{CertIDHash: crypto.SHA256, Verify: revocation.VerifyOptions{AllowSHA1: true}})
			require.ErrorContains(t, err, "Verify.AllowSHA1: "+sha1Forbidden)
			signed := ocsptest.Algorithm{Identifier: ocsptest.ECDSA(crypto.SHA1).Identifier, Signature: []byte{1}}
			list := ocsptest.List{Issuer: pki.root.Certificate.RawSubject, ThisUpdate: ocsptest.At(pki.now), Key: pki.key, Algorithm: signed}
			der, err := list.Encode()
			require.NoError(t, err)
			_, err = revocation.VerifyCRL(der, pki.leaf.Certificate, pki.root.Certificate, revocation.VerifyOptions{Now: pki.now, AllowSHA1: true, AllowNoNextUpdate: true})
			require.ErrorIs(t, err, evidence.ErrWeakAlgorithm)
			require.ErrorContains(t, err, sha1Forbidden)
		},
		"an OCSP answer": func(t *testing.T) {
			_, err := revocation.VerifyOCSP(pki.response(t, crypto.SHA1, ocsptest.ByName(pki.root.Certificate.RawSubject)), pki.leaf.Certificate, pki.root.Certificate, revocation.VerifyOptions{Now: pki.now})
			require.ErrorIs(t, err, evidence.ErrNoMatch)
			require.ErrorContains(t, err, sha1Forbidden)
		},
		"an OCSP responder": func(t *testing.T) {
			var byKey []byte
			fips140.WithoutEnforcement(func() { byKey = ocsptest.ByKey(pki.root.Certificate) })
			_, err := revocation.VerifyOCSP(pki.response(t, crypto.SHA256, byKey), pki.leaf.Certificate, pki.root.Certificate, revocation.VerifyOptions{Now: pki.now})
			require.ErrorIs(t, err, evidence.ErrNoSigner)
			require.ErrorContains(t, err, sha1Forbidden)
		},
		"RSA keys": func(t *testing.T) {
			root, leaf := smallExponent(t)
			check := func() error {
				auth := must(t, certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: certauth.Chain{Roots: certauth.Certificates(root)}})
				_, err := auth.Check(appServiceRequest(t, leaf))
				return err
			}
			assert.Equal(t, certauth.ReasonChainUntrusted, refusalOf(t, check()).Reason)
			fips140.WithoutEnforcement(func() { assert.NoError(t, check()) })
		},
		"PKCS#12 in": func(t *testing.T) {
			var pfx []byte
			fips140.WithoutEnforcement(func() {
				var err error
				pfx, err = pkcs12.Modern2023.Encode(pki.leaf.Key, pki.leaf.Certificate, nil, "password")
				require.NoError(t, err)
			})
			_, err := outbound.Open(t.Context(), outbound.Config{
				Source: outbound.File{Path: pki.file(t, pfx)}, Password: func(context.Context) (string, error) { return "password", nil },
			})
			require.ErrorContains(t, err, "GODEBUG=fips140=only forbids the key derivations of PKCS#12")
		},
		"40 digits": func(t *testing.T) {
			_, err := outbound.Open(t.Context(), outbound.Config{Source: pki.own(t), Select: outbound.Select{Thumbprints: []string{strings.Repeat("ab", 20)}}})
			require.ErrorContains(t, err, sha1Forbidden)
		},
		"`outbound.Status.Thumbprint`": func(t *testing.T) {
			own, err := outbound.Open(t.Context(), outbound.Config{Source: pki.own(t)})
			require.NoError(t, err)
			assert.Empty(t, own.Status().Thumbprint)
			assert.NotEmpty(t, own.Status().Fingerprint)
			require.NoError(t, own.Close())
		},
	}
	text, err := os.ReadFile("../.github/FIPS.md")
	require.NoError(t, err)
	lines := regexp.MustCompile(`(?m)^\| (.+?) \| (.+?) \| (.+?) \|$`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, lines, len(rows)+1, "with the heading")
	for _, line := range lines[1:] {
		found := false
		for words, row := range rows {
			if strings.HasPrefix(line[1], words) {
				found = true
				t.Run(line[1], func(t *testing.T) { assert.NotPanics(t, func() { row(t) }) })
			}
		}
		assert.True(t, found, line[1])
	}
}

// What remains according to the document works, from the header to the evidence.
func TestFIPSOnly_WhatIsAvailable(t *testing.T) {
	fipsOnly(t)
	pki := newFIPSWorld(t)
	checker, err := revocation.New(revocation.Config{Fetcher: pki, CertIDHash: crypto.SHA256})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, checker.Close()) })
	chain := certauth.Chain{Roots: certsOf(pki.root)}
	for name, policy := range map[string]certauth.Policy{
		"chain":        chain,
		"names":        certauth.All{chain, certauth.DNSNames{"orders.partner.example"}},
		"pin":          certauth.Thumbprints{thumbprint(pki.leaf.Certificate)},
		"key pin":      certauth.PublicKeys{spkiPin(pki.leaf.Certificate)},
		"OCSP and CRL": certauth.All{chain, certauth.NotRevoked{Checker: checker}},
	} {
		t.Run(name, func(t *testing.T) {
			auth := must(t, certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: policy})
			answer := httptest.NewRecorder()
			auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(answer, appServiceRequest(t, pki.leaf.Certificate))
			assert.Equal(t, http.StatusNoContent, answer.Code)
			_, err := auth.Check(appServiceRequest(t, pki.stranger.Certificate))
			require.Error(t, err)
		})
	}
	if knowsMLDSA {
		w := readMLDSA(t, "65")
		auth := must(t, certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: w.chain(), Now: func() time.Time { return mldsaNow }})
		_, err := auth.Check(appServiceRequest(t, w.leaf))
		require.NoError(t, err)
	}
}

// fipsWorld is a CA whose evidence uses only SHA-256. It is also a Fetcher of that evidence.
type fipsWorld struct {
	root           *certauthtest.CA
	key            *ecdsa.PrivateKey // of the root
	leaf, stranger *certauthtest.Certificate
	now            time.Time
}

func newFIPSWorld(t *testing.T) *fipsWorld {
	t.Helper()
	w := &fipsWorld{now: time.Now().Truncate(time.Second)}
	// A CA that exposes its key: it certifies itself, as with AsCA.
	self := certauthtest.SelfSigned(t, "Partner Root", certauthtest.AsCA(), certauthtest.Usage(), func(c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	})
	key, ok := self.Key.(*ecdsa.PrivateKey)
	require.True(t, ok)
	w.key, w.root = key, &certauthtest.CA{Certificate: self.Certificate}
	w.leaf = w.issue(t, "orders", certauthtest.DNS("orders.partner.example"), certauthtest.OCSPAt("http://partner.example/ocsp"), certauthtest.CRLAt("http://partner.example/crl"))
	w.stranger = certauthtest.SelfSigned(t, "stranger")
	return w
}

func (w *fipsWorld) issue(t *testing.T, name string, change ...certauthtest.Template) *certauthtest.Certificate {
	t.Helper()
	made := certauthtest.SelfSigned(t, name, change...) // with its key
	template := *made.Certificate
	template.AuthorityKeyId, template.SignatureAlgorithm = nil, x509.UnknownSignatureAlgorithm
	der, err := x509.CreateCertificate(rand.Reader, &template, w.root.Certificate, made.PublicKey, w.key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &certauthtest.Certificate{Certificate: cert, Key: made.Key}
}

func (w *fipsWorld) response(t *testing.T, hash crypto.Hash, responder []byte) []byte {
	t.Helper()
	der, err := w.encode(hash, responder)
	require.NoError(t, err)
	return der
}

func (w *fipsWorld) encode(hash crypto.Hash, responder []byte) (der []byte, err error) {
	fips140.WithoutEnforcement(func() {
		der, err = ocsptest.Response{
			Responder: responder, ProducedAt: ocsptest.At(w.now), Key: w.key,
			Answers: []ocsptest.Answer{{
				ID: ocsptest.IDOf(hash, w.root.Certificate, w.leaf.SerialNumber), Status: ocsptest.StatusGood,
				ThisUpdate: ocsptest.At(w.now), NextUpdate: ocsptest.At(w.now.Add(time.Hour)),
			}},
		}.Encode()
	})
	return der, err
}

// Fetch answers as the CA's responder and as its distribution point.
func (w *fipsWorld) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	switch {
	case strings.HasPrefix(r.URL, "http://partner.example/ocsp"):
		der, err := w.encode(crypto.SHA256, ocsptest.ByName(w.root.Certificate.RawSubject))
		return revocation.Response{Body: der}, err
	case r.URL == "http://partner.example/crl":
		der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: w.now, NextUpdate: w.now.Add(time.Hour)}, w.root.Certificate, w.key)
		return revocation.Response{Body: der}, err
	}
	return revocation.Response{}, errors.New("nobody is there")
}

// own returns the leaf as a program's own certificate.
func (w *fipsWorld) own(t *testing.T) outbound.Source {
	t.Helper()
	return outbound.File{Path: w.file(t, append(w.leaf.PEM(), w.leaf.KeyPEM(t)...))}
}

func (w *fipsWorld) file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "own")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// smallExponent makes a root with the exponent 3, which RFC 8017 allows and FIPS 186-5 does not,
// and a leaf below it.
func smallExponent(t *testing.T) (root, leaf *x509.Certificate) {
	t.Helper()
	fips140.WithoutEnforcement(func() {
		key := rsaWithExponent(t, 3)
		ca := certauthtest.SelfSigned(t, "ca", certauthtest.AsCA(), certauthtest.Usage())
		client := certauthtest.SelfSigned(t, "orders")
		for _, made := range []struct {
			to       **x509.Certificate
			template *x509.Certificate
			parent   *x509.Certificate
			public   any
		}{{&root, ca.Certificate, ca.Certificate, key.Public()}, {&leaf, client.Certificate, nil, client.PublicKey}} {
			template := *made.template
			template.AuthorityKeyId, template.SubjectKeyId, template.SignatureAlgorithm = nil, nil, x509.UnknownSignatureAlgorithm
			template.PublicKey = made.public
			parent := &template
			if made.parent == nil {
				parent = root
			}
			der, err := x509.CreateCertificate(rand.Reader, &template, parent, made.public, key)
			require.NoError(t, err)
			*made.to, err = x509.ParseCertificate(der)
			require.NoError(t, err)
		}
	})
	return root, leaf
}

// rsaWithExponent searches for primes for which the exponent has an inverse.
func rsaWithExponent(t *testing.T, exponent int64) *rsa.PrivateKey {
	t.Helper()
	one, e := big.NewInt(1), big.NewInt(exponent)
	for range 200 {
		p, err := rand.Prime(rand.Reader, 1024)
		require.NoError(t, err)
		q, err := rand.Prime(rand.Reader, 1024)
		require.NoError(t, err)
		totient := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		d := new(big.Int).ModInverse(e, totient)
		if d == nil || p.Cmp(q) == 0 {
			continue
		}
		key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(exponent)}, D: d, Primes: []*big.Int{p, q}}
		key.Precompute()
		require.NoError(t, key.Validate())
		return key
	}
	require.Fail(t, "no primes", fmt.Sprint(exponent))
	return nil
}
