package certauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Changes that a hook makes to the error of one request do not reach the next one's, even if the
// source returns the same error each time.
func TestPolicy_HooksCannotChangeTheErrorOfASource(t *testing.T) {
	w := newWorld(t)
	broken := &certauth.Error{Reason: certauth.ReasonCertificateMalformed, Rule: "Source.mine", Hint: "look at the front end", Err: errors.New("broken")}
	auth, err := certauth.New(certauth.Config{
		Source: certauth.SourceFunc{Name: "mine", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, broken }},
		Policy: w.chain(), Optional: true,
		Deny: func(w http.ResponseWriter, _ *http.Request, err *certauth.Error) {
			err.Reason = certauth.ReasonCertificateMissing
			http.Error(w, "no", http.StatusUnauthorized)
		},
	})
	require.NoError(t, err)
	h := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
	for range 3 {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, http.StatusUnauthorized, recorder.Code)
	}
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	assert.NotSame(t, broken, err)
	assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
}

// gated is a source that judges its sender.
type gated struct{ policy certauth.Policy }

func (g gated) Prepare(env source.Environment) (*source.Reader, error) {
	if _, err := env.NewHop(certauth.TLS{}, g.policy); err != nil {
		return nil, err
	}
	return fixedSource("gated").Prepare(env)
}

func TestNew_SourcesAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name   string
		source certauth.Source
		want   string
	}{
		{"a typed nil", (*preparing)(nil), "Source: nil"},
		{"no name", certauth.SourceFunc{Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }}, "SourceFunc.Name: empty"},
		{"no function", certauth.SourceFunc{Name: "s"}, "SourceFunc.Func: nil"},
		{"a source that cannot prepare", &preparing{panics: true}, "panic: not today"},
		{"a source that prepares nothing", &preparing{}, "Prepare returned nil"},
		{"a header name with a space", namedHeaders{"X Client Cert"}, `header name "X Client Cert" is not a token`},
		{"an empty header name", namedHeaders{""}, "is not a token"},
		{"an over-long header name", namedHeaders{strings.Repeat("x", 64)}, "is not a token of at most 63 bytes"},
		{"a header name of a function", certauth.SourceFunc{Name: "s", Headers: []string{"X-A", "X B"}, Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }}, `header name "X B" is not a token`},
		{"a struct around a source, with a method of its own", sourceAround{TLS: certauth.TLS{}}, "certauth_test.sourceAround embeds certauth.TLS"},
		{"a pointer to one", &sourceAround{TLS: certauth.TLS{}}, "certauth_test.sourceAround embeds certauth.TLS"},
		{"a pointer to a struct around one that is used by its pointer", &preparingAround{}, "certauth_test.preparingAround embeds certauth_test.preparing"},
		{"a struct around any source", anySource{certauth.TLS{}}, "certauth_test.anySource embeds certauth.Source"},
		{"a struct around no source", anySource{}, "certauth_test.anySource embeds certauth.Source"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: tc.source, Policy: certauth.Thumbprints{pinOfNobody}})
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

// sourceAround is a type that a user may write to check more; New would never call the method.
type sourceAround struct{ certauth.TLS }

func (sourceAround) Certificates(*http.Request) ([]*x509.Certificate, error) {
	return nil, errors.New("not from here")
}

type preparingAround struct{ preparing }

type anySource struct{ certauth.Source }

type preparing struct{ panics bool }

func (p *preparing) Prepare(source.Environment) (*source.Reader, error) {
	if p.panics {
		panic("not today")
	}
	return nil, nil
}

type namedHeaders []string

func (n namedHeaders) Prepare(env source.Environment) (*source.Reader, error) {
	return certauth.SourceFunc{Name: "named", Headers: n, Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil }}.Prepare(env)
}

// A service behind a proxy that is configured for TLS of its own sees no certificate. The record
// says why.
func TestTLS_SaysThatTheConnectionIsNotTLS(t *testing.T) {
	auth := must(t, certauth.Config{Source: certauth.TLS{}, Policy: certauth.Thumbprints{pinOfNobody}})
	_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, certauth.ReasonCertificateMissing, refused.Reason)
	assert.ErrorContains(t, refused, "the connection is not TLS")
	assert.Contains(t, refused.Hint, "package forwarded")
}

// T33: in early data of HTTP/3 (http3.Server of quic-go accepts it by default) the state of the
// connection has the certificate of the resumed session, and no handshake has ended.
func TestTLS_EarlyDataIsRefused(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	for _, optional := range []bool{false, true} {
		auth := must(t, certauth.Config{Source: certauth.TLS{}, Policy: certauth.Thumbprints{client.Thumbprint()}, Optional: optional})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, DidResume: true, PeerCertificates: []*x509.Certificate{client.Certificate}}
		_, err := auth.Check(r)
		assert.Equal(t, certauth.ReasonFrontEndUnverified, reasonOf(err), "%v", err)

		r.TLS.HandshakeComplete = true
		_, err = auth.Check(r)
		require.NoError(t, err, "a resumed session after the handshake")
	}
}

// finding N77: unlike the presets, a SourceFunc that reads the header of a front end accepted a recorded request that came
// in early data.
func TestSourceFunc_EarlyDataIsRefused(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	source := certauth.SourceFunc{Name: "mine", Headers: []string{"X-Cert"}, Func: func(r *http.Request) ([]*x509.Certificate, error) {
		if r.Header.Get("X-Cert") == "" {
			return nil, nil
		}
		return []*x509.Certificate{client.Certificate}, nil
	}}
	auth := must(t, certauth.Config{Source: source, Policy: certauth.Thumbprints{client.Thumbprint()}})
	for _, tc := range []struct {
		name  string
		early []string
		cert  string
		want  certauth.Reason
	}{
		{"none", nil, "x", certauth.ReasonNone},
		{"empty, as nginx writes it after the handshake", []string{""}, "x", certauth.ReasonNone},
		{"marked", []string{"1"}, "x", certauth.ReasonFrontEndUnverified},
		{"another value", []string{"0"}, "x", certauth.ReasonFrontEndUnverified},
		{"in a second line", []string{"", "1"}, "x", certauth.ReasonFrontEndUnverified},
		{"marked, without a certificate", []string{"1"}, "", certauth.ReasonCertificateMissing},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Cert"], r.Header["Early-Data"] = []string{tc.cert}, tc.early
		_, err := auth.Check(r)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", tc.name, err)
	}
}

func TestNew_SourceGetsClockAndLogger(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var seen source.Environment
	_, err := certauth.New(certauth.Config{
		Source: seeing{&seen}, Policy: certauth.Thumbprints{pinOfNobody}, Now: func() time.Time { return now },
	})
	require.NoError(t, err)
	assert.Equal(t, now, seen.Now())
	assert.NotNil(t, seen.Logger)
}

type seeing struct{ env *source.Environment }

func (s seeing) Prepare(env source.Environment) (*source.Reader, error) {
	*s.env = env
	return fixedSource("seeing").Prepare(env)
}
