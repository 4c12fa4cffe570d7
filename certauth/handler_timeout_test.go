package certauth_test

import (
	"context"
	"crypto/x509"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// finding S1: nothing that the library changes in a request may be touched by two goroutines.
// http.TimeoutHandler stops waiting for this middleware while a checker does, and middleware
// outside of both looks at the headers.
func TestHandler_HeadersAreGoneBeforeAnythingWaits(t *testing.T) {
	w := newWorld(t)
	bubble.Test(t, func(t *testing.T) {
		checker := asked(func(ctx context.Context, _ []*x509.Certificate) (certauth.Revocation, error) {
			time.Sleep(time.Hour) //nolint:forbidigo // inside a bubble: longer than the outer handler waits, and deaf to its context
			return certauth.Revocation{Status: certauth.RevocationGood}, ctx.Err()
		})
		auth, err := certauth.New(certauth.Config{
			Source: headerSource{w.leaf.Certificate}, Policy: w.behind(certauth.NotRevoked{Checker: checker}),
			Now: func() time.Time { return w.leaf.NotBefore.Add(time.Minute) },
		})
		require.NoError(t, err)
		handler := http.TimeoutHandler(auth.Handler(http.NotFoundHandler()), time.Second, "")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("X-Client-Cert", "text")
		r.Header["X_client_cert"] = []string{"text"}
		r.Header.Set("Accept", "text/plain")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		assert.Equal(t, http.StatusServiceUnavailable, recorder.Code)
		left := maps.Clone(r.Header)
		synctest.Wait()
		time.Sleep(2 * time.Hour) //nolint:forbidigo // inside a bubble: the checker has answered by now
		synctest.Wait()
		assert.Equal(t, http.Header{"Accept": {"text/plain"}}, left)
		assert.Equal(t, left, r.Header)
	})
}
