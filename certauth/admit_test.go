package certauth_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding N11: no exported call both judged and reported, so interceptors used Check and decisions
// were not reported. Admit decides and reports as Handler does, and writes no response.
func TestAdmit_DecidesAndReportsAsHandlerDoes(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	panics := certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { panic("source") }}
	for _, tc := range []struct {
		name     string
		source   certauth.Source
		change   func(*certauth.Config)
		outcome  certauth.Outcome
		reason   certauth.Reason
		admitted bool
	}{
		{"accepted", headerSource{w.leaf.Certificate}, unchanged, certauth.OutcomeAccepted, "", true},
		{"refused", headerSource{stranger.leaf.Certificate}, unchanged, certauth.OutcomeDenied, certauth.ReasonChainUntrusted, false},
		{"missing", fixedSource("s"), unchanged, certauth.OutcomeDenied, certauth.ReasonCertificateMissing, false},
		{"anonymous", fixedSource("s"), func(c *certauth.Config) { c.Optional = true }, certauth.OutcomeAnonymous, "", true},
		{"excluded", headerSource{w.leaf.Certificate}, func(c *certauth.Config) { c.Exclusions = []certauth.Exclusion{public("GET", "/orders")} }, certauth.OutcomeExcluded, "", true},
		{"reported", headerSource{stranger.leaf.Certificate}, func(c *certauth.Config) { c.InsecureReportOnly = true }, certauth.OutcomeReported, certauth.ReasonChainUntrusted, true},
		{"a source that panics", panics, unchanged, certauth.OutcomeDenied, certauth.ReasonInternalError, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var events []certauth.Event
			config := certauth.Config{
				Source: tc.source, Policy: w.chain(),
				Deny: func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
					w.WriteHeader(http.StatusUnauthorized)
				},
				Observe: func(_ context.Context, e certauth.Event) { events = append(events, e) },
			}
			tc.change(&config)
			auth := must(t, config)
			made := func() *http.Request {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders", http.NoBody)
				r.Header["X-Client-Cert"], r.Header["x_client.cert"] = []string{"text"}, []string{"text"}
				r.Header.Set("Upgrade", "h2c")
				return r
			}
			g := through(t, auth.Handler, made())
			require.Equal(t, tc.admitted, g.ran == 1)

			config.Deny = func(http.ResponseWriter, *http.Request, *certauth.Error) { t.Error("Admit answers nothing") }
			auth = must(t, config)
			r := made()
			admitted, err := auth.Admit(r)
			require.Len(t, events, 2)
			for i := range events {
				assert.Equal(t, tc.outcome, events[i].Outcome)
				assert.Equal(t, tc.reason, events[i].Reason())
				assert.Equal(t, "/orders", events[i].Path)
			}
			assert.Empty(t, r.Header["Upgrade"])
			if _, reads := tc.source.(headerSource); reads {
				assert.Empty(t, r.Header, "stripped, whatever the decision")
			}
			if !tc.admitted {
				assert.Nil(t, admitted)
				assert.Equal(t, tc.reason, reasonOf(err))
				return
			}
			require.NoError(t, err)
			id, ok := certauth.FromContext(admitted.Context())
			assert.Equal(t, tc.outcome == certauth.OutcomeAccepted, ok)
			assert.Equal(t, g.identity == nil, id == nil)
		})
	}
}

func TestAdmit_WhatCannotBeJudgedIsRefused(t *testing.T) {
	w := newWorld(t)
	observing := must(t, certauth.Config{
		Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain(), Observe: func(context.Context, certauth.Event) { panic("observe") },
	})
	for name, tc := range map[string]struct {
		auth *certauth.Authenticator
		r    *http.Request
		want certauth.Reason
	}{
		"nil":                {nil, request(), certauth.ReasonNotConfigured},
		"not made by New":    {&certauth.Authenticator{}, request(), certauth.ReasonNotConfigured},
		"no request":         {observing, nil, certauth.ReasonInternalError},
		"a hook that panics": {observing, request(), certauth.ReasonInternalError},
		"an empty request":   {must(t, certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: w.chain()}), &http.Request{}, certauth.ReasonCertificateMissing},
	} {
		admitted, err := tc.auth.Admit(tc.r)
		assert.Nil(t, admitted, name)
		assert.Equal(t, tc.want, reasonOf(err), name)
	}
}

// The doc of Admit: the map that r had is not written to. An interceptor's caller may be reading it.
func TestAdmit_GivesTheRequestAnotherMap(t *testing.T) {
	w := newWorld(t)
	auth := must(t, certauth.Config{Source: headerSource{w.leaf.Certificate}, Policy: w.chain()})
	for _, others := range []int{0, 40} {
		r := request()
		r.Header = http.Header{"X-Client-Cert": {"text"}, "Upgrade": {"h2c"}}
		for i := range others {
			r.Header.Set("X-Other-"+strconv.Itoa(i), "kept")
		}
		outside, sent := r.Header, r.Header.Clone()
		admitted, err := auth.Admit(r)
		require.NoError(t, err)
		assert.NotContains(t, admitted.Header, "X-Client-Cert")
		assert.Len(t, admitted.Header, others)
		assert.Equal(t, sent, outside)
	}
}

// An identity of an outer Authenticator is removed.
func TestAdmit_AnOuterIdentityIsTakenAway(t *testing.T) {
	w := newWorld(t)
	outer := must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()})
	inner := must(t, certauth.Config{Source: fixedSource("s"), Policy: w.chain(), Optional: true})
	r, err := outer.Admit(request())
	require.NoError(t, err)
	_, ok := certauth.FromContext(r.Context())
	require.True(t, ok)
	r, err = inner.Admit(r)
	require.NoError(t, err)
	_, ok = certauth.FromContext(r.Context())
	assert.False(t, ok)
}

// A client that sends the source's header as a trailer reaches no handler with it.
func TestAdmit_TrailersDoNotBringTheHeaderBack(t *testing.T) {
	w := newWorld(t)
	auth := must(t, certauth.Config{Source: headerSource{w.leaf.Certificate}, Policy: w.chain()})
	seen := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		admitted, err := auth.Admit(r)
		if assert.NoError(t, err) {
			_, err = io.Copy(io.Discard, admitted.Body)
			assert.NoError(t, err)
			seen <- admitted.Trailer
		}
	}))
	defer server.Close()
	status := rawStatus(t, strings.TrimPrefix(server.URL, "http://"), "POST / HTTP/1.1\r\nHost: a\r\nX-Client-Cert: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Client-Cert, X-Sum\r\nConnection: close\r\n\r\n"+
		"1\r\na\r\n0\r\nX-Client-Cert: forged\r\nX-Sum: 1\r\n\r\n")
	assert.Equal(t, http.StatusOK, status)
	assert.Empty(t, <-seen)
}

// A request as an interceptor of a framework makes it, from the context and the metadata of a call.
func TestAdmit_OfACallWithoutARequest(t *testing.T) {
	w := newWorld(t)
	auth := must(t, certauth.Config{Source: headerSource{w.leaf.Certificate}, Policy: w.chain(), Exclusions: []certauth.Exclusion{public("POST", "/grpc.health.v1.Health/Check")}})
	intercept := func(ctx context.Context, method string, metadata map[string][]string) (context.Context, error) {
		r := (&http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, RequestURI: method, Header: http.Header{}}).WithContext(ctx)
		for name, values := range metadata {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
		r, err := auth.Admit(r)
		if err != nil {
			return nil, err
		}
		return r.Context(), nil
	}
	type key struct{}
	ctx, err := intercept(context.WithValue(t.Context(), key{}, 1), "/orders.Orders/List", map[string][]string{"x-client-cert": {"text"}})
	require.NoError(t, err)
	id, ok := certauth.FromContext(ctx)
	require.True(t, ok)
	assert.Equal(t, w.leaf.Thumbprint(), id.Thumbprint())
	assert.Equal(t, 1, ctx.Value(key{}))
	_, err = intercept(t.Context(), "/orders.Orders/List", nil)
	require.ErrorIs(t, err, certauth.ReasonCertificateMissing)
	ctx, err = intercept(t.Context(), "/grpc.health.v1.Health/Check", nil)
	require.NoError(t, err)
	_, ok = certauth.FromContext(ctx)
	assert.False(t, ok)
}
