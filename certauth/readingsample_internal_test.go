package certauth

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// The hash of an offer covers a sample of it, which attackers can make equal: a request that finds
// the reading of another offer under its hash is judged by its own certificate.
func TestReading_OfAnotherOfferWithTheSameHashIsNotShared(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	own, other := ca.Issue(t, "own").Certificate, ca.Issue(t, "other").Certificate
	auth, err := New(Config{
		Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{own}, nil }},
		Policy: Chain{Roots: Certificates(ca.Certificate)},
	})
	require.NoError(t, err)
	offered, others := source.Offer{Certificates: []*x509.Certificate{own}}, source.Offer{Certificates: []*x509.Certificate{other}}
	hash := auth.cache.Hash(&offered)
	call, first := auth.readings.Join(hash)
	require.True(t, first)
	auth.readings.Finish(call, auth.readShared(&others, others.Key(), hash))
	for range 2 { // the second time, it is remembered
		id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		require.NoError(t, err)
		assert.Same(t, own, id.Leaf)
		assert.NotNil(t, auth.cache.Find(hash, &offered))
	}
	auth.readings.Leave(hash, call)
	assert.Zero(t, auth.readings.Len())
}
