package certauthtest_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding N163: no row had two clients, so that services passed which take one for the other: by the connection, by the
// address, or, as in finding T88, because a part of a batch names the other one.
func TestTestHandler_FindsWhereOneClientIsAnother(t *testing.T) {
	const onOne, anew, batch, nobody = "another client after the client on one connection", "another client on a new connection of the same address",
		"another client with the client in a part of a batch", "no certificate, with the client in a part of a batch"
	// by keeps the first answer for each key.
	by := func(key func(*http.Request) string) func(next http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			var known sync.Map
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				next.ServeHTTP(answer, r)
				if answer.Code == http.StatusOK && r.URL.Path == "/orders" {
					first, _ := known.LoadOrStore(key(r), answer)
					answer = first.(*httptest.ResponseRecorder) //nolint:forcetypeassert // the line above stores nothing else
				}
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			})
		}
	}
	// parts answers the parts of a batch by whatever is given.
	parts := func(next func(whole *http.Request) http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			part, err := http.ReadRequest(bufio.NewReader(r.Body))
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			part.RemoteAddr = r.RemoteAddr
			next(r).ServeHTTP(w, part)
		})
	}
	for _, tc := range []struct {
		name  string
		batch bool
		make  func(auth *certauth.Authenticator) http.Handler
		rows  []string
	}{
		{"a sound service", true, func(auth *certauth.Authenticator) http.Handler {
			var whole http.Handler
			mux := http.NewServeMux()
			mux.Handle("/orders", orders)
			mux.Handle("POST /batch", parts(func(r *http.Request) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, part *http.Request) { whole.ServeHTTP(w, part.WithContext(r.Context())) })
			}))
			whole = auth.Handler(mux)
			return whole
		}, nil},
		{"one that serves parts as the client of the whole", true, func(auth *certauth.Authenticator) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/orders", orders)
			mux.Handle("POST /batch", parts(func(r *http.Request) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, part *http.Request) { mux.ServeHTTP(w, part.WithContext(r.Context())) })
			}))
			return auth.Handler(mux)
		}, nil},
		{"a part is judged like a request of the front end", true, func(auth *certauth.Authenticator) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", auth.Handler(orders))
			mux.Handle("POST /batch", auth.Handler(parts(func(*http.Request) http.Handler { return auth.Handler(orders) })))
			return mux
		}, []string{batch}},
		{"the batch is not protected", true, func(auth *certauth.Authenticator) http.Handler {
			mux := http.NewServeMux()
			mux.Handle("/", auth.Handler(orders))
			mux.Handle("POST /batch", parts(func(*http.Request) http.Handler { return auth.Handler(orders) }))
			return mux
		}, []string{batch, nobody}},
		{"a client is known by its connection", false, func(auth *certauth.Authenticator) http.Handler {
			return by(func(r *http.Request) string { return r.RemoteAddr })(auth.Handler(orders))
		}, []string{onOne}},
		{"a client is known by its address", false, func(auth *certauth.Authenticator) http.Handler {
			return by(func(r *http.Request) string { host, _, _ := strings.Cut(r.RemoteAddr, ":"); return host })(auth.Handler(orders))
		}, nil}, // which Other itself shows
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{Source: forwarded.Nginx{From: forwarded.InsecureRemoteAddr("127.0.0.1")}, Policy: p.policy()})
			require.NoError(t, err)
			test := p.test("Nginx")
			test.Exempt, test.Fingerprint, test.Other = "", false, p.other
			if tc.batch {
				test.Batch = func(part string) (path, contentType, body string) { return "/batch", "application/http", part }
			}
			r := &recorder{t: t}
			certauthtest.TestHandler(r, tc.make(auth), test)
			for _, row := range []string{onOne, anew, batch, nobody} {
				wrong := strings.Contains(r.fatal, `"`+row+`"`)
				expected := false
				for _, name := range tc.rows {
					expected = expected || name == row
				}
				assert.Equal(t, expected, wrong, "%s: %s", row, r.fatal)
			}
			if strings.Contains(tc.name, "by its address") {
				assert.Contains(t, r.fatal, "HandlerTest.Other: its response has the body of that to Client")
			}
		})
	}
}
