package certauth

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/workqueue"
)

// A sync.Pool returns its items at will, and may be empty for a route.
func TestRequire_NeedsNoEvaluationLeftOver(t *testing.T) {
	ca := certauthtest.NewCA(t, "Root")
	leaf := ca.Issue(t, "client").Certificate
	auth, err := New(Config{
		Source: SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf}, nil }},
		Policy: Chain{Roots: Certificates(ca.Certificate)},
	})
	require.NoError(t, err)
	ran := false
	route := auth.Require(CommonNames{"client"})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }))
	auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for auth.scratch.Get() != nil {
		}
		route.ServeHTTP(w, r)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	assert.True(t, ran)
}

// A search for an unknown caller gives way to known callers, so the two must be distinguished.
func TestSearches_HearOfKnownCallers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ca := certauthtest.NewCA(t, "Root")
		leaf := ca.Issue(t, "client").Certificate
		auth, err := New(Config{
			Source: SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{leaf}, nil }},
			Policy: Chain{Roots: Certificates(ca.Certificate)},
		})
		require.NoError(t, err)
		queue := workqueue.New(1)
		auth.searches.queue = queue
		for _, known := range []bool{false, true} {
			_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			require.NoError(t, err)
			begun, second := time.Now(), make(chan time.Duration, 1)    // when the work of the second stranger begins
			go queue.Do(false, func() { time.Sleep(time.Millisecond) }) //nolint:forbidigo // inside a bubble
			synctest.Wait()                                             // it has the place
			queue.Do(false, func() { second <- time.Since(begun) })
			after := <-second
			assert.Equal(t, known, after > time.Millisecond, "a pause after %v", after)
			synctest.Wait() // it has freed the place; otherwise the next first stranger waits too, and has the pause
		}
	})
}
