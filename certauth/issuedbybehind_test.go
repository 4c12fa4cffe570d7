package certauth_test

import (
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// An IssuedBy restricts every Chain of its path, including a later one or one in a route: it is
// evaluated again if the chains differ from those it has seen.
func TestIssuedBy_NarrowsTheChainsAfterIt(t *testing.T) {
	w := newTwoWays(t)
	by := func(issuers ...*x509.Certificate) certauth.Policy {
		return certauth.IssuedBy{Certificates: certauth.Certificates(issuers...)}
	}
	for _, c := range []struct {
		name   string
		policy certauth.Policy
		want   certauth.Reason
	}{
		{"the Chain before it", certauth.All{w.onlyA, by(w.byA)}, certauth.ReasonNone},
		{"another Chain after it", certauth.All{w.onlyA, by(w.byA), w.onlyB}, certauth.ReasonIssuerNotAllowed},
		{"another Chain after it, in an Any", certauth.All{w.onlyA, by(w.byA), certauth.Any{w.onlyB}}, certauth.ReasonIssuerNotAllowed},
		{"another Chain after it that it allows", certauth.All{w.onlyA, by(w.byA, w.byB), w.onlyB}, certauth.ReasonNone},
		{"the same Chain after it", certauth.All{w.onlyA, by(w.byA), w.onlyA}, certauth.ReasonNone},
		{"its chain taken out", certauth.All{w.both, by(w.byA), revokedUnder("Root A")}, certauth.ReasonIssuerNotAllowed},
		{"another chain taken out", certauth.All{w.both, by(w.byA), revokedUnder("Root B")}, certauth.ReasonNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := authOf(t, c.policy, time.Time{}, w.leaf).Check(request())
			assert.Equal(t, c.want, reasonOf(err), "%v", err)
		})
	}
	t.Run("a Chain of a route", func(t *testing.T) {
		auth := authOf(t, certauth.All{w.onlyA, by(w.byA)}, time.Time{}, w.leaf)
		g := through(t, func(next http.Handler) http.Handler { return auth.Handler(auth.Require(w.onlyB)(next)) }, request())
		assert.Equal(t, http.StatusForbidden, g.status)
	})
}
