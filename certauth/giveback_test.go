package certauth_test

import (
	"bytes"
	"context"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// finding N3: the handler of an accepted caller received a copy of the request, and middleware
// outside never learned which pattern had matched.
func TestGiveBack_MiddlewareOutsideSeesTheRoute(t *testing.T) {
	w := newWorld(t)
	config := certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()}
	auth := must(t, config)
	config.Optional, config.Source = true, fixedSource("nobody")
	optional := must(t, config)
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux := http.NewServeMux()
	mux.Handle("GET /orders", ok)
	mux.Handle("GET /orders/{id}/items/{rest...}", ok)
	mux.Handle("GET /exactly/{$}", ok)
	mux.Handle("GET /route/{id}", auth.Require(w.chain())(ok))
	mux.Handle("GET /panics/{id}", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))

	for _, tc := range []struct {
		name, path, pattern string
		values              map[string]string
		auth                *certauth.Authenticator
	}{
		{"a route", "/orders", "GET /orders", nil, auth},
		{"wildcards", "/orders/7/items/a/b", "GET /orders/{id}/items/{rest...}", map[string]string{"id": "7", "rest": "a/b"}, auth},
		{"an end", "/exactly/", "GET /exactly/{$}", map[string]string{"$": ""}, auth},
		{"a route with Require", "/route/7", "GET /route/{id}", map[string]string{"id": "7"}, auth},
		{"no route", "/nowhere", "", nil, auth},
		{"a handler that panics", "/panics/7", "GET /panics/{id}", map[string]string{"id": "7"}, auth},
		{"an anonymous caller", "/orders", "GET /orders", nil, optional},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, http.NoBody)
			logged := false
			outside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() {
					_ = recover()
					logged = true
					assert.Equal(t, tc.pattern, r.Pattern)
					for name, want := range tc.values {
						assert.Equal(t, want, r.PathValue(name))
					}
					_, inside := certauth.FromContext(r.Context())
					assert.False(t, inside, "the identity is for handlers inside")
				}()
				tc.auth.Handler(mux).ServeHTTP(w, r)
			})
			outside.ServeHTTP(httptest.NewRecorder(), r)
			assert.True(t, logged)
		})
	}
}

// finding N3: forms parsed by the handler were lost, and with them the only reference that net/http
// has to the temporary files of an upload: they stayed until the host was restarted.
func TestGiveBack_FormsAndTheirFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t)
	auth := must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()})
	files := func() []os.DirEntry {
		entries, err := os.ReadDir(os.TempDir())
		require.NoError(t, err)
		return entries
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("upload", "upload")
	require.NoError(t, err)
	_, err = part.Write(bytes.Repeat([]byte("a"), 1<<20))
	require.NoError(t, err)
	require.NoError(t, form.WriteField("name", "value"))
	require.NoError(t, form.Close())

	for name, gone := range map[string]bool{"the caller waits": false, "nobody waits any more": true} {
		t.Run(name, func(t *testing.T) {
			during := make(chan int, 1)
			var after string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithCancel(r.Context())
				defer cancel()
				r2 := r.WithContext(ctx)
				defer func() { r.MultipartForm = r2.MultipartForm }()
				auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					assert.NoError(t, r.ParseMultipartForm(1024))
					during <- len(files())
					if gone {
						cancel()
					}
				})).ServeHTTP(w, r2)
				after = r2.Form.Get("name") + r2.PostForm.Get("name")
			}))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body.Bytes()))
			require.NoError(t, err)
			request.Header.Set("Content-Type", form.FormDataContentType())
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			server.Close() // waits for the handler
			assert.Equal(t, 1, <-during)
			assert.Empty(t, files())
			if gone {
				assert.Empty(t, after)
			} else {
				assert.Equal(t, "valuevalue", after)
			}
		})
	}
}

// finding S53: the files of a form that Deny reads, or a handler that it calls, stayed too, so that anybody could
// fill the disk with uploads that were refused.
func TestGiveBack_FilesOfARefusedUploadAreRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t)
	reads := 0
	auth := must(t, certauth.Config{
		Source: headerSource{w.leaf.Certificate}, Policy: w.chain(),
		Deny: func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
			if assert.NoError(t, r.ParseMultipartForm(1024)) {
				reads++
			}
			w.WriteHeader(http.StatusNotFound)
		},
	})
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { assert.Fail(t, "the handler runs") })
	for name, handler := range map[string]http.Handler{
		"by Handler": auth.Handler(next),
		"by a route": auth.Require(certauth.DNSNames{"other.example"})(next),
		"by a route within Handler": must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()}).
			Handler(auth.Require(certauth.DNSNames{"other.example"})(next)),
	} {
		for _, length := range []int64{0, -1} { // of the upload, or in chunks
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			part, err := form.CreateFormFile("upload", "upload")
			require.NoError(t, err)
			_, err = part.Write(bytes.Repeat([]byte("a"), 1<<20))
			require.NoError(t, err)
			require.NoError(t, form.Close())
			server := httptest.NewServer(handler)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, &body)
			require.NoError(t, err)
			request.ContentLength += length * (request.ContentLength + 1)
			request.Header.Set("Content-Type", form.FormDataContentType())
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			server.Close() // waits for the handler
			assert.Equal(t, http.StatusNotFound, response.StatusCode, name)
			files, err := os.ReadDir(os.TempDir())
			require.NoError(t, err)
			assert.Empty(t, files, name)
		}
	}
	assert.Equal(t, 6, reads)
}

// Uploads parsed by middleware outside stay its own: after the request, the files of the handler's
// form are removed, but those of the form that the request already had are not.
func TestGiveBack_FormsOfTheOutsideStay(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t)
	auth := must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()})
	for name, handler := range map[string]http.HandlerFunc{
		"the handler looks at the form":        func(_ http.ResponseWriter, r *http.Request) { assert.Equal(t, "value", r.FormValue("name")) },
		"the handler takes the form from it":   func(_ http.ResponseWriter, r *http.Request) { r.MultipartForm = nil },
		"the handler does nothing with a form": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			part, err := form.CreateFormFile("upload", "upload")
			require.NoError(t, err)
			_, err = part.Write(bytes.Repeat([]byte("a"), 1<<20))
			require.NoError(t, err)
			require.NoError(t, form.WriteField("name", "value"))
			require.NoError(t, form.Close())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", &body)
			r.Header.Set("Content-Type", form.FormDataContentType())
			require.NoError(t, r.ParseMultipartForm(1024))
			auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				handler(w, r)
				cancel()
			})).ServeHTTP(httptest.NewRecorder(), r)
			file, err := r.MultipartForm.File["upload"][0].Open()
			require.NoError(t, err, "the file is still there")
			require.NoError(t, file.Close())
			require.NoError(t, r.MultipartForm.RemoveAll())
		})
	}
}

// Nothing may be written to a caller that has stopped waiting: http.TimeoutHandler continues while
// the handler still runs, and so does middleware that passes on its own request.
func TestGiveBack_NothingIsWrittenToAClientThatGaveUp(t *testing.T) {
	w := newWorld(t)
	bubble.Test(t, func(t *testing.T) {
		auth := must(t, certauth.Config{
			Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain(),
			Now: func() time.Time { return w.leaf.NotBefore.Add(time.Minute) },
		})
		mux := http.NewServeMux()
		mux.HandleFunc("POST /slow/{id}", func(_ http.ResponseWriter, r *http.Request) {
			assert.NoError(t, r.ParseForm())
			time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock: longer than any caller waits
		})
		given := map[string]func(http.Handler) http.Handler{
			"http.TimeoutHandler": func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Second, "") },
			"middleware that passes on the request that it has": func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					go next.ServeHTTP(httptest.NewRecorder(), r)
					<-r.Context().Done()
				})
			},
		}
		for name, wrap := range given {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/slow/7", strings.NewReader("a=b"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			wrap(auth.Handler(mux)).ServeHTTP(httptest.NewRecorder(), r)
			for range 3 { // before, while and after the handler returns, for the race detector
				assert.Empty(t, r.Pattern, name)
				assert.Empty(t, r.PathValue("id"), name)
				assert.Nil(t, r.Form, name)
				time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
			}
			cancel()
		}
		synctest.Wait()
	})
}

// Middleware outside that logs with log/slog in the usual way.
func TestGiveBack_AccessLogNamesTheRoute(t *testing.T) {
	w := newWorld(t)
	var log records
	logger := log.logger(slog.LevelInfo)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	require.NoError(t, must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()}).ConfigureServer(server))
	accessLog := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.Handler.ServeHTTP(w, r)
		logger.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("route", r.Pattern))
	})
	accessLog.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/orders/7"}, Header: http.Header{}})
	list := log.take(t)
	require.Len(t, list, 1)
	assert.Equal(t, "GET /orders/{id}", list[0]["route"])
}
