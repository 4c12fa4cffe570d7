package certauth_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// slowly makes the source wait for goOn before it decodes.
func slowly(s *textSource, goOn chan struct{}) *textSource {
	means := s.means
	s.means = func(texts []string) ([]*x509.Certificate, error) {
		<-goOn
		return means(texts)
	}
	return s
}

func TestReading_IsSharedByRequestsThatOfferTheSame(t *testing.T) {
	w, now := newWorld(t), time.Now() // a bubble has its own clock
	table := map[string]*x509.Certificate{"a|": w.leaf.Certificate, "b|": w.issue(t)}
	bubble.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		c := newCached(t, slowly(meaning(table), goOn), w.chain(), fixedAt(now))
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				text, want := "a", certauth.ReasonNone
				if i%4 == 1 {
					text = "b"
				}
				if i%4 == 2 {
					text, want = "nothing", certauth.ReasonCertificateMalformed
				}
				_, err := c.Check(offering(text))
				assert.Equal(t, want, reasonOf(err))
			})
		}
		synctest.Wait()
		close(goOn)
		group.Wait()
		decoded(t, c.source, 3)
		c.once(t, certauth.ReasonNone, "a")
		decoded(t, c.source, 3)
		c.once(t, certauth.ReasonCertificateMalformed, "nothing") // the refusal was shared, and forgotten
		decoded(t, c.source, 4)
	})
}

func TestReading_CallerThatGivesUpStopsNoOther(t *testing.T) {
	w, now := newWorld(t), time.Now()
	bubble.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		c := newCached(t, slowly(meaning(map[string]*x509.Certificate{"a|": w.leaf.Certificate}), goOn), w.chain(), fixedAt(now))
		ctx, cancel := context.WithCancel(t.Context())
		reasons := make(chan certauth.Reason, 3)
		check := func(ctx context.Context) {
			_, err := c.Check(offering("a").WithContext(ctx))
			reasons <- reasonOf(err)
		}
		go check(t.Context())
		synctest.Wait()
		go check(ctx)
		synctest.Wait()
		cancel()
		assert.Equal(t, certauth.ReasonRequestCanceled, <-reasons)
		go check(t.Context())
		synctest.Wait()
		close(goOn)
		assert.Equal(t, certauth.ReasonNone, <-reasons)
		assert.Equal(t, certauth.ReasonNone, <-reasons)
		decoded(t, c.source, 1)
	})
}

// A panic of the request that reads denies all that wait, and the next request reads again.
func TestReading_PanicDeniesAll(t *testing.T) {
	w, now := newWorld(t), time.Now()
	bubble.Test(t, func(t *testing.T) {
		goOn, broken := make(chan struct{}), true
		s := &textSource{means: func([]string) ([]*x509.Certificate, error) {
			if <-goOn; broken {
				panic("decoder")
			}
			return []*x509.Certificate{w.leaf.Certificate}, nil
		}}
		c := newCached(t, s, w.chain(), fixedAt(now))
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				_, err := c.Check(offering("a"))
				assert.Equal(t, certauth.ReasonInternalError, reasonOf(err))
			})
		}
		synctest.Wait()
		close(goOn)
		group.Wait()
		decoded(t, s, 1)
		broken = false
		c.judge(t, certauth.ReasonNone, "a")
		decoded(t, s, 2)
	})
}

// Concurrent requests, reloads and refusals, mainly for the race detector.
func TestCache_UnderLoad(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	table := map[string]*x509.Certificate{"stranger|": stranger.leaf.Certificate}
	var texts []string
	for i := range 20 {
		text := string(rune('a' + i))
		table[text+"|"] = w.issue(t)
		texts = append(texts, text)
	}
	roots := &swapped{certs: certificatesOf(w)}
	c := newCached(t, meaning(table), certauth.Any{
		certauth.Named{Name: "w", Policy: certauth.Chain{Roots: roots.source()}},
		certauth.Thumbprints{pinOfNobody},
	}, func(c *certauth.Config) { c.CacheSize = 16 })
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 500 {
				text := texts[(i*7+worker)%len(texts)]
				id, err := c.Check(offering(text))
				if assert.NoError(t, err) {
					assert.Equal(t, table[text+"|"].Raw, id.Leaf.Raw)
					assert.Equal(t, []string{"w"}, id.Matched)
				}
				_, err = c.Check(offering("stranger"))
				assert.Error(t, err)
			}
		})
	}
	group.Go(func() {
		for range 20 {
			roots.set(t, c.Authenticator, append(certificatesOf(w), newWorld(t).ca.Certificate)...)
		}
	})
	group.Wait()
}

func fixedAt(now time.Time) func(*certauth.Config) {
	return func(c *certauth.Config) { c.Now = func() time.Time { return now } }
}

func certificatesOf(w world) []*x509.Certificate { return []*x509.Certificate{w.ca.Certificate} }

// A source may change the certificates that it has parsed, depending on the request. Two concurrent
// requests are each judged by their own certificate, although the DER is the same.
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
