package certauth_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// For any request line, only the one method and the one path, exactly as they were sent, are
// excluded.
func FuzzExclusion(f *testing.F) {
	for _, seed := range []string{
		"GET /public", "HEAD /public", "POST /public", "GET /public?x", "GET /public%2fx", "GET /%70ublic", "GET /public/../admin",
		"GET //public", "GET http://h/public", "CONNECT /public", "OPTIONS *", "GET /public#x", `GET /public\..\admin`, "GET /public;x", "GET /PUBLIC",
	} {
		method, target, _ := strings.Cut(seed, " ")
		f.Add(method, target)
	}
	auth, err := certauth.New(certauth.Config{
		Source: fixedSource("none"), Policy: certauth.Thumbprints{pinOfNobody}, Exclusions: []certauth.Exclusion{public("", "/public")},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			return
		}
		ran := false
		auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })).ServeHTTP(httptest.NewRecorder(), r)
		path, _, _ := strings.Cut(r.RequestURI, "?")
		want := (r.Method == http.MethodGet || r.Method == http.MethodHead) && path == "/public"
		assert.Equal(t, want, ran, "%s %q", r.Method, r.RequestURI)
	})
}
