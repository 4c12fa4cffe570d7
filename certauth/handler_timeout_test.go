package certauth_test

import (
	"context"
	"crypto/x509"
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

// finding S15, without a race: what middleware outside sees in its request, when the handler has
// returned, is what it was.
func TestHandler_LeavesTheHeaderOfMiddlewareOutside(t *testing.T) {
	w := newWorld(t)
	auth := must(t, certauth.Config{
		Source: certauth.SourceFunc{Name: "s", Headers: []string{"X-Client-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) {
			return []*x509.Certificate{w.leaf.Certificate}, nil
		}},
		Policy: w.chain(), Now: func() time.Time { return w.leaf.NotBefore.Add(time.Minute) },
	})
	for name, sent := range map[string]http.Header{
		"the source's header": {"X-Client-Cert": {"text"}, "Accept": {"a"}},
		"a spelling of it":    {"X.client.Cert": {"text"}, "Accept": {"a"}},
		"a wish for h2c":      {"Upgrade": {"h2c"}, "Http2-Settings": {"AAMAAABk"}, "Accept": {"a"}},
		"both":                {"X-Client-Cert": {"text"}, "Upgrade": {"h2c"}, "Accept": {"a"}},
		"neither":             {"Accept": {"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header = sent.Clone()
			outside := r.Header
			recorder := httptest.NewRecorder()
			auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				assert.Equal(t, http.Header{"Accept": {"a"}}, r.Header)
			})).ServeHTTP(recorder, r)
			assert.Equal(t, http.StatusOK, recorder.Code)
			assert.Equal(t, sent, outside)
		})
	}
}

// finding S15: the context can name a server that did not call the handler directly, or none. The
// handler of another Authenticator outside may be one that reads the header too.
func TestHandler_LeavesTheHeaderUnlessTheServerCallsItDirectly(t *testing.T) {
	w := newWorld(t)
	auth := must(t, certauth.Config{
		Source: certauth.SourceFunc{Name: "s", Headers: []string{"X-Client-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) {
			return []*x509.Certificate{w.leaf.Certificate}, nil
		}},
		Policy: w.chain(), Now: func() time.Time { return w.leaf.NotBefore.Add(time.Minute) },
	})
	empty := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	handler := auth.Handler(empty)
	for name, server := range map[string]*http.Server{
		"no server":                             nil,
		"a server with the default handler":     {},
		"a server with a middleware":            {Handler: http.TimeoutHandler(handler, time.Second, "")},
		"a server with another such handler":    {Handler: auth.Handler(empty)},
		"a server with one around this handler": {Handler: auth.Handler(handler)},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.ServerContextKey, server), http.MethodGet, "/", nil)
			sent := http.Header{"X-Client-Cert": {"text"}, "Upgrade": {"h2c"}, "Accept": {"a"}}
			outside := sent.Clone()
			r.Header = outside
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, r)
			assert.Equal(t, http.StatusOK, recorder.Code)
			assert.Equal(t, sent, outside)
		})
	}
}

// findings S1 and S15: nothing that the library changes in a request may be accessed by two
// goroutines. http.TimeoutHandler stops waiting for this middleware when the time is over or the
// client disconnects, and middleware outside of both reads the headers: before this middleware
// removes any, or while a checker waits.
func TestHandler_WritesToNoHeaderThatMiddlewareOutsideMayRead(t *testing.T) {
	w := newWorld(t)
	sleep := func() {
		time.Sleep(time.Hour) //nolint:forbidigo // inside a bubble: longer than the outer handler waits, ignoring its context
	}
	for name, tc := range map[string]struct {
		inSource, inChecker bool
		gaveUp              int
	}{"in the source": {true, false, 503}, "in the checker": {false, true, 503}, "nowhere": {false, false, 200}} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				checker := asked(func(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
					if tc.inChecker {
						sleep()
					}
					return certauth.Revocation{Status: certauth.RevocationGood}, nil
				})
				auth, err := certauth.New(certauth.Config{
					Source: certauth.SourceFunc{Name: "s", Headers: []string{"X-Client-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
						assert.Contains(t, r.Header, "X-Client-Cert")
						if tc.inSource {
							sleep()
						}
						return []*x509.Certificate{w.leaf.Certificate}, nil
					}},
					Policy: w.behind(certauth.NotRevoked{Checker: checker}), Optional: true,
					Now: func() time.Time { return w.leaf.NotBefore.Add(time.Minute) },
				})
				require.NoError(t, err)
				handler := http.TimeoutHandler(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					assert.Equal(t, http.Header{"Accept": {"text/plain"}, "Upgrade": {"websocket"}}, r.Header)
				})), time.Second, "")
				sent := http.Header{
					"X-Client-Cert": {"text"}, "X_client_cert": {"text"}, "Accept": {"text/plain"}, "Upgrade": {"h2c, websocket"}, "Http2-Settings": {"AAMAAABk"},
				}
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
				r.Header = sent.Clone()
				trailer := http.Header{"X-Client-Cert": nil, "X-Sum": nil}
				r.Trailer, r.ContentLength = trailer.Clone(), -1
				recorder := httptest.NewRecorder()
				handler.ServeHTTP(recorder, r)
				assert.Equal(t, tc.gaveUp, recorder.Code)
				assert.Equal(t, sent, r.Header)
				assert.Equal(t, trailer, r.Trailer)
				synctest.Wait()
				time.Sleep(2 * time.Hour) //nolint:forbidigo // inside a bubble: all sleepers have woken up by now
				synctest.Wait()
				assert.Equal(t, sent, r.Header)
				assert.Equal(t, trailer, r.Trailer)
			})
		})
	}
}
