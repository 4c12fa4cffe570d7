package certauth_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// A hundred names, more than there is room to remember: each caller has exactly its own
// role, however often it comes and whoever came before.
func TestCache_RemembersEachRuleForEachCertificate(t *testing.T) {
	const n = 100
	ca := certauthtest.NewCA(t, "Partner CA")
	table := map[string]*x509.Certificate{}
	var roles certauth.Any
	for i := range n {
		name := fmt.Sprintf("client%d.partner.example", i)
		table[fmt.Sprintf("%d|", i)] = ca.Issue(t, fmt.Sprintf("client %d", i), certauthtest.DNS(name)).Certificate
		roles = append(roles, certauth.Named{Name: fmt.Sprint(i), Policy: certauth.DNSNames{name}})
	}
	table["stranger|"] = ca.Issue(t, "stranger", certauthtest.DNS("stranger.partner.example")).Certificate
	c := newCached(t, meaning(table), certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, roles})
	for range 4 {
		for i := range n {
			id := c.once(t, certauth.ReasonNone, fmt.Sprint(i))
			assert.Equal(t, []string{fmt.Sprint(i)}, id.Matched)
		}
		c.once(t, certauth.ReasonNameNotAllowed, "stranger")
	}
}

// A rule of the Authenticator that has accepted a caller says nothing about the rules of a
// route, nor one route about another.
func TestCache_RoutesHavePlacesOfTheirOwn(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("orders.partner.example"))
	mine, other := certauth.DNSNames{"orders.partner.example"}, certauth.DNSNames{"billing.partner.example"}
	c := newCached(t, meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), w.behind(certauth.Not{Policy: other}))
	routes := []struct {
		policy certauth.Policy
		want   int
	}{
		{mine, http.StatusOK},
		{other, http.StatusForbidden},
		{certauth.Not{Policy: mine}, http.StatusForbidden},
		{certauth.Not{Policy: other}, http.StatusOK},
		{certauth.PublicKeys{pinOfNobody}, http.StatusForbidden},
		{certauth.Thumbprints{w.leaf.Thumbprint()}, http.StatusOK},
	}
	var handlers []http.Handler
	for _, route := range routes {
		handlers = append(handlers, c.Handler(c.Require(route.policy)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
	}
	for range 4 {
		for i, route := range routes {
			recorder := httptest.NewRecorder()
			handlers[i].ServeHTTP(recorder, offering("a"))
			assert.Equal(t, route.want, recorder.Code, "route %d", i)
		}
	}
	decoded(t, c.source, 1)
}
