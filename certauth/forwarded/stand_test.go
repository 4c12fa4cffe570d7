package forwarded_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// stand holds one configuration for all three ways of judging a request.
type stand struct {
	plain              *certauth.Authenticator
	required, optional *certauth.Authenticator
	reason             certauth.Reason // of the last decision of a Handler
	read               map[string]bool // folded names of the headers that the source reads
}

func newStand(t *testing.T, config certauth.Config) *stand {
	t.Helper()
	s := &stand{read: map[string]bool{}}
	config.Observe = func(_ context.Context, e certauth.Event) { s.reason = e.Reason() }
	for optional, auth := range map[bool]**certauth.Authenticator{false: &s.required, true: &s.optional} {
		config.Optional = optional
		made, err := certauth.New(config)
		require.NoError(t, err)
		*auth = made
	}
	s.plain = s.required
	for _, name := range headersOf(t, config.Source) {
		s.read[fold(name)] = true
	}
	return s
}

// headersOf returns the headers that the prepared source reads.
func headersOf(t *testing.T, from certauth.Source) []string {
	t.Helper()
	return prepared(t, from).Headers
}

// prepared returns a source as certauth.New prepares it.
func prepared(t *testing.T, from certauth.Source) *source.Reader {
	t.Helper()
	reader, err := from.Prepare(source.Environment{Now: time.Now, Logger: slog.New(slog.DiscardHandler), NewHop: newHopJudge})
	require.NoError(t, err)
	return reader
}

type hopJudge struct{ *certauth.Authenticator }

func newHopJudge(from source.Source, policy any) (source.Hop, error) {
	auth, err := certauth.New(certauth.Config{Source: from, Policy: policy.(certauth.Policy)})
	return hopJudge{auth}, err
}

func (h hopJudge) Admit(r *http.Request) error {
	_, err := h.Check(r)
	return err
}

// read calls only the source, without a policy.
func read(t *testing.T, from certauth.Source, r *http.Request) ([]*x509.Certificate, error) {
	t.Helper()
	reader := prepared(t, from)
	var offer source.Offer
	err := reader.Offer(r, &offer)
	if err != nil || offer.Len() == 0 {
		return nil, err
	}
	return reader.Decode(offer, nil)
}

func fold(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

// judge calls Check and both Handlers. Only a missing certificate is anonymous, and only in
// Optional mode. No header that the source reads reaches the next handler, in any spelling.
func (s *stand) judge(t *testing.T, request func() *http.Request, want certauth.Reason) *certauth.Identity {
	t.Helper()
	id, err := s.plain.Check(overSocket(t, request()))
	assert.Equal(t, want, reasonOf(err), "%v", err)
	assert.Equal(t, want == certauth.ReasonNone, id != nil)
	for optional, auth := range map[bool]*certauth.Authenticator{false: s.required, true: s.optional} {
		anonymous := optional && want == certauth.ReasonCertificateMissing
		status, called := http.StatusUnauthorized, false
		if want == certauth.ReasonNone || anonymous {
			status = http.StatusOK
		}
		r, recorder := overSocket(t, request()), httptest.NewRecorder()
		var trailer http.Header // of the next handler's request; the server still writes to its own
		auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called, trailer = true, r.Trailer
			_, ok := certauth.FromContext(r.Context())
			assert.Equal(t, want == certauth.ReasonNone, ok, "identity in optional %t", optional)
		})).ServeHTTP(recorder, r)
		assert.Equal(t, status, recorder.Code, "optional %t", optional)
		assert.Equal(t, status == http.StatusOK, called, "optional %t", optional)
		if !anonymous {
			assert.Equal(t, want, s.reason, "optional %t", optional)
		}
		for _, header := range []http.Header{r.Header, trailer} {
			for name := range header {
				assert.False(t, s.read[fold(name)], "%s reaches the next handler", name)
			}
		}
	}
	return id
}

// row is one request of a table, derived from the genuine one.
type row struct {
	name   string
	change func(*http.Request)
	want   certauth.Reason
}

// judgeAll changes a copy of the genuine request for each row.
func (s *stand) judgeAll(t *testing.T, good func() *http.Request, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			s.judge(t, func() *http.Request {
				request := good()
				if r.change != nil {
					r.change(request)
				}
				return request
			}, r.want)
		})
	}
}

// put sets the lines of a header exactly as given, even if a server would change them. The name is
// canonicalized; no lines remove the header.
func put(name string, lines ...string) func(*http.Request) {
	return set(http.CanonicalHeaderKey(name), lines...)
}

// inOrder makes the changes in order.
func inOrder(changes ...func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		for _, change := range changes {
			change(r)
		}
	}
}
