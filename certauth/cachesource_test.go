package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// textSource reads texts with a configured meaning from the headers X-Text, and counts its calls.
type textSource struct {
	means   func(texts []string) ([]*x509.Certificate, error)
	spread  string // of every offer, if set
	offers  atomic.Int32
	decodes atomic.Int32
}

func (s *textSource) Prepare(source.Environment) (*source.Reader, error) {
	return &source.Reader{Name: "text", Offer: s.offer, Decode: s.decode}, nil
}

func (s *textSource) offer(r *http.Request, offer *source.Offer) error {
	s.offers.Add(1)
	values := r.Header["X-Text"]
	for _, value := range values {
		offer.Add(value)
	}
	if len(values) > 0 && s.spread != "" {
		offer.SetSample(s.spread)
	}
	return nil
}

func (s *textSource) decode(offer source.Offer, _ func([]byte) error) ([]*x509.Certificate, error) {
	s.decodes.Add(1)
	var texts []string
	for i := range offer.Len() {
		texts = append(texts, offer.Text(i))
	}
	return s.means(texts)
}

// meaning makes a source of texts joined by a bar.
func meaning(table map[string]*x509.Certificate) *textSource {
	return &textSource{means: func(texts []string) ([]*x509.Certificate, error) {
		joined := ""
		for _, text := range texts {
			joined += text + "|"
		}
		if cert, ok := table[joined]; ok {
			return x509.ParseCertificates(cert.Raw) // a new one, which Decode must return
		}
		return nil, errors.New("means nothing")
	}}
}

func offering(texts ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if len(texts) > 0 {
		r.Header["X-Text"] = texts
	}
	return r
}

func (c *clock) set(now time.Time) { c.nanoseconds.Store(now.UnixNano()) }

// swapped is a CertSource whose certificates the test replaces.
type swapped struct {
	mutex sync.Mutex
	certs []*x509.Certificate
}

func (s *swapped) source() certauth.CertFunc {
	return func(context.Context) ([]*x509.Certificate, error) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		return s.certs, nil
	}
}

func (s *swapped) set(t *testing.T, auth *certauth.Authenticator, certs ...*x509.Certificate) {
	t.Helper()
	s.mutex.Lock()
	s.certs = certs
	s.mutex.Unlock()
	require.NoError(t, auth.Reload(t.Context()))
}

// cached is an Authenticator whose source the test can inspect.
type cached struct {
	*certauth.Authenticator
	source *textSource
}

func newCached(t testing.TB, source *textSource, policy certauth.Policy, change ...func(*certauth.Config)) cached {
	t.Helper()
	config := certauth.Config{Source: source, Policy: policy}
	for _, f := range change {
		f(&config)
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return cached{auth, source}
}

// judge makes one request repeatedly and checks its reason, twice as often as a cache needs to
// answer.
func (c cached) judge(t *testing.T, want certauth.Reason, texts ...string) *certauth.Identity {
	t.Helper()
	var id *certauth.Identity
	for range 3 {
		var err error
		id, err = c.Check(offering(texts...))
		require.Equal(t, want, reasonOf(err), "%v", err)
	}
	return id
}

// once makes one request and checks its reason.
func (c cached) once(t *testing.T, want certauth.Reason, texts ...string) *certauth.Identity {
	t.Helper()
	id, err := c.Check(offering(texts...))
	require.Equal(t, want, reasonOf(err), "%v", err)
	return id
}

func decoded(t *testing.T, s *textSource, want int) {
	t.Helper()
	assert.EqualValues(t, want, s.decodes.Load(), "certificates decoded")
}
