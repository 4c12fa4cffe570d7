package certauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// finding R32: a Handler within another one, as after ConfigureServer together with a router's
// middleware, finds no header, and its hint was to check the front end.
func TestHandler_WithinAnotherOneTheHintNamesIt(t *testing.T) {
	w := newWorld(t)
	var last certauth.Event
	watching := func(of certauth.Source) *certauth.Authenticator {
		return must(t, certauth.Config{Source: of, Policy: w.chain(), Observe: func(_ context.Context, e certauth.Event) { last = e }})
	}
	one := watching(headerSource{w.leaf.Certificate})
	for _, tc := range []struct {
		name         string
		outer, inner *certauth.Authenticator
		header       string
		within       bool
	}{
		{"the same one", one, one, "X-Client-Cert: 1", true},
		{"another one of the same header", one, watching(headerSource{w.leaf.Certificate}), "X-Client-Cert: 1", true},
		{"no certificate", one, one, "X-Other: 1", false},
		{"one that reads no header", watching(fixedSource("s", w.leaf.Certificate)), one, "X-Other: 1", false},
	} {
		server := httptest.NewServer(tc.outer.Handler(tc.inner.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))))
		status := rawStatus(t, strings.TrimPrefix(server.URL, "http://"), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"+tc.header+"\r\n\r\n")
		server.Close()
		assert.Equal(t, http.StatusUnauthorized, status, tc.name)
		assert.Equal(t, certauth.ReasonCertificateMissing, last.Reason(), tc.name)
		assert.Equal(t, tc.within, strings.Contains(last.Err.Hint, "a Handler further out"), "%s: %s", tc.name, last.Err.Hint)
	}
}
