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

// Certificates share values with one that was accepted, and not with those that were refused or that a
// source returns parsed, to which something else may refer.
func TestSiblings_AreAcceptedCertificates(t *testing.T) {
	ca, stranger := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Stranger")
	auth, err := New(Config{
		Source: SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }},
		Policy: Chain{Roots: Certificates(ca.Certificate)},
	})
	require.NoError(t, err)
	auth.source = &source.Reader{Name: "test", Decode: func(offer source.Offer, _ func([]byte) error) ([]*x509.Certificate, error) {
		cert, err := x509.ParseCertificate([]byte(offer.Key()[0]))
		return []*x509.Certificate{cert}, err
	}}
	judge := func(offer source.Offer) (*Identity, *Error) {
		e := auth.evaluation()
		defer auth.release(e)
		e.offer = offer
		return auth.decide(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), e)
	}
	of := func(cert *x509.Certificate) source.Offer { return source.Key{string(cert.Raw)}.Offer() }

	shares := func(ca *certauthtest.CA) bool {
		fresh, err := x509.ParseCertificate(ca.Issue(t, "fresh").Certificate.Raw)
		require.NoError(t, err)
		own := &fresh.Issuer.Names[0]
		auth.siblings.Share(fresh)
		return own != &fresh.Issuer.Names[0]
	}

	_, refused := judge(of(stranger.Issue(t, "client").Certificate))
	require.NotNil(t, refused)
	assert.Equal(t, ReasonChainUntrusted, refused.Reason)
	assert.False(t, shares(stranger))
	_, refused = judge(source.Offer{Certificates: []*x509.Certificate{ca.Issue(t, "parsed").Certificate}})
	require.Nil(t, refused)
	assert.False(t, shares(ca))

	first, refused := judge(of(ca.Issue(t, "first").Certificate))
	require.Nil(t, refused)
	second, refused := judge(of(ca.Issue(t, "second").Certificate))
	require.Nil(t, refused)
	assert.True(t, shares(ca))
	assert.Same(t, &first.Leaf.Issuer.Names[0], &second.Leaf.Issuer.Names[0])
	assert.Equal(t, "second", second.Leaf.Subject.CommonName)
}
