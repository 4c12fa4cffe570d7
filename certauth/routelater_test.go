package certauth_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// net/http closes a body after the handler has returned, and may write trailers then. A request
// that a handler has kept does not receive them, so that no map is read and written concurrently.
func TestHandler_KeptRequestGetsNoTrailersAfterwards(t *testing.T) {
	w := newWorld(t)
	auth := authWith(t, headerSource{w.leaf.Certificate}, w.chain())
	for _, late := range []bool{false, true} {
		r := posted(http.Header{"X-Client-Cert": {"x"}})
		read := func(kept *http.Request) {
			r.Trailer["X-Sum"] = []string{"1"} // as net/http does when it comes to the end of the body
			_, err := io.Copy(io.Discard, kept.Body)
			require.NoError(t, err)
		}
		var kept *http.Request
		auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if kept = r; !late {
				read(r)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		require.NotNil(t, kept)
		if late {
			read(kept)
		}
		assert.Equal(t, !late, kept.Trailer.Get("X-Sum") == "1")
	}
}

// Config.ReloadInterval also applies to a route, however long the handlers before it took.
func TestRequire_LooksWhetherMaterialIsToBeReloaded(t *testing.T) {
	w := newWorld(t)
	var seconds, reads atomic.Int64
	pins := certauth.PinFunc(func(context.Context) ([]string, error) {
		reads.Add(1)
		return []string{w.leaf.Thumbprint()}, nil
	})
	start := time.Now()
	auth := must(t, certauth.Config{
		Source: fixedSource("s", w.leaf.Certificate), Policy: certauth.ThumbprintsFrom(pins), ReloadInterval: time.Minute,
		Now: func() time.Time { return start.Add(time.Duration(seconds.Load()) * time.Second) },
	})
	before := reads.Load()
	route := auth.Require(certauth.CommonNames{"client"})
	g := through(t, func(next http.Handler) http.Handler {
		return auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, before, reads.Load())
			seconds.Store(120)
			route(next).ServeHTTP(w, r)
		}))
	}, request())
	assert.Equal(t, 1, g.ran)
	assert.Eventually(t, func() bool { return reads.Load() > before }, time.Minute, time.Millisecond)
}
