package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// trippingClock panics at the nth call from now on.
type trippingClock struct{ left int }

func (c *trippingClock) now() time.Time {
	if c.left--; c.left == 0 {
		panic("clock")
	}
	return time.Now()
}

// A panic of the clock accepts nobody: 401 while the caller is unknown, and 403 on a route (the doc
// of Require), and no handler runs.
func TestHandler_PanicOfTheClockDenies(t *testing.T) {
	w := newWorld(t)
	clock := &trippingClock{}
	auth := must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain(), Now: clock.now})
	clock.left = 1
	g := through(t, auth.Handler, request())
	assert.Equal(t, http.StatusUnauthorized, g.status)
	assert.Zero(t, g.ran)
	route := auth.Require(certauth.CommonNames{"client"})
	arm := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { clock.left = 1; next.ServeHTTP(w, r) })
	}
	g = through(t, func(next http.Handler) http.Handler { return auth.Handler(arm(route(next))) }, request())
	assert.Equal(t, http.StatusForbidden, g.status)
	assert.Zero(t, g.ran)
	clock.left = 0
	g = through(t, func(next http.Handler) http.Handler { return auth.Handler(route(next)) }, request())
	assert.Equal(t, 1, g.ran)
}

// brokenSource panics on demand, and otherwise offers nothing.
type brokenSource struct{ texts textSource }

func (b *brokenSource) Prepare(source.Environment) (*source.Reader, error) {
	return &source.Reader{Name: "broken", Offer: func(*http.Request, *source.Offer) error { panic("offer") }, Decode: b.texts.decode}, nil
}

// A source that fails has not found that there is no certificate: no caller becomes anonymous.
func TestHandler_BrokenSourceIsNoAbsence(t *testing.T) {
	w := newWorld(t)
	nothing := func([]string) ([]*x509.Certificate, error) { return nil, nil }
	for _, tc := range []struct {
		name     string
		source   certauth.Source
		optional bool
		status   int
		reason   certauth.Reason
		says     string
	}{
		{"a panic in Offer", &brokenSource{textSource{means: nothing}}, true, http.StatusUnauthorized, certauth.ReasonInternalError, "panic: offer"},
		{"a panic in Decode", &textSource{means: func([]string) ([]*x509.Certificate, error) { panic("decode") }}, true, http.StatusUnauthorized, certauth.ReasonInternalError, "panic: decode"},
		{"texts that hold no certificate", &textSource{means: nothing}, false, http.StatusUnauthorized, certauth.ReasonCertificateMissing, "no certificate"},
		{"the same where it may be absent", &textSource{means: nothing}, true, http.StatusOK, certauth.ReasonCertificateMissing, "no certificate"},
	} {
		auth := must(t, certauth.Config{Source: tc.source, Policy: w.chain(), Optional: tc.optional})
		g := through(t, auth.Handler, offering("a"))
		assert.Equal(t, tc.status, g.status, tc.name)
		assert.Nil(t, g.identity, tc.name)
		_, err := auth.Check(offering("a"))
		assert.Equal(t, tc.reason, reasonOf(err), "%s: %v", tc.name, err)
		assert.ErrorContains(t, err, tc.says, tc.name)
	}
}

// A route without the Handler around it refuses, and neither Deny nor, under InsecureReportOnly,
// the handler sees the source's header or trailer.
func TestRequire_WithoutHandlerShowsNoHeaderOfTheSource(t *testing.T) {
	w := newWorld(t)
	for _, reportOnly := range []bool{false, true} {
		var seen []*http.Request
		look := func(r *http.Request) { seen = append(seen, r) }
		auth := must(t, certauth.Config{
			Source: headerSource{}, Policy: w.chain(), InsecureReportOnly: reportOnly,
			Deny: func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
				look(r)
				w.WriteHeader(http.StatusUnauthorized)
			},
		})
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["X-Client-Cert"], r.Header["x_client_cert"] = []string{"forged"}, []string{"forged"}
		r.Trailer = http.Header{"X-Client-Cert": nil, "X-Sum": nil}
		auth.Require(certauth.CommonNames{"client"})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { look(r) })).ServeHTTP(httptest.NewRecorder(), r)
		require.Len(t, seen, 1)
		assert.NotContains(t, seen[0].Header, "X-Client-Cert")
		assert.NotContains(t, seen[0].Header, "x_client_cert")
		assert.NotContains(t, seen[0].Trailer, "X-Client-Cert")
		assert.Contains(t, seen[0].Trailer, "X-Sum")
	}
}

// Changes that a handler makes to its identity do not reach a route behind it.
func TestRequire_ChangesToAnIdentityReachNoRoute(t *testing.T) {
	w := newWorld(t)
	auth := must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: certauth.Named{Name: "user", Policy: w.chain()}})
	meddle := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := certauth.FromContext(r.Context())
			id.Matched[0] = "admin"
			next.ServeHTTP(w, r)
		})
	}
	g := through(t, func(next http.Handler) http.Handler {
		return auth.Handler(meddle(auth.Require(certauth.CommonNames{"client"})(next)))
	}, request())
	require.Equal(t, 1, g.ran)
	assert.Equal(t, []string{"user"}, g.identity.Matched)
	var first *certauth.Identity
	g = through(t, func(next http.Handler) http.Handler {
		return auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			first, _ = certauth.FromContext(r.Context())
			auth.Require(certauth.CommonNames{"client"})(next).ServeHTTP(w, r)
		}))
	}, request())
	assert.Same(t, first, g.identity, "a route that adds nothing makes no other")
}

// The doc of Any: members are judged until one accepts, unless the policy has roles. This also
// applies to a route.
func TestRequire_RouteWithoutRolesAsksUntilOneAccepts(t *testing.T) {
	w := newWorld(t)
	auth := authOf(t, w.chain(), time.Time{}, w.leaf.Certificate)
	asked := 0
	counting := certauth.PolicyFunc{Name: "counting", Func: func(context.Context, *certauth.Identity) error { asked++; return nil }}
	assert.Equal(t, http.StatusOK, routed(auth, certauth.Any{w.chain(), w.behind(counting)}))
	assert.Zero(t, asked)
	assert.Equal(t, http.StatusOK, routed(auth, certauth.Any{w.chain(), certauth.Named{Name: "x", Policy: w.behind(counting)}}))
	assert.NotZero(t, asked)
}

// reloading is a source with its own reloadable material.
type reloading struct {
	reload func(context.Context) error
	err    error
}

func (s reloading) Prepare(env source.Environment) (*source.Reader, error) {
	if s.reload != nil {
		first := true
		pins := certauth.ThumbprintsFrom(certauth.PinFunc(func(ctx context.Context) ([]string, error) {
			if first {
				first = false
				return []string{pinOfNobody}, nil
			}
			return []string{pinOfNobody}, s.reload(ctx)
		}))
		if _, err := env.NewHop(certauth.TLS{}, pins); err != nil {
			return nil, err
		}
	}
	reader, err := fixedSource("s").Prepare(env)
	return reader, errors.Join(s.err, err)
}

// Reload also reloads the source's material, and returns its failures, including panics.
func TestReload_AsksTheSourceAsWell(t *testing.T) {
	w := newWorld(t)
	failure, asked := errors.New("no such file"), 0
	for name, tc := range map[string]struct {
		outcome func() error
		want    string
	}{
		"done":  {func() error { return nil }, ""},
		"fails": {func() error { return failure }, "no such file"},
		"panic": {func() error { panic("reload") }, "reload"},
	} {
		asked = 0
		auth := must(t, certauth.Config{Policy: w.chain(), Source: reloading{reload: func(context.Context) error { asked++; return tc.outcome() }}})
		err := auth.Reload(t.Context())
		assert.Equal(t, 1, asked, name)
		if tc.want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, tc.want, name)
		}
	}
}

// New counts every mistake, including those that a source returns joined.
func TestNew_CountsTheMistakesOfTheSource(t *testing.T) {
	source := reloading{err: errors.Join(errors.New("first"), errors.Join(errors.New("second"), errors.New("third")))}
	_, err := certauth.New(certauth.Config{Source: source, Policy: newWorld(t).chain()})
	assert.EqualError(t, err, "certauth: 3 mistakes in Config:\nSource: first\nSource: second\nSource: third")
}

// unsure is a handler of log/slog whose level check panics once it is armed.
type unsure struct {
	slog.Handler

	armed *bool
}

func (h unsure) Enabled(context.Context, slog.Level) bool {
	if *h.armed {
		panic("level")
	}
	return false
}

// Whether there is a listener is checked before a record is built; a panic in that check is one of
// the Logger, and refuses.
func TestHandler_PanicOfTheLoggersLevelDenies(t *testing.T) {
	w := newWorld(t)
	armed := false
	auth := must(t, certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain(), Logger: slog.New(unsure{slog.DiscardHandler, &armed})})
	require.Equal(t, 1, through(t, auth.Handler, request()).ran)
	armed = true
	g := through(t, auth.Handler, request())
	assert.Zero(t, g.ran)
	assert.Equal(t, http.StatusUnauthorized, g.status)
}

// finding T94: with GODEBUG=panicnil=1, where recover does not tell panic(nil) from the end of a function,
// everybody was accepted whose policy, clock or Observe panicked in this way.
func TestHandler_PanicWithNilDenies(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	armed, nothing := false, any(nil)
	boom := func() {
		if armed {
			panic(nothing)
		}
	}
	w := newWorld(t)
	function := certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error { boom(); return nil }}
	good := certauth.Config{Source: fixedSource("s", w.leaf.Certificate), Policy: w.chain()}
	for name, spoil := range map[string]func(*certauth.Config){
		"in the source": func(c *certauth.Config) {
			c.Source = certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) {
				boom()
				return []*x509.Certificate{w.leaf.Certificate}, nil
			}}
		},
		"in a policy function": func(c *certauth.Config) { c.Policy = certauth.All{c.Policy, function} },
		"in one with roles": func(c *certauth.Config) {
			c.Policy = certauth.Named{Name: "r", Policy: certauth.All{c.Policy, function}}
		},
		"in a checker": func(c *certauth.Config) {
			c.Policy = certauth.All{c.Policy, certauth.NotRevoked{Checker: checkerFunc(func() { boom() })}}
		},
		"in the clock": func(c *certauth.Config) { c.Now = func() time.Time { boom(); return time.Now() } },
		"in Observe":   func(c *certauth.Config) { c.Observe = func(context.Context, certauth.Event) { boom() } },
		"in Observe, and Deny answers": func(c *certauth.Config) {
			c.Observe = func(context.Context, certauth.Event) { boom() }
			c.Deny = func(w http.ResponseWriter, _ *http.Request, err *certauth.Error) {
				assert.ErrorContains(t, err, "panic: <nil>")
				w.WriteHeader(http.StatusUnauthorized)
			}
		},
		"in one that is optional": func(c *certauth.Config) {
			c.Policy, c.Optional = certauth.All{c.Policy, function}, true
		},
	} {
		config := good
		spoil(&config)
		armed = false
		auth := must(t, config)
		assert.Equal(t, 1, through(t, auth.Handler, request()).ran, name)
		armed = true
		g := through(t, auth.Handler, request())
		assert.Equal(t, http.StatusUnauthorized, g.status, name)
		assert.Zero(t, g.ran, name)
	}
	for name, config := range map[string]certauth.Config{
		"in the policy function of a route": good,
		"in the clock at a route":           {Source: good.Source, Policy: good.Policy, Now: func() time.Time { boom(); return time.Now() }},
	} {
		armed = false
		auth := must(t, config)
		route := auth.Require(function)
		g := through(t, func(next http.Handler) http.Handler {
			return auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				armed = true
				route(next).ServeHTTP(w, r)
			}))
		}, request())
		assert.Equal(t, http.StatusForbidden, g.status, name)
		assert.Zero(t, g.ran, name)
	}
}

// checkerFunc is a checker that finds everything good after the function has returned.
type checkerFunc func()

func (f checkerFunc) CheckChain(_ context.Context, _ []*x509.Certificate) (certauth.Revocation, error) {
	f()
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

// If nothing takes the connection over, it ends with the panic that net/http expects, and 101 does not say
// close, because the client would not accept the upgrade.
func TestHandler_ThePanicAfterAnAnswerOf101(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	handler := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)}).
		Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			_ = http.NewResponseController(w).Flush()
		}))
	w, r := httptest.NewRecorder(), request()
	r.Header.Set("X-Client-Cert", "1")
	r.Header.Set("Upgrade", "websocket")
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { handler.ServeHTTP(notTakenOver{w}, r) })
	assert.Empty(t, w.Header()["Connection"])
}
