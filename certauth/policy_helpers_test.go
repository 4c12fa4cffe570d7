package certauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// authOf builds an Authenticator for a policy that New must accept.
func authOf(t testing.TB, policy certauth.Policy, now time.Time, certs ...*x509.Certificate) *certauth.Authenticator {
	t.Helper()
	config := certauth.Config{Source: fixedSource("test", certs...), Policy: policy}
	if !now.IsZero() {
		config.Now = func() time.Time { return now }
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return auth
}

// judge judges the certificates, leaf first, by the policy at the current time.
func judge(t testing.TB, policy certauth.Policy, certs ...*x509.Certificate) (*certauth.Identity, error) {
	t.Helper()
	return judgeAt(t, time.Time{}, policy, certs...)
}

// judgeAt is judge at a given time. It always returns either an identity or an error.
func judgeAt(t testing.TB, now time.Time, policy certauth.Policy, certs ...*x509.Certificate) (*certauth.Identity, error) {
	t.Helper()
	id, err := authOf(t, policy, now, certs...).Check(httptest.NewRequest(http.MethodGet, "/", nil))
	require.NotEqual(t, id == nil, err == nil, "want either an identity or an error, got %v and %v", id, err)
	return id, err
}

// reasonOf returns the reason of a refusal; other errors have none.
func reasonOf(err error) certauth.Reason {
	if err == nil {
		return certauth.ReasonNone
	}
	var refused *certauth.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return "not a *certauth.Error"
}

// verdict is one row of a table: a certificate, a policy, and the expected reason.
type verdict struct {
	name   string
	policy certauth.Policy
	leaf   *x509.Certificate
	want   certauth.Reason
}

func runVerdicts(t *testing.T, rows []verdict) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := judge(t, row.policy, row.leaf)
			assert.Equal(t, row.want, reasonOf(err), "%v", err)
		})
	}
}

// misconfigured is one row of a table: a policy, and every mistake that New must report.
type misconfigured struct {
	name   string
	policy certauth.Policy
	want   []string
}

func runMisconfigured(t *testing.T, rows []misconfigured) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { assert.Equal(t, row.want, mistakesOf(t, row.policy)) })
	}
}

// mistakesOf returns the lines of New's error, without the line that counts them.
func mistakesOf(t testing.TB, policy certauth.Policy) []string {
	t.Helper()
	auth, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: policy})
	require.Error(t, err)
	require.Nil(t, auth)
	return strings.Split(err.Error(), "\n")[1:]
}

// world is one CA and one client that it issued, which is sufficient for most tests.
type world struct {
	ca   *certauthtest.CA
	leaf *certauthtest.Certificate
}

func newWorld(t testing.TB, change ...certauthtest.Template) world {
	t.Helper()
	ca := certauthtest.NewCA(t, "Test Root CA")
	return world{ca, ca.Issue(t, "client", change...)}
}

// chain returns the anchor of this world.
func (w world) chain() certauth.Chain { return chainOf(w.ca) }

// behind puts rules after the anchor.
func (w world) behind(rules ...certauth.Policy) certauth.All {
	return append(certauth.All{w.chain()}, rules...)
}

func (w world) issue(t testing.TB, change ...certauthtest.Template) *x509.Certificate {
	t.Helper()
	return w.ca.Issue(t, "client", change...).Certificate
}

func chainOf(roots ...*certauthtest.CA) certauth.Chain {
	return certauth.Chain{Roots: certsOf(roots...)}
}

func certsOf(cas ...*certauthtest.CA) interface {
	certauth.CertSource
	certauth.Policy
} {
	var certs []*x509.Certificate
	for _, ca := range cas {
		certs = append(certs, ca.Certificate)
	}
	return certauth.Certificates(certs...)
}

// forge signs the template with a new key of the forger, using the name and key identifier of a
// parent that is not involved.
func forge(t testing.TB, template, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	key := newECKey(t, elliptic.P256())
	named := *parent
	named.PublicKey = key.Public() // otherwise CreateCertificate would notice
	return create(t, template, &named, key.Public(), key)
}

func create(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	require.NoError(t, err)
	return parse(t, der)
}

func parse(t testing.TB, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func newECKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

// publicOnly replaces a key whose private half is not needed because it is only certified.
type publicOnly struct {
	crypto.Signer

	public crypto.PublicKey
}

func (p publicOnly) Public() crypto.PublicKey { return p.public }

// oddNumber returns an odd number of exactly that many bits.
func oddNumber(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.Add(n, big.NewInt(1))
}

func decodePEM(t testing.TB, content []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(content)
	require.NotNil(t, block)
	require.Empty(t, rest)
	return parse(t, block.Bytes)
}

// checks makes so many requests and returns the last refusal.
func checks(auth *certauth.Authenticator, n int) func() error {
	return func() (refused error) {
		for range n {
			if _, err := auth.Check(request()); err != nil {
				refused = err
			}
		}
		return refused
	}
}

// inTime returns the result of f, which takes a second or less. With the fault that a test of a
// limit guards against it takes many minutes, so a minute is enough even on a busy machine.
func inTime(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		require.Fail(t, "still running after a minute")
		return nil
	}
}
