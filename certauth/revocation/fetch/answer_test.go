package fetch_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// newTLSServer answers with the protocol of the request. It offers HTTP/2.
func newTLSServer(t testing.TB, config *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	server.EnableHTTP2, server.TLS = true, config
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func poolOf(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}

// What is sent, including the headers (Q4).
func TestFetch_RequestCarriesWhatItNeedsAndNoMore(t *testing.T) {
	var got *http.Request
	var body []byte
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
		w.Header().Set("WWW-Authenticate", "Basic")
	})
	conditional := forCRL(server.URL + "/")
	conditional.ETag, conditional.LastModified = `W/"1"`, "Mon, 02 Mar 2026 12:00:00 GMT"
	for _, c := range []struct {
		name    string
		agent   string
		request fetch.Request
		want    http.Header
	}{
		{"OCSP by GET", "", forOCSP(server.URL + "/ocsp/MEow?a=b"), http.Header{"User-Agent": {"go-certauth"}, "Accept-Encoding": {"identity"}, "Accept": {"application/ocsp-response"}}},
		{
			"OCSP by POST", "", post(server.URL+"/ocsp", "request"),
			http.Header{"User-Agent": {"go-certauth"}, "Accept-Encoding": {"identity"}, "Accept": {"application/ocsp-response"}, "Content-Type": {"application/ocsp-request"}, "Content-Length": {"7"}},
		},
		{"a list", "", forCRL(server.URL + "/"), http.Header{"User-Agent": {"go-certauth"}, "Accept-Encoding": {"identity"}, "Accept": {"application/pkix-crl, */*;q=0.5"}}},
		{"with a name of its own", "shop/1.0 (pki@shop.example)", forCRL(server.URL + "/"), http.Header{"User-Agent": {"shop/1.0 (pki@shop.example)"}, "Accept-Encoding": {"identity"}, "Accept": {"application/pkix-crl, */*;q=0.5"}}},
		{
			"a list, conditional", "", conditional,
			http.Header{"User-Agent": {"go-certauth"}, "Accept-Encoding": {"identity"}, "Accept": {"application/pkix-crl, */*;q=0.5"}, "If-None-Match": {`W/"1"`}, "If-Modified-Since": {"Mon, 02 Mar 2026 12:00:00 GMT"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := reaching(t, server.URL)
			o.UserAgent = c.agent
			f := newFetcher(t, o)
			for range 2 { // the second comes after a cookie and a challenge
				_, err := f.Fetch(t.Context(), c.request)
				require.NoError(t, err)
				assert.Equal(t, c.want, got.Header)
				assert.Equal(t, c.request.Method, got.Method)
				assert.Equal(t, strings.TrimPrefix(c.request.URL, server.URL), got.RequestURI)
				assert.Equal(t, strings.TrimPrefix(server.URL, "http://"), got.Host)
				assert.Equal(t, string(c.request.Body), string(body))
			}
		})
	}
}

// Invalid validators are not sent, because they may come from a store that was tampered with. OCSP
// requests are never conditional.
func TestFetch_OnlyValidatorsMakeARequestConditional(t *testing.T) {
	var got http.Header
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusNotModified)
	})
	f := newFetcher(t, reaching(t, server.URL))
	for _, tag := range []string{
		"*", "a", `"`, `W/"`, `w/"a"`, `"a", "b"`, `"a" `, ` "a"`, `"a"b"`, "\"a\r\nX: y\"", "\"\u00e9\"", `"` + strings.Repeat("a", 255) + `"`,
	} {
		r := forCRL(server.URL)
		r.ETag = tag
		refused(t, f, r, fetch.ErrHTTPStatus)
		assert.NotContains(t, got, "If-None-Match", tag)
	}
	for _, date := range []string{"yesterday", "2026-03-02T12:00:00Z", "Mon, 02 Mar 2026 12:00:00 GMT\r\nX: y", strings.Repeat("a", 300)} {
		r := forCRL(server.URL)
		r.LastModified = date
		refused(t, f, r, fetch.ErrHTTPStatus)
		assert.NotContains(t, got, "If-Modified-Since", date)
	}
	for _, tag := range []string{`""`, `"a"`, `W/"a"`, `"a,b"`, `"*"`, `"` + strings.Repeat("a", 254) + `"`} {
		r := forCRL(server.URL)
		r.ETag = tag
		response, err := f.Fetch(t.Context(), r)
		require.NoError(t, err, tag)
		assert.True(t, response.NotModified)
		assert.Equal(t, tag, response.ETag, "still the validator for the next request")
		r.Kind = fetch.OCSP
		refused(t, f, r, fetch.ErrHTTPStatus)
		assert.NotContains(t, got, "If-None-Match")
	}
}

// What is returned for 200 and 304.
func TestFetch_AnswerIsWhatWasSent(t *testing.T) {
	const date = "Mon, 02 Mar 2026 12:00:00 GMT"
	conditional := func(r *fetch.Request) { r.ETag = `"old"` }
	for _, c := range []struct {
		name    string
		change  func(*fetch.Request)
		header  http.Header
		status  int
		body    string
		want    fetch.Response
		refused bool
	}{
		{name: "52: HTML with status 200 is for the parser to refuse", header: http.Header{"Content-Type": {"text/html"}}, body: "<html>", want: fetch.Response{Body: []byte("<html>")}},
		{name: "53: an empty body too", want: fetch.Response{Body: []byte{}}},
		{name: "54: JSON too", header: http.Header{"Content-Type": {"application/json"}}, body: "{}", want: fetch.Response{Body: []byte("{}")}},
		{name: "64: a wrong type does no harm", header: http.Header{"Content-Type": {"application/octet-stream"}}, body: "0", want: fetch.Response{Body: []byte("0")}},
		{name: "no type does no harm", header: http.Header{"Content-Type": nil}, body: "0", want: fetch.Response{Body: []byte("0")}},
		{name: "validators are kept", header: http.Header{"Etag": {`W/"1"`}, "Last-Modified": {date}}, body: "0", want: fetch.Response{Body: []byte("0"), ETag: `W/"1"`, LastModified: date}},
		{name: "validators that are none are not", header: http.Header{"Etag": {"*"}, "Last-Modified": {"today"}}, body: "0", want: fetch.Response{Body: []byte("0")}},
		{name: "nor long ones", header: http.Header{"Etag": {`"` + strings.Repeat("a", 255) + `"`}}, body: "0", want: fetch.Response{Body: []byte("0")}},
		{name: "nor two", header: http.Header{"Etag": {`"1"`, `"2"`}}, body: "0", want: fetch.Response{Body: []byte("0")}},
		{
			name: "304 with new validators", change: conditional, status: 304, header: http.Header{"Etag": {`"new"`}, "Last-Modified": {date}, "Cache-Control": {"max-age=60"}},
			want: fetch.Response{NotModified: true, ETag: `"new"`, LastModified: date, MaxAge: time.Minute},
		},
		{name: "304 without validators keeps those of the request", change: conditional, status: 304, want: fetch.Response{NotModified: true, ETag: `"old"`}},
		{name: "304 that was not asked for", status: 304, refused: true},
		{name: "200 to a conditional request", change: conditional, body: "0", want: fetch.Response{Body: []byte("0")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for key, values := range c.header {
					w.Header()[key] = values
				}
				if c.status != 0 {
					w.WriteHeader(c.status)
				}
				fmt.Fprint(w, c.body)
			})
			f := newFetcher(t, reaching(t, server.URL))
			r := forCRL(server.URL)
			if c.change != nil {
				c.change(&r)
			}
			if c.refused {
				refused(t, f, r, fetch.ErrHTTPStatus)
				return
			}
			response, err := f.Fetch(t.Context(), r)
			require.NoError(t, err)
			assert.Equal(t, c.want, response)
		})
	}
}

// F7: a status other than 200 is not evidence, whatever the body.
func TestFetch_OtherStatusIsAnError(t *testing.T) {
	for _, status := range []int{201, 202, 203, 204, 205, 206, 226, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504, 599, 999} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			fmt.Fprint(w, "secret")
		})
		f := newFetcher(t, reaching(t, server.URL))
		for _, r := range []fetch.Request{forOCSP(server.URL), post(server.URL, "request"), forCRL(server.URL)} {
			err := refused(t, f, r, fetch.ErrHTTPStatus)
			var known fetch.HTTPStatusError
			require.ErrorAs(t, err, &known)
			assert.Equal(t, fetch.HTTPStatusError{Status: status, RetryAfter: 7 * time.Second}, known)
		}
	}
}

func TestFetch_RetryAfterIsBounded(t *testing.T) {
	const date = "Mon, 02 Mar 2026 12:00:00 GMT"
	for _, c := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{"seconds", "120", date, 2 * time.Minute},
		{"zero", "0", date, 0},
		{"five minutes", "300", date, 5 * time.Minute},
		{"a second more", "301", date, 5 * time.Minute},
		{"a number too large", "99999999999999999999", date, 5 * time.Minute},
		{"negative", "-1", date, 0},
		{"a sign", "+5", date, 0},
		{"a fraction", "1.5", date, 0},
		{"a date", "Mon, 02 Mar 2026 12:00:30 GMT", date, 30 * time.Second},
		{"a date in another form", "Monday, 02-Mar-26 12:00:30 GMT", date, 30 * time.Second},
		{"a date at five minutes", "Mon, 02 Mar 2026 12:05:00 GMT", date, 5 * time.Minute},
		{"a date beyond", "Tue, 02 Mar 2027 12:00:00 GMT", date, 5 * time.Minute},
		{"a date in the past", "Mon, 02 Mar 2026 11:59:59 GMT", date, 0},
		{"a date that cannot be compared", "Mon, 02 Mar 2026 12:00:30 GMT", "today", 0},
		{"words", "later", date, 0},
		{"nothing", "", date, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", c.date)
				w.Header().Set("Retry-After", c.value)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			f := newFetcher(t, reaching(t, server.URL))
			var known fetch.HTTPStatusError
			require.ErrorAs(t, refused(t, f, forOCSP(server.URL)), &known)
			assert.Equal(t, c.want, known.RetryAfter)
		})
	}
}

// MaxAge shortens: of several values the smallest counts, and a directive that forbids storing the
// answer counts as one second, because zero means nothing.
func TestFetch_MaxAgeShortens(t *testing.T) {
	for _, c := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"nothing is said", nil, 0},
		{"public says nothing", http.Header{"Cache-Control": {"public"}}, 0},
		{"an hour", http.Header{"Cache-Control": {"max-age=3600"}}, time.Hour},
		{"among others", http.Header{"Cache-Control": {"public, MAX-AGE=3600 , no-transform,must-revalidate"}}, time.Hour},
		{"quoted", http.Header{"Cache-Control": {`max-age="3600"`}}, time.Hour},
		{"less its age", http.Header{"Cache-Control": {"max-age=3600"}, "Age": {"600"}}, 50 * time.Minute},
		{"older than that", http.Header{"Cache-Control": {"max-age=3600"}, "Age": {"3600"}}, time.Second},
		{"much older", http.Header{"Cache-Control": {"max-age=3600"}, "Age": {"99999999999999999999"}}, time.Second},
		{"an age that is none", http.Header{"Cache-Control": {"max-age=3600"}, "Age": {"-600"}}, time.Hour},
		{"an age alone", http.Header{"Age": {"600"}}, 0},
		{"zero", http.Header{"Cache-Control": {"max-age=0"}}, time.Second},
		{"no-store", http.Header{"Cache-Control": {"no-store"}}, time.Second},
		{"no-cache", http.Header{"Cache-Control": {"No-Cache"}}, time.Second},
		{"no-store beside max-age", http.Header{"Cache-Control": {"max-age=3600, no-store"}}, time.Second},
		{"no-store on a line of its own", http.Header{"Cache-Control": {"no-store", "max-age=3600"}}, time.Second},
		{"the least of two", http.Header{"Cache-Control": {"max-age=3600", "max-age=60"}}, time.Minute},
		{"a value that is none", http.Header{"Cache-Control": {"max-age=soon"}}, time.Second},
		{"K193: a large number and more", http.Header{"Cache-Control": {"max-age=9999999999s"}}, time.Second},
		{"a negative value", http.Header{"Cache-Control": {"max-age=-1"}}, time.Second},
		{"no value", http.Header{"Cache-Control": {"max-age"}}, time.Second},
		{"a value too large", http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, (1 << 31) * time.Second},
		{"that of shared caches is not ours", http.Header{"Cache-Control": {"s-maxage=60"}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for key, values := range c.header {
					w.Header()[key] = values
				}
			})
			f := newFetcher(t, reaching(t, server.URL))
			response, err := f.Fetch(t.Context(), forCRL(server.URL))
			require.NoError(t, err)
			assert.Equal(t, c.want, response.MaxAge)
		})
	}
}
