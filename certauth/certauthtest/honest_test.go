package certauthtest_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// findings N143 and N145: the report on a service that answers everybody alike, by a page of its own or to sign in, said
// that forged requests got in and not that GotIn is to be set, and of limits it said nothing.
func TestTestHandler_SaysWhatToSetForAnHonestService(t *testing.T) {
	p := newPartner(t)
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	var refusals atomic.Int64
	for _, tc := range []struct {
		name              string
		accepted, refused http.HandlerFunc
		want, step        string
	}{
		{"one page for all", say(200, "<html>app</html>"), say(401, "<html>app</html>"), "GOT IN, answer 401", "set HandlerTest.GotIn"},
		{"the same JSON", say(200, "{}"), say(403, "{}"), "GOT IN, answer 403", "set HandlerTest.GotIn"},
		{"a word that ends with the other", say(200, "authorized"), say(401, "unauthorized"), "GOT IN, answer 401", "set HandlerTest.GotIn"},
		{"redirects", say(302, ""), say(303, ""), "GOT IN, answer 303", "set HandlerTest.GotIn"},
		{"a limit on refusals", func(w http.ResponseWriter, r *http.Request) {
			if n := refusals.Load(); 20 < n && n < 200 { // for a time
				say(429, "")(w, r)
			}
		}, func(w http.ResponseWriter, r *http.Request) {
			refusals.Add(1)
			say(401, "")(w, r)
		}, "though it is genuine, answer 429", "switch limits on the rate of requests, of refusals, or of requests at the same time, off"},
		{"empty answers", say(200, ""), say(401, ""), "", ""},
		{"a page of nothing but space", say(200, "\n"), say(401, "\n"), "", ""},
		{"no content", say(204, ""), say(401, ""), "", ""},
		{"JSON with another refusal", say(200, "{}"), say(401, `{"error":{}}`), "", ""},
		{"not found", say(200, "ok"), say(404, "page not found\n"), "", ""},
	} {
		auth, err := certauth.New(certauth.Config{
			Source: sources["Traefik"](forwarded.Peers("127.0.0.1")), Policy: p.policy(),
			Deny: func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) { tc.refused(w, r) },
		})
		require.NoError(t, err)
		test := p.test("Traefik")
		test.Exempt = ""
		r := &recorder{t: t}
		certauthtest.TestHandler(r, auth.Handler(tc.accepted), test)
		if tc.want == "" {
			assert.Empty(t, r.fatal, tc.name)
			continue
		}
		assert.Contains(t, r.fatal, tc.want, tc.name)
		assert.Contains(t, r.fatal, tc.step, tc.name)
	}
}
