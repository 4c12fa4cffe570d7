package certauth_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// guarded runs one request through Handler and reports what the handler saw.
type guarded struct {
	status   int
	ran      int
	identity *certauth.Identity
	response http.Header
	body     string
}

func through(t *testing.T, wrap func(http.Handler) http.Handler, r *http.Request) guarded {
	t.Helper()
	var g guarded
	w := httptest.NewRecorder()
	wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.ran++
		g.identity, _ = certauth.FromContext(r.Context())
	})).ServeHTTP(w, r)
	g.status, g.response, g.body = w.Code, w.Header(), w.Body.String()
	return g
}

func request() *http.Request { return httptest.NewRequest(http.MethodGet, "/", nil) }

func must(t *testing.T, config certauth.Config) *certauth.Authenticator {
	t.Helper()
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return auth
}

func TestHandler_ModeDecidesOnAbsenceAlone(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	broken := certauth.SourceFunc{Name: "broken", Func: func(*http.Request) ([]*x509.Certificate, error) {
		return nil, errors.New("cannot read it")
	}}
	pin := certauth.Certificates(leaf.Certificate)
	for _, tc := range []struct {
		name     string
		source   certauth.Source
		policy   certauth.Policy
		optional bool
		want     int
		identity bool
	}{
		{"required, good certificate", fixedSource("s", leaf.Certificate), pin, false, 200, true},
		{"required, none", fixedSource("s"), pin, false, 401, false},
		{"optional, good certificate", fixedSource("s", leaf.Certificate), pin, true, 200, true},
		{"optional, none", fixedSource("s"), pin, true, 200, false},
		{"optional, malformed", broken, pin, true, 401, false},
		{"optional, refused by a function that calls it missing", fixedSource("s", leaf.Certificate), certauth.All{pin, certauth.PolicyFunc{
			Name: "p", Func: func(context.Context, *certauth.Identity) error {
				return &certauth.Error{Reason: certauth.ReasonCertificateMissing}
			},
		}}, true, 401, false},
		{"optional, refused", fixedSource("s", leaf.Certificate), certauth.Thumbprints{pinOfNobody}, true, 401, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := must(t, certauth.Config{Source: tc.source, Policy: tc.policy, Optional: tc.optional})
			g := through(t, auth.Handler, request())
			assert.Equal(t, tc.want, g.status)
			assert.Equal(t, tc.want == 200, g.ran == 1)
			assert.Equal(t, tc.identity, g.identity != nil)
		})
	}
}

func TestHandler_PanicAnywhereDenies(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	boom := func() { panic("boom") }
	good := certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: certauth.Certificates(leaf.Certificate)}
	for _, tc := range []struct {
		name  string
		spoil func(*certauth.Config)
	}{
		{"in the source", func(c *certauth.Config) {
			c.Source = certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { boom(); return nil, nil }}
		}},
		{"in a policy function", func(c *certauth.Config) {
			c.Policy = certauth.All{c.Policy, certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { boom(); return nil }}}
		}},
		{"in one branch of an Any", func(c *certauth.Config) {
			c.Policy = certauth.Any{
				certauth.All{c.Policy, certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { boom(); return nil }}},
				c.Policy,
			}
		}},
		{"in Observe", func(c *certauth.Config) { c.Observe = func(context.Context, certauth.Event) { boom() } }},
		{"in the logger", func(c *certauth.Config) {
			c.Logger = slog.New(panickyHandler{slog.DiscardHandler})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := good
			tc.spoil(&config)
			g := through(t, must(t, config).Handler, request())
			assert.Equal(t, 401, g.status)
			assert.Zero(t, g.ran)
			if config.Observe == nil && config.Logger == nil {
				_, err := must(t, config).Check(request())
				assert.Equal(t, certauth.ReasonInternalError, reasonOf(err))
				assert.ErrorContains(t, err, "panic: boom", "the operator sees what it was")
			}
		})
	}
	t.Run("in a route's policy function", func(t *testing.T) {
		var events []certauth.Event
		config := good
		config.Observe = func(_ context.Context, e certauth.Event) { events = append(events, e) }
		auth := must(t, config)
		route := auth.Require(certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { boom(); return nil }})
		g := through(t, func(next http.Handler) http.Handler { return auth.Handler(route(next)) }, request())
		assert.Equal(t, 403, g.status)
		assert.Zero(t, g.ran)
		require.Len(t, events, 2)
		assert.Equal(t, certauth.ReasonInternalError, events[1].Reason())
		assert.ErrorContains(t, events[1].Err, "panic: boom")
	})
	t.Run("in Deny, the default response is written", func(t *testing.T) {
		config := good
		config.Source = fixedSource("s")
		config.Deny = func(http.ResponseWriter, *http.Request, *certauth.Error) { boom() }
		g := through(t, must(t, config).Handler, request())
		assert.Equal(t, 401, g.status)
		assert.Contains(t, g.body, `"status":401`)
	})
	t.Run("in the handler it is the handler's own", func(t *testing.T) {
		h := must(t, good).Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		assert.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(httptest.NewRecorder(), request()) })
	})
}

// panickyHandler panics on the records of requests, not on that of New.
type panickyHandler struct{ slog.Handler }

func (panickyHandler) Enabled(context.Context, slog.Level) bool { return true }
func (panickyHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "certauth: configured" {
		panic("boom")
	}
	return nil
}

func TestHandler_CanceledRequestIsDenied(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	ctx, cancel := context.WithCancel(t.Context())
	auth := must(t, certauth.Config{
		Source: fixedSource("s", leaf.Certificate),
		Policy: certauth.All{
			certauth.Certificates(leaf.Certificate),
			certauth.PolicyFunc{Name: "slow", Func: func(context.Context, *certauth.Identity) error { cancel(); return nil }},
		},
	})
	g := through(t, auth.Handler, request().WithContext(ctx))
	assert.Equal(t, 401, g.status)
	assert.Zero(t, g.ran)
	_, err := auth.Check(request().WithContext(ctx))
	assertReason(t, certauth.ReasonRequestCanceled, err)
}

func assertReason(t *testing.T, want certauth.Reason, err error) {
	t.Helper()
	var refused *certauth.Error
	if !assert.ErrorAs(t, err, &refused) {
		return
	}
	assert.Equal(t, want, refused.Reason, err.Error())
}

func TestHandler_DenyHookCannotTurnARefusalIntoSuccess(t *testing.T) {
	for _, tc := range []struct {
		name string
		deny func(http.ResponseWriter, *http.Request, *certauth.Error)
		want int
		body string
	}{
		{"a status of its own", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) { w.WriteHeader(http.StatusTeapot) }, 418, ""},
		{"a redirect", func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
			http.Redirect(w, r, "/login", http.StatusFound)
		}, 302, "/login"},
		{"200 becomes 401", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) { w.WriteHeader(http.StatusOK) }, 401, ""},
		{"204 becomes 401", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) { w.WriteHeader(http.StatusNoContent) }, 401, ""},
		{"101 becomes 401", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
			w.WriteHeader(http.StatusSwitchingProtocols)
		}, 401, ""},
		{"nonsense becomes 401", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) { w.WriteHeader(0) }, 401, ""},
		{"a body without a status", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) { _, _ = w.Write([]byte("no")) }, 401, `"status":401`},
		{"the second status does not count", func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
			w.WriteHeader(http.StatusForbidden)
			w.WriteHeader(http.StatusOK)
		}, 403, ""},
		{"nothing at all", func(http.ResponseWriter, *http.Request, *certauth.Error) {}, 401, `"status":401`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody}, Deny: tc.deny})
			g := through(t, auth.Handler, request())
			assert.Equal(t, tc.want, g.status)
			assert.Contains(t, g.body, tc.body)
			assert.Zero(t, g.ran)
			assert.Equal(t, "no-store", g.response.Get("Cache-Control"))
		})
	}
	t.Run("a hook that says success leaves nothing behind", func(t *testing.T) {
		for name, spoil := range map[string]func(http.ResponseWriter){
			"2xx":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK); _, _ = w.Write([]byte("secret")) },
			"panic": func(http.ResponseWriter) { panic("boom") },
			"none":  func(http.ResponseWriter) {},
		} {
			auth := must(t, certauth.Config{
				Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody},
				Deny: func(w http.ResponseWriter, _ *http.Request, err *certauth.Error) {
					w.Header().Set("X-Why", string(err.Reason))
					spoil(w)
				},
			})
			g := through(t, auth.Handler, request())
			assert.Equal(t, 401, g.status, name)
			assert.NotContains(t, g.body, "secret", name)
			assert.Empty(t, g.response.Get("X-Why"), name)
		}
	})
	t.Run("the hook cannot reach past the guard", func(t *testing.T) {
		auth := must(t, certauth.Config{
			Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody},
			Deny: func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
				_, _, err := http.NewResponseController(w).Hijack()
				assert.ErrorIs(t, err, http.ErrNotSupported)
				w.Header().Del("Cache-Control")
				w.Header().Del("WWW-Authenticate")
				w.WriteHeader(http.StatusUnauthorized)
			},
		})
		g := through(t, auth.Handler, request())
		assert.Equal(t, "no-store", g.response.Get("Cache-Control"))
		assert.NotEmpty(t, g.response.Get("WWW-Authenticate"))
	})
}

func TestHandler_ReportOnlyLetsThroughWithoutIdentity(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	var events []certauth.Event
	config := certauth.Config{
		Source: fixedSource("s", leaf.Certificate), Policy: certauth.Thumbprints{pinOfNobody}, InsecureReportOnly: true,
		Observe: func(_ context.Context, e certauth.Event) { events = append(events, e) },
	}
	auth := must(t, config)
	assert.Contains(t, auth.String(), "insecure: report only")
	g := through(t, auth.Handler, request())
	assert.Equal(t, 1, g.ran)
	assert.Nil(t, g.identity)
	require.Len(t, events, 1)
	assert.Equal(t, certauth.OutcomeReported, events[0].Outcome)
	assert.Equal(t, certauth.ReasonPinMismatch, events[0].Reason())

	_, err := auth.Check(request())
	assertReason(t, certauth.ReasonPinMismatch, err)

	t.Run("on a route too, and the identity is taken away", func(t *testing.T) {
		config.Policy = certauth.Certificates(leaf.Certificate)
		auth := must(t, config)
		g := through(t, func(h http.Handler) http.Handler {
			return auth.Handler(auth.Require(certauth.CommonNames{"somebody else"})(h))
		}, request())
		assert.Equal(t, 1, g.ran)
		assert.Nil(t, g.identity)
	})
}

func TestRequire_KnownIsForbiddenUnknownIsUnauthorized(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client", certauthtest.DNS("orders.example"))
	caller := []*x509.Certificate{leaf.Certificate}
	source := certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { return caller, nil }}
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	auth := must(t, certauth.Config{Source: source, Policy: chain, Optional: true, Exclusions: []certauth.Exclusion{public("", "/open")}})
	other := must(t, certauth.Config{Source: source, Policy: chain})

	allowed := auth.Require(certauth.Named{Name: "orders", Policy: certauth.DNSNames{"orders.example"}})
	refused := auth.Require(certauth.DNSNames{"billing.example"})
	for _, tc := range []struct {
		name   string
		wrap   func(http.Handler) http.Handler
		target string
		none   bool
		want   int
	}{
		{"known and allowed", func(h http.Handler) http.Handler { return auth.Handler(allowed(h)) }, "/", false, 200},
		{"known and not allowed", func(h http.Handler) http.Handler { return auth.Handler(refused(h)) }, "/", false, 403},
		{"anonymous", func(h http.Handler) http.Handler { return auth.Handler(allowed(h)) }, "/", true, 401},
		{"an excluded route", func(h http.Handler) http.Handler { return auth.Handler(allowed(h)) }, "/open", false, 401},
		{"without Handler around it", func(h http.Handler) http.Handler { return allowed(h) }, "/", false, 401},
		{"behind another Authenticator", func(h http.Handler) http.Handler { return other.Handler(allowed(h)) }, "/", false, 401},
		{"of the zero Authenticator", func(h http.Handler) http.Handler {
			return auth.Handler((&certauth.Authenticator{}).Require(certauth.DNSNames{"orders.example"})(h))
		}, "/", false, 401},
		{"of a nil Authenticator", func(h http.Handler) http.Handler {
			return auth.Handler((*certauth.Authenticator)(nil).Require(certauth.DNSNames{"orders.example"})(h))
		}, "/", false, 401},
		{"two rules, the second refuses", func(h http.Handler) http.Handler { return auth.Handler(allowed(refused(h))) }, "/", false, 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			caller = []*x509.Certificate{leaf.Certificate}
			if tc.none {
				caller = nil
			}
			g := through(t, tc.wrap, httptest.NewRequest(http.MethodGet, tc.target, nil))
			assert.Equal(t, tc.want, g.status)
			assert.Equal(t, tc.want == 200, g.ran == 1)
			assert.Equal(t, tc.want == 401, g.response.Get("WWW-Authenticate") != "")
			if tc.want == 200 {
				assert.Equal(t, []string{"orders"}, g.identity.Matched, "a role of the route")
			}
		})
	}
	t.Run("a panic in a route's rule is 401", func(t *testing.T) {
		caller = []*x509.Certificate{leaf.Certificate}
		rule := auth.Require(certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { panic("boom") }})
		g := through(t, func(h http.Handler) http.Handler { return auth.Handler(rule(h)) }, request())
		assert.GreaterOrEqual(t, g.status, 401)
		assert.Zero(t, g.ran)
	})
	t.Run("the rule of one route does not leak into another", func(t *testing.T) {
		caller = []*x509.Certificate{leaf.Certificate}
		mux := http.NewServeMux()
		var plain []string
		mux.Handle("/a", allowed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		mux.HandleFunc("/b", func(_ http.ResponseWriter, r *http.Request) {
			id, _ := certauth.FromContext(r.Context())
			plain = id.Matched
		})
		h := auth.Handler(mux)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/a", nil))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/b", nil))
		assert.Empty(t, plain)
	})
}

func TestRequire_PanicsOnAPolicyThatNewWouldRefuse(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	pinned := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.PublicKeys{pinOfNobody}})
	full := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.Certificates(leaf.Certificate)})
	for _, tc := range []struct {
		name   string
		auth   *certauth.Authenticator
		policy certauth.Policy
		want   string
	}{
		{"nil", full, nil, "Require: nil policy"},
		{"empty", full, certauth.DNSNames{}, "Require.DNSNames: empty"},
		{"names after a key pin", pinned, certauth.DNSNames{"a.example"}, "does not vouch for names"},
		{"an issuer without a chain", full, certauth.IssuerName{"CN=a"}, "Require.IssuerName: comes before any Chain"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer func() { assert.Contains(t, recover(), tc.want) }()
			tc.auth.Require(tc.policy)
		})
	}
	assert.Panics(t, func() { full.Handler(nil) })
	assert.Panics(t, func() { full.Require(certauth.CommonNames{"client"})(nil) })
}

func TestZeroAuthenticator_DeniesAndSaysSo(t *testing.T) {
	for name, auth := range map[string]*certauth.Authenticator{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			g := through(t, auth.Handler, request())
			assert.Equal(t, 401, g.status)
			assert.Zero(t, g.ran)
			id, err := auth.Check(request())
			assert.Nil(t, id)
			require.ErrorIs(t, err, certauth.ReasonNotConfigured)
			require.ErrorIs(t, auth.Reload(t.Context()), certauth.ReasonNotConfigured)
			assert.Contains(t, auth.String(), "refuses every request")
		})
	}
}

func TestLog_RecordsSayWhatHappened(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var events []certauth.Event
	config := certauth.Config{
		Source: fixedSource("partner", leaf.Certificate), Policy: certauth.Certificates(leaf.Certificate), Logger: logger,
		Observe:    func(_ context.Context, e certauth.Event) { events = append(events, e) },
		Exclusions: []certauth.Exclusion{public("", "/open")},
	}
	auth := must(t, config)
	record := func() map[string]any {
		var m map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &m), out.String())
		out.Reset()
		return m
	}
	var start string
	for line := range bytes.Lines(out.Bytes()) {
		var m map[string]string
		require.NoError(t, json.Unmarshal(line, &m))
		start += m["policy"] + "\n"
	}
	out.Reset()
	assert.Equal(t, auth.String(), start, "a record for each line")
	assert.Contains(t, start, `excluded: GET /open (reason: "probe"; control: "returns no data")`)

	through(t, auth.Handler, request())
	accepted := record()
	assert.Equal(t, "DEBUG", accepted["level"])
	assert.Equal(t, "certauth: accepted", accepted["msg"])
	assert.Equal(t, thumbprint(leaf.Certificate), accepted["fingerprint"])
	assert.Equal(t, "192.0.2.1", accepted["peer"], "httptest's peer")

	through(t, auth.Handler, httptest.NewRequest(http.MethodGet, "/open", nil))
	assert.Equal(t, "certauth: excluded", record()["msg"])

	config.Policy = certauth.Thumbprints{pinOfNobody}
	auth = must(t, config)
	out.Reset()
	through(t, auth.Handler, request())
	denied := record()
	assert.Equal(t, "WARN", denied["level"])
	assert.Equal(t, "pin_mismatch", denied["reason"])
	assert.Equal(t, "Policy.Thumbprints", denied["rule"])
	assert.NotEmpty(t, denied["hint"])
	assert.Contains(t, denied["source"], "partner")
	assert.Equal(t, thumbprint(leaf.Certificate), denied["fingerprint"])

	require.Len(t, events, 3)
	assert.Equal(t, []certauth.Outcome{certauth.OutcomeAccepted, certauth.OutcomeExcluded, certauth.OutcomeDenied},
		[]certauth.Outcome{events[0].Outcome, events[1].Outcome, events[2].Outcome})
	assert.NotNil(t, events[0].Identity)
	assert.Nil(t, events[2].Identity)
	assert.Equal(t, "192.0.2.1", events[2].Peer.String())
}

// bifrost asgard answered 503, pantheon 200; x509.CertificateInvalidError has a reason without a
// text.
func TestError_EveryReasonIsComplete(t *testing.T) {
	reasons := reasonsOfThePackage(t)
	require.Greater(t, len(reasons), 20)
	for _, reason := range reasons {
		t.Run(string(reason), func(t *testing.T) {
			err := &certauth.Error{Reason: reason, Rule: "Policy", Err: errors.New("detail")}
			matching := 0
			for _, other := range reasons {
				if errors.Is(err, other) {
					matching++
				}
			}
			require.ErrorIs(t, err, reason)
			assert.Equal(t, 1, matching, "no other reason")
			assert.EqualError(t, reason, string(reason), "also where it is printed as an error")
			assert.Equal(t, "certauth: Policy: "+string(reason)+": detail", err.Error())
			assert.Equal(t, strings.ToLower(string(reason)), string(reason))
			assert.NotContains(t, string(reason), " ")

			// An error of a source gets the reason's own hint if it has none.
			auth := must(t, certauth.Config{
				Source: certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, &certauth.Error{Reason: reason} }},
				Policy: certauth.Thumbprints{pinOfNobody},
			})
			_, checked := auth.Check(request())
			var refused *certauth.Error
			require.ErrorAs(t, checked, &refused)
			assert.Equal(t, reason, refused.Reason)
			assert.NotEmpty(t, refused.Hint)
			if reason != certauth.ReasonInternalError {
				assert.NotContains(t, refused.Hint, "a panic or a broken rule", "not listed in the table")
			}
		})
	}
}

// One status for each kind of refusal, whatever the reason.
func TestResponse_StatusTableIsComplete(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	for _, reason := range reasonsOfThePackage(t) {
		t.Run(string(reason), func(t *testing.T) {
			refuse := certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { return &certauth.Error{Reason: reason} }}
			source := fixedSource("s", leaf.Certificate)
			outer := must(t, certauth.Config{Source: source, Policy: certauth.All{certauth.Certificates(leaf.Certificate), refuse}})
			assert.Equal(t, 401, through(t, outer.Handler, request()).status)

			auth := must(t, certauth.Config{Source: source, Policy: certauth.Certificates(leaf.Certificate)})
			g := through(t, func(h http.Handler) http.Handler { return auth.Handler(auth.Require(refuse)(h)) }, request())
			assert.Equal(t, 403, g.status)
			assert.Zero(t, g.ran)
		})
	}
}

// A CA on the deny list denies the certificates that it issued, even if only a route verifies their
// chain.
func TestRequire_DenyListOfThePolicyHoldsForChainsOfARoute(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "client")
	auth := must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: certauth.All{
		certauth.Thumbprints{leaf.Thumbprint()},
		certauth.Denied{PublicKeys: []string{spkiPin(ca.Certificate)}},
	}})
	_, err := auth.Check(request())
	require.NoError(t, err, "with only the pin, no CA is known")
	route := auth.Require(certauth.Chain{Roots: certauth.Certificates(ca.Certificate)})
	g := through(t, func(h http.Handler) http.Handler { return auth.Handler(route(h)) }, request())
	assert.Equal(t, 403, g.status)
	assert.Zero(t, g.ran)
}

// The headers that a function reads are removed in every spelling, like those of the presets: no
// handler mistakes a client's own copy for that of the front end. Formerly a function could not
// declare the headers it reads.
func TestHandler_HeadersOfASourceFuncAreRemoved(t *testing.T) {
	w := newWorld(t)
	source := certauth.SourceFunc{Name: "mine", Headers: []string{"x-client-cert", "X-Verified"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
		if r.Header.Get("X-Client-Cert") == "" {
			return nil, nil
		}
		return []*x509.Certificate{w.leaf.Certificate}, nil
	}}
	auth := must(t, certauth.Config{Source: source, Policy: w.chain(), Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "no data"}}})
	with := func(path string, names ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		for _, name := range names {
			r.Header[name] = []string{"x"}
		}
		return r
	}
	for _, r := range []*http.Request{
		with("/", "X-Client-Cert", "X_Client_Cert", "x.client-cert", "X-Verified", "X-Other"),
		with("/health", "X-Client-Cert", "X_Verified", "X-Other"),
	} {
		var seen http.Header
		auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })).ServeHTTP(httptest.NewRecorder(), r)
		assert.Equal(t, http.Header{"X-Other": {"x"}}, seen, r.URL.Path)
	}
	r := with("/", "X-Client-Cert")
	r.Header.Set("Connection", "X-Client-Cert")
	_, err := auth.Check(r)
	assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
	_, err = auth.Check(with("/"))
	assert.Equal(t, certauth.ReasonCertificateMissing, reasonOf(err))
}

func TestRequire_PanicInObserveDenies(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{
		Source: fixedSource("s", leaf.Certificate), Policy: certauth.Certificates(leaf.Certificate),
		Observe: func(_ context.Context, e certauth.Event) {
			if e.Route {
				panic("boom")
			}
		},
	})
	g := through(t, func(h http.Handler) http.Handler {
		return auth.Handler(auth.Require(certauth.CommonNames{"client"})(h))
	}, request())
	assert.Equal(t, 401, g.status)
	assert.Zero(t, g.ran)
}

// The doc of Config.Deny: WWW-Authenticate and Cache-Control are set and may be changed, and an
// answer that is not a success is entirely the hook's own. Successes and invalid answers are not
// permitted.
func TestHandler_DenyHookWritesItsOwnAnswer(t *testing.T) {
	const challenge = `DPoP algs="ES256"`
	var log records
	auth := func(deny func(http.ResponseWriter, *http.Request, *certauth.Error)) *certauth.Authenticator {
		return must(t, certauth.Config{
			Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody}, Deny: deny, Challenge: challenge, Logger: log.logger(slog.LevelError),
		})
	}
	for status, want := range map[int]int{299: 401, 300: 300, 401: 401, 403: 403, 598: 598, 599: 599, 600: 401, 601: 401} {
		g := through(t, auth(func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) { w.WriteHeader(status) }).Handler, request())
		assert.Equal(t, want, g.status, status)
		if want == 401 {
			assert.Equal(t, []string{challenge}, g.response.Values("WWW-Authenticate"), status)
		}
	}
	own := func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
		assert.Equal(t, challenge, w.Header().Get("WWW-Authenticate"))
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.Header().Set("Cache-Control", "private")
		w.Header().Del("X-Earlier")
		w.WriteHeader(http.StatusUnauthorized)
	}
	earlier := func(next http.Handler) http.Handler {
		guarded := auth(own).Handler(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Earlier", "secret")
			guarded.ServeHTTP(w, r)
		})
	}
	g := through(t, earlier, request())
	assert.Equal(t, []string{"Bearer"}, g.response.Values("WWW-Authenticate"))
	assert.Equal(t, []string{"private"}, g.response.Values("Cache-Control"))
	assert.NotContains(t, g.response, "X-Earlier", "the hook removed it")
	forbid := func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
		w.Header().Del("WWW-Authenticate")
		w.WriteHeader(http.StatusForbidden)
	}
	g = through(t, auth(forbid).Handler, request())
	assert.NotContains(t, g.response, "Www-Authenticate", "RFC 9110, section 15.5.2 requires it only for a 401")
	assert.Empty(t, log.take(t), "no hook has panicked")
	through(t, auth(func(http.ResponseWriter, *http.Request, *certauth.Error) { panic("boom") }).Handler, request())
	list := log.take(t)
	require.Len(t, list, 1)
	assert.Equal(t, "Deny", list[0]["rule"])
}

// RFC 9457, section 3, and the doc of Config.Challenge: the default answer is the same for every
// reason, and headers that middleware outside set for another body are removed.
func TestResponse_DefaultAnswerIsWhole(t *testing.T) {
	for challenge, want := range map[string]string{"": `ClientCertificate realm="client-certificate"`, `DPoP algs="ES256"`: `DPoP algs="ES256"`} {
		auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.Thumbprints{pinOfNobody}, Challenge: challenge})
		g := through(t, func(next http.Handler) http.Handler {
			guarded := auth.Handler(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for _, key := range []string{"Content-Length", "Content-Encoding", "Content-Type", "ETag", "Last-Modified", "WWW-Authenticate", "Cache-Control"} {
					w.Header().Set(key, "of another body")
				}
				guarded.ServeHTTP(w, r)
			})
		}, request())
		assert.Equal(t, http.Header{
			"Content-Type": {"application/problem+json"}, "Content-Length": {strconv.Itoa(len(g.body))}, "X-Content-Type-Options": {"nosniff"},
			"Cache-Control": {"no-store"}, "Www-Authenticate": {want},
		}, g.response)
		assert.JSONEq(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, g.body)
	}
}
