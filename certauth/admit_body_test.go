package certauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// posted returns a request with a body and an announced trailer.
func posted(header http.Header) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", io.NopCloser(strings.NewReader("x")))
	r.ContentLength = -1
	r.Trailer = http.Header{"X-Sum": nil}
	for name, values := range header {
		r.Header[name] = values
	}
	return r
}

// The doc of Admit: the returned request has no trailers if the source reads headers. Its body is
// then the original one, because Admit does not know when the handler has returned. If the source
// reads no headers, nothing is changed, including what an outer Handler has set.
func TestAdmit_BodyAndTrailers(t *testing.T) {
	w := newWorld(t)
	cert := w.leaf.Certificate
	byHeader := authWith(t, headerSource{cert}, w.chain())
	byConnection := authWith(t, fixedSource("s", cert), w.chain())
	header := http.Header{"X-Client-Cert": {"x"}}

	r := posted(header)
	body := r.Body
	admitted, err := byHeader.Admit(r)
	require.NoError(t, err)
	assert.Equal(t, body, admitted.Body)
	assert.Nil(t, admitted.Trailer)

	r = posted(nil)
	body = r.Body
	admitted, err = byConnection.Admit(r)
	require.NoError(t, err)
	assert.Equal(t, body, admitted.Body)
	assert.Contains(t, admitted.Trailer, "X-Sum")

	ran := false
	byHeader.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ran = true
		outer := r.Body
		admitted, err := byConnection.Admit(r)
		if assert.NoError(t, err) {
			assert.Same(t, outer, admitted.Body, "it fills the trailers of the outer Handler")
			assert.Contains(t, admitted.Trailer, "X-Sum")
		}
	})).ServeHTTP(httptest.NewRecorder(), posted(header))
	assert.True(t, ran)
}

func authWith(t *testing.T, source certauth.Source, policy certauth.Policy) *certauth.Authenticator {
	t.Helper()
	return must(t, certauth.Config{Source: source, Policy: policy})
}
