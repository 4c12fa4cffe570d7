package chainsearch

import (
	"crypto"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// defaultMaxDepth is the default of a Chain.
const defaultMaxDepth = 5

// none is the kind of no refusal.
const none = certcheck.Kind(255)

func kindOf(found Result) certcheck.Kind {
	if found.Refused == nil {
		return none
	}
	return found.Refused.Kind
}

// textOf returns the text of the refusal, for messages.
func textOf(found Result) error {
	if found.Refused == nil {
		return nil
	}
	return found.Refused.Err
}

// leafOf returns what a search needs to know of certificates, leaf first.
func leafOf(certs ...*x509.Certificate) Leaf {
	leaf := certs[0]
	return Leaf{Certificate: leaf, Fault: certcheck.FaultOfLeaf(leaf), Issuer: nameKey(leaf.RawIssuer), SentAlong: certs[1:]}
}

func newPool(tb testing.TB, certs ...*x509.Certificate) *Pool {
	tb.Helper()
	pool, err := NewPool(certs, "test")
	require.NoError(tb, err)
	return &pool
}

// find searches for the chains of certificates, leaf first.
func find(s Settings, roots, intermediates *Pool, now time.Time, certs ...*x509.Certificate) Result {
	return s.Find(leafOf(certs...), CAs{roots, intermediates}, now, nil)
}

// again certifies the key and the name of the CA again, by itself.
func again(t testing.TB, ca *certauthtest.CA, change ...certauthtest.Template) *x509.Certificate {
	t.Helper()
	change = append(change, certauthtest.AsCA(), certauthtest.Usage(), func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId = ca.Certificate.RawSubject, ca.Certificate.SubjectKeyId
	})
	return ca.IssueFor(t, certified{public: ca.Certificate.PublicKey}, "", change...).Certificate
}

// certified replaces a key of which only the certificate is needed.
type certified struct {
	crypto.Signer

	public crypto.PublicKey
}

func (c certified) Public() crypto.PublicKey { return c.public }
