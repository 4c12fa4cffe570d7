package certauth_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
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

// finding T92: such a part was taken for a request as net/http's server makes it, in which no header has the
// source's name in lower case, and the next handler saw those.
func TestHandler_APartOfABatchLosesEverySpellingOfTheHeader(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner CA")
	caller := ca.Issue(t, "caller")
	auth := must(t, certauth.Config{
		Source: forwarded.Caddy{From: forwarded.Peers("127.0.0.1")}, Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
	})
	server := httptest.NewUnstartedServer(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /batch", func(w http.ResponseWriter, r *http.Request) {
		part := httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/orders", http.NoBody)
		for i := range 30 { // as many as a front end sends
			part.Header.Set(fmt.Sprint("Other-", i), "x")
		}
		part.Header.Set("X-Client-Cert", caller.Base64())
		part.Header["x-client-cert"], part.Header["X_CLIENT_CERT"] = []string{"forged"}, []string{"forged"} // as net/http's server writes none
		server.Config.Handler.ServeHTTP(w, part)
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			assert.NotContains(t, values, "forged", name)
		}
		_, _ = io.WriteString(w, "orders")
	})
	server.Config.Handler = mux
	require.NoError(t, auth.ConfigureServer(server.Config))
	server.Start()
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/batch", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("X-Client-Cert", caller.Base64())
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "orders", string(text))
}

// finding T88: a handler that answers batches served each part of one by the server's own handler, with
// the context of the whole request, in which gates find the front end's connection. A caller could be any
// other by writing the front end's header into a part.
func TestHandler_APartOfABatchIsNotFromTheFrontEnd(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner CA")
	caller, other := ca.Issue(t, "caller"), ca.Issue(t, "other")
	var last certauth.Event
	auth := must(t, certauth.Config{
		Source: forwarded.Caddy{From: forwarded.Peers("127.0.0.1")}, Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
		Observe: func(_ context.Context, e certauth.Event) { last = e },
	})
	server := httptest.NewUnstartedServer(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /batch", func(w http.ResponseWriter, r *http.Request) {
		part, err := http.ReadRequest(bufio.NewReader(r.Body))
		if assert.NoError(t, err) {
			server.Config.Handler.ServeHTTP(w, part.WithContext(r.Context()))
		}
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		_, _ = io.WriteString(w, id.Leaf.Subject.CommonName)
	})
	server.Config.Handler = mux
	require.NoError(t, auth.ConfigureServer(server.Config))
	server.Start()
	defer server.Close()
	for _, tc := range []struct {
		line, answer string
		want         certauth.Reason
		hint         string
	}{
		{"X-Client-Cert: " + other.Base64() + "\r\n", `"status":401`, certauth.ReasonSourceUntrusted, "with the context of the request that brought them"},
		{"", `"status":401`, certauth.ReasonCertificateMissing, "a Handler further out"},
		{"X-Client-Cert: " + caller.Base64() + "\r\n", "caller", "", ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/batch", strings.NewReader("GET /orders HTTP/1.1\r\nHost: a\r\n"+tc.line+"\r\n"))
		require.NoError(t, err)
		r.Header.Set("X-Client-Cert", caller.Base64())
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Contains(t, string(text), tc.answer)
		assert.Equal(t, tc.want, last.Reason())
		if tc.hint != "" {
			assert.Contains(t, last.Err.Hint, tc.hint)
		}
	}
}

// finding T93: as T88, where the request that brought the batch has no identity, so that a client without a
// certificate could be any client, and for a Handler whose mark a further one, between it and the server, hid.
func TestHandler_APartOfABatchOfNobodyIsNotFromTheFrontEnd(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner CA")
	caller, other := ca.Issue(t, "caller"), ca.Issue(t, "other")
	header := func(name string) forwarded.Header {
		return forwarded.Header{Name: name, Format: forwarded.FormatBase64DER, From: forwarded.Peers("127.0.0.1")}
	}
	excluded := func(c *certauth.Config) {
		c.Exclusions = []certauth.Exclusion{{Path: "/batch", Method: "POST", Reason: "public", Control: "none"}}
	}
	for _, tc := range []struct {
		name    string
		sent    map[string]string
		change  func(*certauth.Config)
		outside *certauth.Config // of a Handler around it, for another header
		deny    bool             // the batch is answered by Deny
	}{
		{name: "excluded", change: excluded},
		{name: "excluded, with a certificate", sent: map[string]string{"X-Client-Cert": caller.Base64()}, change: excluded},
		{name: "anonymous", change: func(c *certauth.Config) { c.Optional = true }},
		{name: "reported only", change: func(c *certauth.Config) { c.InsecureReportOnly = true }},
		{name: "refused, and Deny serves it", change: func(*certauth.Config) {}, deny: true},
		{
			name: "within another Handler, which knows the caller", sent: map[string]string{"X-Outer": caller.Base64(), "X-Client-Cert": caller.Base64()},
			change: func(*certauth.Config) {}, outside: &certauth.Config{},
		},
		{name: "within another Handler, by nobody", change: func(c *certauth.Config) { c.Optional = true }, outside: &certauth.Config{Optional: true}},
	} {
		var reasons []certauth.Reason
		var hint string
		var server *httptest.Server
		batch := func(w http.ResponseWriter, r *http.Request) {
			part, err := http.ReadRequest(bufio.NewReader(r.Body))
			if assert.NoError(t, err) {
				server.Config.Handler.ServeHTTP(w, part.WithContext(r.Context()))
			}
		}
		config := certauth.Config{
			Source: header("X-Client-Cert"), Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
			Observe: func(_ context.Context, e certauth.Event) {
				reasons = append(reasons, e.Reason())
				if e.Err != nil {
					hint = e.Err.Hint
				}
			},
		}
		if tc.deny {
			config.Deny = func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
				if r.URL.Path == "/batch" {
					batch(w, r)
				}
			}
		}
		tc.change(&config)
		mux := http.NewServeMux()
		mux.HandleFunc("POST /batch", batch)
		mux.HandleFunc("GET /orders", func(http.ResponseWriter, *http.Request) {
			assert.Equal(t, "reported only", tc.name, "%s: the handler is reached", tc.name)
		})
		auth := must(t, config)
		server = httptest.NewUnstartedServer(nil)
		server.Config.Handler = mux
		if tc.outside != nil {
			tc.outside.Source, tc.outside.Policy = header("X-Outer"), config.Policy
			server.Config.Handler = http.HandlerFunc(auth.Handler(mux).ServeHTTP)
			auth = must(t, *tc.outside)
		}
		require.NoError(t, auth.ConfigureServer(server.Config))
		server.Start()
		outer := ""
		if tc.sent["X-Outer"] != "" {
			outer = "X-Outer: " + caller.Base64() + "\r\n"
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/batch",
			strings.NewReader("GET /orders HTTP/1.1\r\nHost: a\r\n"+outer+"X-Client-Cert: "+other.Base64()+"\r\n\r\n"))
		require.NoError(t, err)
		for name, value := range tc.sent {
			r.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		server.Close()
		if assert.Len(t, reasons, 2, tc.name) {
			assert.Equal(t, certauth.ReasonSourceUntrusted, reasons[1], tc.name)
			assert.Contains(t, hint, "with the context of the request that brought them", tc.name)
		}
	}
}

// finding T100: if a certificate is optional, a Handler within another one let a known caller through as nobody.
func TestHandler_WithinAnotherOneAKnownCallerIsNotAnonymous(t *testing.T) {
	w := newWorld(t)
	var last certauth.Event
	one := must(t, certauth.Config{
		Source: headerSource{w.leaf.Certificate}, Policy: w.chain(), Optional: true,
		Observe: func(_ context.Context, e certauth.Event) { last = e },
	})
	handler := one.Handler(one.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	for _, tc := range []struct {
		header string
		status int
		want   certauth.Reason
	}{
		{"X-Client-Cert", http.StatusUnauthorized, certauth.ReasonCertificateMissing},
		{"X-Other", http.StatusOK, certauth.ReasonNone},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set(tc.header, "1")
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, r)
		assert.Equal(t, tc.status, recorder.Code, tc.header)
		assert.Equal(t, tc.want, last.Reason(), tc.header)
		if last.Err != nil {
			assert.Contains(t, last.Err.Hint, "use one Handler for a request", tc.header)
		}
	}
}
