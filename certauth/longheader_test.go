package certauth_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// The doc of Handler: the headers of the source are removed in every spelling, also from the
// trailers, and a Connection header that names one refuses. This applies to the longest names, of
// 63 bytes, and affects no longer ones.
func TestHandler_LongestHeaderNameIsStrippedInEverySpelling(t *testing.T) {
	w := newWorld(t)
	name := "X-" + strings.Repeat("A-", 30) + "B"
	source := certauth.SourceFunc{Name: "long", Headers: []string{name}, Func: func(*http.Request) ([]*x509.Certificate, error) {
		return []*x509.Certificate{w.leaf.Certificate}, nil
	}}
	require.Len(t, name, 63)
	auth := must(t, certauth.Config{Source: source, Policy: w.chain()})
	underscored, lower, longer := strings.ReplaceAll(name, "-", "_"), strings.ToLower(name), name+"b"
	sent := func() *http.Request {
		r := posted(nil)
		for _, spelled := range []string{name, underscored, lower, longer} {
			r.Header[spelled] = []string{"x"}
			r.Trailer[spelled] = nil
		}
		return r
	}
	ran := false
	auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ran = true
		for _, header := range []http.Header{r.Header, r.Trailer} {
			for _, spelled := range []string{name, underscored, lower} {
				assert.NotContains(t, header, spelled)
			}
			assert.Contains(t, header, longer)
		}
	})).ServeHTTP(httptest.NewRecorder(), sent())
	assert.True(t, ran)
	for spelled, want := range map[string]certauth.Reason{
		name: certauth.ReasonCertificateMalformed, underscored: certauth.ReasonCertificateMalformed, lower: certauth.ReasonCertificateMalformed,
		longer: certauth.ReasonNone, "close": certauth.ReasonNone,
	} {
		r := sent()
		r.Header["Connection"] = []string{spelled}
		_, err := auth.Check(r)
		assert.Equal(t, want, reasonOf(err), "%s: %v", spelled, err)
	}
}
