package unittest_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest/unittest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// recorder is a testing.TB that records the message that ends the test.
type recorder struct {
	testing.TB
	fatal string
}

type ended struct{}

func (*recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	panic(ended{})
}

// complaint returns the message of f.
func complaint(t *testing.T, f func(tb *recorder)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(ended{}) {
				panic(p)
			}
		}()
		f(r)
	}()
	return r.fatal
}

func TestContext_IsThatOfAnIdentity(t *testing.T) {
	type key struct{}
	client := certauthtest.SelfSigned(t, "billing", certauthtest.URI(t, "spiffe://example.org/billing"))
	parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "kept"))
	ctx := unittest.Context(t, parent, client, "operator", "auditor")
	id, ok := certauth.FromContext(ctx)
	require.True(t, ok)
	assert.Equal(t, client.Raw, id.Leaf.Raw)
	assert.Equal(t, []string{"operator", "auditor"}, id.Matched)
	assert.True(t, id.NamesVouched())
	name, ok := id.SPIFFEID()
	assert.True(t, ok)
	assert.Equal(t, "spiffe://example.org/billing", name)
	assert.Equal(t, "kept", ctx.Value(key{}))
	cancel()
	assert.ErrorIs(t, ctx.Err(), context.Canceled)

	again, _ := certauth.FromContext(unittest.Context(t, unittest.Context(t, t.Context(), client), certauthtest.SelfSigned(t, "other")))
	assert.Equal(t, "other", again.Leaf.Subject.CommonName, "the innermost identity counts, as with Handler")
}

// go-jwt-middleware core.SetClaims, authn-go SetInfo: an Authenticator does not accept an identity
// made by a test, neither in its routes nor in its Handler.
func TestContext_IsBelievedByNoAuthenticator(t *testing.T) {
	client := certauthtest.SelfSigned(t, "billing")
	pin := certauth.Certificates(client.Certificate)
	reached := func(w http.ResponseWriter, r *http.Request) {
		_, ok := certauth.FromContext(r.Context())
		fmt.Fprint(w, ok)
	}
	for _, optional := range []bool{false, true} {
		var reason certauth.Reason
		auth, err := certauth.New(certauth.Config{
			Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Policy: pin, Optional: optional,
			Observe: func(_ context.Context, e certauth.Event) { reason = e.Reason() },
		})
		require.NoError(t, err)
		request := func() *http.Request {
			return httptest.NewRequestWithContext(unittest.Context(t, t.Context(), client), http.MethodGet, "/", nil)
		}

		w := httptest.NewRecorder()
		auth.Require(pin)(http.HandlerFunc(reached)).ServeHTTP(w, request())
		assert.Equal(t, http.StatusUnauthorized, w.Code)
		assert.Equal(t, certauth.ReasonCertificateMissing, reason)

		w = httptest.NewRecorder()
		auth.Handler(auth.Require(pin)(http.HandlerFunc(reached))).ServeHTTP(w, request())
		assert.Equal(t, http.StatusUnauthorized, w.Code)

		w = httptest.NewRecorder()
		auth.Handler(http.HandlerFunc(reached)).ServeHTTP(w, request())
		if !optional {
			assert.Equal(t, http.StatusUnauthorized, w.Code)
		} else {
			assert.Equal(t, "false", w.Body.String(), "an anonymous request has no identity, even if its context had one")
		}
	}
}

func TestContext_ImpossibleIdentitiesEndTheTest(t *testing.T) {
	past := time.Now().AddDate(-1, 0, 0)
	for want, f := range map[string]func(tb *recorder){
		"the client is nil": func(tb *recorder) { unittest.Context(tb, t.Context(), nil) },
		"no policy lets this client in: ": func(tb *recorder) {
			unittest.Context(tb, t.Context(), certauthtest.SelfSigned(t, "old", certauthtest.Valid(past, past.Add(time.Hour))))
		},
		"context canceled": func(tb *recorder) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			unittest.Context(tb, ctx, certauthtest.SelfSigned(t, "a"))
		},
		"Named.Name": func(tb *recorder) { unittest.Context(tb, t.Context(), certauthtest.SelfSigned(t, "a"), "") },
	} {
		assert.Contains(t, complaint(t, f), want)
	}
}

func TestTestPolicy(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	good, bad := ca.Issue(t, "billing", certauthtest.URI(t, "spiffe://a/billing")), ca.Issue(t, "stranger")
	named := func(_ context.Context, id *certauth.Identity) error {
		if id.Leaf.Subject.CommonName != "billing" {
			return errors.New("not billing")
		}
		return nil
	}
	var calls atomic.Int64
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		good   *certauthtest.Certificate
		bad    []*certauthtest.Certificate
		want   string
	}{
		{"a sound function", certauth.PolicyFunc{Name: "f", Func: named}, good, []*certauthtest.Certificate{bad}, ""},
		{"a function that obeys its context", certauth.PolicyFunc{Name: "f", Func: func(ctx context.Context, id *certauth.Identity) error {
			return errors.Join(ctx.Err(), named(ctx, id))
		}}, good, []*certauthtest.Certificate{bad}, ""},
		{"a policy of the library", certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, certauth.CommonNames{"billing"}}, good, []*certauthtest.Certificate{bad}, ""},
		// finding N39: a client that no policy lets in counted as one that this policy refuses, so that a test of a
		// policy that accepts everybody passed.
		{
			"refused because it has expired",
			certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error { return nil }},
			good,
			[]*certauthtest.Certificate{ca.Issue(t, "expired", certauthtest.Valid(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)))},
			"client 1 of those that must be refused is refused whatever the policy says",
		},
		{
			"refused because it is for servers",
			certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error { return nil }},
			good,
			[]*certauthtest.Certificate{ca.Issue(t, "server", certauthtest.Usage(x509.ExtKeyUsageServerAuth))},
			"client 1 of those that must be refused is refused whatever the policy says",
		},
		// finding N57: without clients that must be refused, a policy that accepts everybody passed.
		{"nobody is refused", certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error { return nil }}, good, nil, "no client must be refused"},
		{"a nil among them", certauth.PolicyFunc{Name: "f", Func: named}, good, []*certauthtest.Certificate{bad, nil}, "client 2 of those that must be refused is nil"},
		{"nobody is accepted", certauth.PolicyFunc{Name: "f", Func: named}, nil, nil, "proves nothing"},
		{"the client is refused", certauth.PolicyFunc{Name: "f", Func: named}, bad, nil, `the client that must be accepted: the reason is "policy_refused"`},
		{"a stranger is accepted", certauth.PolicyFunc{Name: "f", Func: named}, good, []*certauthtest.Certificate{bad, good}, `client 2 of those that must be refused: the reason is ""`},
		{"no function", certauth.PolicyFunc{Name: "f"}, good, nil, "Func: nil"},
		{"a function that wants a URI", certauth.PolicyFunc{Name: "f", Func: func(_ context.Context, id *certauth.Identity) error {
			if id.Leaf.URIs[0].Path != "/billing" {
				return errors.New("not billing")
			}
			return nil
		}}, good, nil, "it panics"},
		{"a function that lets every second in", certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error {
			if calls.Add(1)%2 == 0 {
				return errors.New("not this time")
			}
			return nil
		}}, good, nil, "for the same certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			have := complaint(t, func(tb *recorder) { unittest.TestPolicy(tb, tc.policy, tc.good, tc.bad...) })
			if tc.want == "" {
				assert.Empty(t, have)
				return
			}
			assert.Contains(t, have, tc.want)
		})
	}
}

// A function that ignores its context delays the request.
func TestTestPolicy_AFunctionThatHangs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		client := certauthtest.SelfSigned(t, "client")
		over := make(chan struct{})
		hangs := certauth.PolicyFunc{Name: "f", Func: func(ctx context.Context, _ *certauth.Identity) error {
			if _, ends := ctx.Deadline(); ends {
				<-over
			}
			return nil
		}}
		assert.Contains(t, complaint(t, func(tb *recorder) { unittest.TestPolicy(tb, hangs, client) }), "has not returned after 30s")
		close(over)
	})
}

// A source that makes a call and ignores its context delays the request.
func TestTestSource_ASourceThatHangs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		hangs := certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if _, ends := r.Context().Deadline(); ends {
				<-over
			}
			return sound(r)
		}}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Cert", certauthtest.SelfSigned(t, "client").Base64())
		assert.Contains(t, complaint(t, func(tb *recorder) { unittest.TestSource(tb, hangs, r) }), "has not returned after 30s")
		close(over)
	})
}

// certificateOf decodes the header of the sources below.
func certificateOf(text string) ([]*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{cert}, nil
}

// own is a source of another module, with a possible fault.
type own struct {
	listed []string
	read   func(r *http.Request) ([]*x509.Certificate, error)
}

func (s own) Prepare(source.Environment) (*source.Reader, error) {
	return &source.Reader{Name: "own", Headers: s.listed, Offer: func(r *http.Request, offer *source.Offer) (err error) {
		offer.Certificates, err = s.read(r)
		return err
	}}, nil
}

// sound is the source into which the faults are introduced.
func sound(r *http.Request) ([]*x509.Certificate, error) {
	switch values := r.Header["X-Cert"]; len(values) {
	case 0:
		return nil, nil
	case 1:
		if values[0] == "" {
			return nil, nil
		}
		return certificateOf(values[0])
	}
	return nil, errors.New("two lines")
}

func TestTestSource_CatchesPlantedFaults(t *testing.T) {
	var calls atomic.Int64
	always := certauthtest.SelfSigned(t, "always")
	type refusal = certauth.Error
	for _, tc := range []struct {
		name   string
		source certauth.Source
		want   string
	}{
		{"a sound source", own{[]string{"X-Cert"}, sound}, ""},
		{"a sound function", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: sound}, ""},
		{"the first of two lines", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if r.Header.Get("X-Cert") == "" {
				return nil, nil
			}
			return certificateOf(r.Header.Get("X-Cert"))
		}}, "X-Cert occurs twice"},
		{"malformed is absent", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			certs, err := sound(r)
			if err != nil && len(r.Header["X-Cert"]) == 1 {
				return nil, nil
			}
			return certs, err
		}}, "X-Cert cannot be read and is treated as absent"},
		// finding N65: sources that treat a header as absent which is too long, or which a proxy has joined of two lines, passed.
		{"too long is absent", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if len(r.Header.Get("X-Cert")) > 16<<10 {
				return nil, nil
			}
			return sound(r)
		}}, "X-Cert cannot be read and is treated as absent"},
		{"a list is absent", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if strings.Contains(r.Header.Get("X-Cert"), ",") {
				return nil, nil
			}
			return sound(r)
		}}, "X-Cert cannot be read and is treated as absent"},
		// finding N71: a source with the same certificate for every request passed.
		{"a certificate of nobody", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) {
			return []*x509.Certificate{always.Certificate}, nil
		}}, "yields a certificate too: every caller would be that client"},
		{"that of the caller before", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			certs, err := sound(r)
			if err != nil || len(certs) > 0 {
				return certs, err
			}
			return []*x509.Certificate{always.Certificate}, nil
		}}, "yields a certificate too: every caller would be that client"},
		{"a function that lists no header", certauth.SourceFunc{Name: "f", Func: sound}, "the certificate is in X-Cert, which Headers does not list"},
		{"a header that is not listed", own{[]string{"X-Other"}, sound}, "the certificate is in X-Cert, which Headers does not list"},
		{"a request that is changed", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			defer delete(r.Header, "X-Cert")
			return sound(r)
		}}, "it changes the headers of the request"},
		{"an index", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			_ = r.Header["X-Cert"][0]
			return sound(r)
		}}, "it panics"},
		{"TLS that is taken for granted", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if r.TLS != nil && len(r.TLS.PeerCertificates[0].Raw) > 0 {
				return nil, errors.New("no")
			}
			return sound(r)
		}}, "TLS without a certificate: it panics"},
		{"an answer that changes", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if calls.Add(1) > 1 {
				return nil, errors.New("once is enough")
			}
			return sound(r)
		}}, "for the same request or a copy of it"},
		{"a certificate beside an error", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			certs, err := sound(r)
			if len(r.Header["X-Cert"]) == 2 {
				return []*x509.Certificate{{Raw: []byte{1}}}, err
			}
			return certs, err
		}}, ""}, // certauth.SourceFunc itself drops it
		{"the same without the library", own{[]string{"X-Cert"}, func(r *http.Request) ([]*x509.Certificate, error) {
			certs, err := sound(r)
			if len(r.Header["X-Cert"]) == 2 {
				return []*x509.Certificate{{Raw: []byte{1}}}, err
			}
			return certs, err
		}}, "it returns certificates together with an error"},
		{"nil for a certificate", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
			if len(r.Header["X-Cert"]) == 0 {
				return []*x509.Certificate{nil}, nil
			}
			return sound(r)
		}}, "it returns nil or no certificate"},
		{"a nil error that is none", own{[]string{"X-Cert"}, func(r *http.Request) ([]*x509.Certificate, error) {
			if len(r.Header["X-Cert"]) == 0 {
				var refused *refusal
				return nil, refused
			}
			return sound(r)
		}}, "which is not nil"},
		{"no certificate at all", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }}, "so the check proves nothing"},
		{"no function", certauth.SourceFunc{Name: "f", Headers: []string{"X-Cert"}}, "SourceFunc.Func: nil"},
		{"no gate", forwarded.Traefik{}, "From: not set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-Cert", certauthtest.SelfSigned(t, "client").Base64())
			have := complaint(t, func(tb *recorder) { unittest.TestSource(tb, tc.source, r) })
			if tc.want == "" {
				assert.Empty(t, have)
				return
			}
			assert.Contains(t, have, tc.want)
		})
	}
	assert.Contains(t, complaint(t, func(tb *recorder) { unittest.TestSource(tb, nil, nil) }), "nil")
}

// The library's own presets pass the check.
func TestTestSource_OfTheLibrary(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	local := forwarded.Peers("127.0.0.1")
	for frontEnd, source := range map[string]certauth.Source{
		"Nginx": forwarded.Nginx{From: local, FingerprintHeader: "X-Client-Fingerprint"}, "HAProxy": forwarded.HAProxy{From: local, ChainHeader: "X-SSL-Chain-Der"},
		"Apache": forwarded.Apache{From: local}, "Traefik": forwarded.Traefik{From: local}, "Envoy": forwarded.Envoy{From: local}, "GoogleLB": forwarded.GoogleLB{From: local},
		"AppService": forwarded.AppService{InsecureOutsideAppService: true, From: forwarded.SharedSecret("X-Gate", "correct horse battery staple")}, "Cloudflare": forwarded.Cloudflare{From: local},
		"RFC9440/chain": forwarded.RFC9440{From: local, Chain: true},
	} {
		t.Run(strings.ReplaceAll(frontEnd, "/", " "), func(t *testing.T) {
			r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, "/", nil), "tcp", "127.0.0.1:1")
			certauthtest.FrontEnd{Name: frontEnd}.Forward(t, r, client, certauthtest.NewCA(t, "root"))
			r.Header.Set("X-Gate", "correct horse battery staple")
			unittest.TestSource(t, source, r)
		})
	}
}
