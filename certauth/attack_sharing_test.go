package certauth_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// A source may change what it has parsed, by what it knows of a request. Of two requests at
// one time each is judged by its own certificate, although the DER is the same.
func TestReading_ChangedCertificatesAreNotShared(t *testing.T) {
	w := newWorld(t)
	ended, longer := *w.leaf.Certificate, *w.leaf.Certificate
	ended.NotAfter, longer.NotAfter = time.Now().Add(-time.Minute), longer.NotAfter.Add(time.Hour)
	source := certauth.SourceFunc{Name: "changing", Func: func(r *http.Request) ([]*x509.Certificate, error) {
		if r.Header.Get("X-Ended") != "" {
			return []*x509.Certificate{&ended}, nil
		}
		return []*x509.Certificate{&longer}, nil
	}}
	within, goOn := make(chan struct{}), make(chan struct{})
	var waited atomic.Bool
	slow := certauth.PolicyFunc{Name: "slow", Func: func(context.Context, *certauth.Identity) error {
		if waited.CompareAndSwap(false, true) {
			close(within)
			<-goOn
		}
		return nil
	}}
	auth, err := certauth.New(certauth.Config{Source: source, Policy: certauth.All{certauth.Thumbprints{w.leaf.Thumbprint()}, slow}})
	require.NoError(t, err)
	first := make(chan error)
	go func() {
		_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		first <- err
	}()
	<-within
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Ended", "1")
	_, err = auth.Check(r)
	assert.Equal(t, certauth.ReasonCertificateExpired, reasonOf(err))
	close(goOn)
	require.NoError(t, <-first)
}

// screening shows the leaf to the screen, as the presets do, and is slow behind it.
type screening struct {
	texts          textSource
	leaf           *x509.Certificate
	screened, goOn chan struct{}
}

func (s *screening) Prepare(source.Environment) (*source.Reader, error) {
	return &source.Reader{Name: "screening", Offer: s.texts.offer, Decode: s.decode}, nil
}

func (s *screening) decode(_ source.Offer, screen func([]byte) error) ([]*x509.Certificate, error) {
	err := screen(s.leaf.Raw)
	s.screened <- struct{}{}
	<-s.goOn
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{s.leaf}, nil
}

// Pins that were reloaded act on the next request, also if it waits for one that the pins
// of before have refused.
func TestReload_PinsActOnWhoWaitsForAnOlderReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		w := newWorld(t)
		pins := []string{pinOfNobody}
		s := &screening{leaf: w.leaf.Certificate, screened: make(chan struct{}, 4), goOn: make(chan struct{})}
		auth, err := certauth.New(certauth.Config{
			Source: s, Now: func() time.Time { return now },
			Policy: certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return pins, nil })),
		})
		require.NoError(t, err)
		before, after := make(chan error, 1), make(chan error, 1)
		go func() { _, err := auth.Check(offering("a")); before <- err }()
		<-s.screened
		pins = []string{w.leaf.Thumbprint()}
		require.NoError(t, auth.Reload(t.Context()))
		go func() { _, err := auth.Check(offering("a")); after <- err }()
		synctest.Wait() // it waits for the reading of the first
		close(s.goOn)
		assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(<-before))
		assert.Equal(t, certauth.ReasonNone, reasonOf(<-after))
	})
}
