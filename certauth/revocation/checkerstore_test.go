package revocation_test

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// shelf is a Store in memory. Its values may be tampered with, and its calls replaced.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
	ttls map[string]time.Duration
	sets int

	get func(context.Context) error // before each
	set func(context.Context) error
}

func newShelf() *shelf { return &shelf{kept: map[string][]byte{}, ttls: map[string]time.Duration{}} }

func (s *shelf) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if s.get != nil {
		if err := s.get(ctx); err != nil {
			return nil, false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	der, ok := s.kept[key]
	return der, ok, nil
}

func (s *shelf) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	if s.set != nil {
		if err := s.set(ctx); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[key], s.ttls[key] = append([]byte(nil), der...), ttl
	s.sets++
	return nil
}

// all replaces every stored value.
func (s *shelf) all(der []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.kept {
		s.kept[key] = der
	}
}

func (s *shelf) only(t testing.TB) (key string, der []byte) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Len(t, s.kept, 1)
	for key, der = range s.kept {
	}
	return key, der
}

func stored(s revocation.Store) func(*revocation.Config) {
	return func(c *revocation.Config) { c.Store = s }
}

var crlOnly = both(leafOnly, sources(revocation.CRLOnly))

// Evidence that one instance fetched is found by the next, verified again, and not fetched.
func TestChecker_InstancesShareAStore(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w, s := wire(t), newShelf()
			w.says(t, w.checker(t, config, stored(s)), w.client, isGood, nil)
			key, _ := s.only(t)
			assert.Regexp(t, `^[a-z0-9-]{10,80}$`, key)
			assert.NotContains(t, key, w.client.cert.SerialNumber.Text(16), "reveals nothing to readers")
			assert.LessOrEqual(t, s.ttls[key], day)
			second := w.checker(t, config, stored(s))
			w.says(t, second, w.client, isGood, nil)
			assert.Equal(t, 1, w.net.total())
			assert.Equal(t, uint64(1), second.Stats().StoreHits)
			assert.Equal(t, 1, s.sets, "an existing value is not written again")
			// With a refresh, an instance uses what another instance has fetched in the meantime.
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(13*time.Hour), now.Add(2*day), entryFor(w.client)))))
			w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
			w.clock.advance(13 * time.Hour)
			w.says(t, w.checker(t, config, stored(newShelf())), w.client, isRevoked, nil)
			asked := w.net.total()
			third := w.checker(t, config, stored(s))
			w.says(t, third, w.client, isRevoked, nil) // the value in the store is old, and not newer evidence
			require.Equal(t, asked+1, w.net.total())
			w.says(t, second, w.client, isRevoked, nil)
			assert.Equal(t, asked+1, w.net.total(), "from the store")
		})
	}
}

// Case 72: a store that was tampered with, fails or hangs costs time, but never changes a decision.
func TestChecker_PoisonedStoreDecidesNothing(t *testing.T) {
	type poison func(t *testing.T, w *wired, der []byte) []byte
	of := func(change func(*wired, *ocsptest.Response)) poison {
		return func(t *testing.T, w *wired, _ []byte) []byte {
			r := w.good()
			change(w, &r)
			return encode(t, r)
		}
	}
	listOf := func(change func(*wired, *ocsptest.List)) poison {
		return func(t *testing.T, w *wired, _ []byte) []byte {
			l := w.list()
			change(w, &l)
			return encode(t, l)
		}
	}
	cut := func(_ *testing.T, _ *wired, der []byte) []byte { return der[:len(der)/2] }
	longer := func(_ *testing.T, _ *wired, der []byte) []byte { return append(append([]byte(nil), der...), 0) }
	huge := func(*testing.T, *wired, []byte) []byte { return make([]byte, 33<<20) }
	empty := func(*testing.T, *wired, []byte) []byte { return nil }
	for _, c := range []struct {
		name   string
		config func(*revocation.Config)
		poison poison
	}{
		{"case 72 OCSP, of another certificate", ocspOnly, of(func(w *wired, r *ocsptest.Response) { r.Answers[0].ID = w.answer(w.other, nil).ID })},
		{"case 72 OCSP, cut short", ocspOnly, cut},
		{"case 72 OCSP, a byte more", ocspOnly, longer},
		{"case 72 OCSP, empty", ocspOnly, empty},
		{"case 72 OCSP, huge", ocspOnly, huge},
		{"case 72 OCSP, forged Good", ocspOnly, of(func(w *wired, r *ocsptest.Response) { r.Key = w.other.key })},
		{"case 72 OCSP, forged Revoked", ocspOnly, of(func(w *wired, r *ocsptest.Response) {
			r.Key, r.Answers[0].Status = w.other.key, revokedAt(now, 1)
		})},
		{"case 72 OCSP, run out", ocspOnly, of(func(_ *wired, r *ocsptest.Response) {
			r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(now.Add(-2*day)), ocsptest.At(now.Add(-day))
		})},
		{"case 72 OCSP, a list in its place", ocspOnly, func(t *testing.T, w *wired, _ []byte) []byte { return encode(t, w.list()) }},
		{"case 72 CRL, of another CA", crlOnly, func(t *testing.T, w *wired, _ []byte) []byte { return encode(t, w.rootList()) }},
		{"case 72 CRL, forged, without entries", crlOnly, listOf(func(w *wired, l *ocsptest.List) { l.Key, l.Entries = w.other.key, nil })},
		{"case 72 CRL, cut short", crlOnly, cut},
		{"case 72 CRL, a byte more", crlOnly, longer},
		{"case 72 CRL, huge", crlOnly, huge},
		{"case 72 CRL, run out", crlOnly, listOf(func(_ *wired, l *ocsptest.List) {
			l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(-2*day)), ocsptest.UTCAt(now.Add(-day))
		})},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			for _, truth := range []certauth.RevocationStatus{isGood, isRevoked} {
				w, s := wire(t), newShelf()
				w.says(t, w.checker(t, c.config, stored(s)), w.client, isGood, nil)
				_, der := s.only(t)
				s.all(c.poison(t, w, der))
				if truth == isRevoked {
					w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
					w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(day), entryFor(w.client)))))
				}
				second := w.checker(t, c.config, stored(s))
				w.says(t, second, w.client, truth, nil)
				assert.Equal(t, 2, w.net.total(), "fetched again")
				assert.NotZero(t, second.Stats().StoreRejected)
				assert.Zero(t, second.Stats().StoreHits)
				w.says(t, w.checker(t, c.config, stored(s)), w.client, truth, nil)
				assert.Equal(t, 2, w.net.total(), "the store must be corrected")
			}
		})
	}
	inBubble(t, "case 72 what is older than what is known", func(t *testing.T) {
		for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
			w, s := wire(t), newShelf()
			checker := w.checker(t, config, stored(s))
			w.says(t, checker, w.client, isGood, nil)
			_, old := s.only(t)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
			w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(2*day), entryFor(w.client)))))
			w.clock.advance(13 * time.Hour)
			w.says(t, checker, w.client, isRevoked, nil)
			_, news := s.only(t)
			assert.NotEqual(t, old, news, name)
			s.all(old) // replayed
			w.outage()
			for range 10 {
				w.clock.advance(time.Hour)
				w.says(t, checker, w.client, isRevoked, nil)
			}
		}
	})
	inBubble(t, "what is newer in the store is not overwritten by what is older", func(t *testing.T) {
		w, s := wire(t), newShelf()
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isGood, nil)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now, 1), now.Add(-time.Minute), now.Add(day)))
		fresh := newShelf()
		w.says(t, w.checker(t, ocspOnly, stored(fresh)), w.client, isRevoked, nil)
		_, newer := fresh.only(t)
		first := true
		s.get = func(context.Context) error { // the newer one arrives between the look-up and the fetch
			if first {
				first = false
				return errors.New("down for a moment")
			}
			s.all(newer)
			return nil
		}
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(day)))
		_, _ = w.check(t, w.checker(t, ocspOnly, stored(s)))
		_, kept := s.only(t)
		assert.Equal(t, newer, kept)
	})
}

func TestChecker_StoreThatFailsCostsTimeAlone(t *testing.T) {
	refuse := func(context.Context) error { return errors.New("store down") }
	explode := func(context.Context) error { panic("store") }
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, c := range []struct {
		name     string
		get, set func(context.Context) error
		most     time.Duration // OCSP; lists have twenty times as long
	}{
		{"case 72 Get fails", refuse, nil, 0},
		{"case 72 Set fails", nil, refuse, 0},
		{"case 72 all fail", refuse, refuse, 0},
		{"case 72 all panic", explode, explode, 0},
		{"case 72 Get hangs", hang, nil, 300 * time.Millisecond},
		{"case 72 Set hangs", nil, hang, 100 * time.Millisecond},
		{"case 72 all hang", hang, hang, 400 * time.Millisecond},
	} {
		for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
			inBubble(t, c.name+", "+name, func(t *testing.T) {
				w, s := wire(t), newShelf()
				s.get, s.set = c.get, c.set
				most := c.most
				if name == "CRL" {
					most *= 20
				}
				checker := w.checker(t, config, stored(s), func(c *revocation.Config) { c.MaxWait = time.Minute })
				began := time.Now()
				w.says(t, checker, w.client, isGood, nil)
				assert.LessOrEqual(t, time.Since(began), most)
				time.Sleep(3 * time.Second) //nolint:forbidigo // inside a bubble; no request waits for Set
				assert.NotZero(t, checker.Stats().StoreErrors)
				assert.Equal(t, 1, w.net.total())
				w.says(t, checker, w.client, isGood, nil)
			})
		}
	}
}

// Instances that start together fetch once each: none waits for another one. Those that start later
// find what the others stored.
func TestChecker_InstancesDoNotWaitForEachOther(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w, s := wire(t), newShelf()
			gate := make(chan struct{})
			w.net.serve(ocspURL, gated(gate, w.responder(t, ocsptest.StatusGood)))
			w.net.serve(crlURL, gated(gate, body(encode(t, w.list()))))
			var all sync.WaitGroup
			for range 10 {
				checker := w.checker(t, config, stored(s))
				all.Go(func() {
					found, err := w.check(t, checker)
					assert.NoError(t, err)
					assert.Equal(t, isGood, found.Status)
				})
			}
			synctest.Wait()
			assert.Equal(t, 10, w.net.total())
			close(gate)
			all.Wait()
			synctest.Wait()
			w.says(t, w.checker(t, config, stored(s)), w.client, isGood, nil)
			assert.Equal(t, 10, w.net.total())
		})
	}
}

// With NonceRequire an answer applies only to its own request.
func TestChecker_NonceRequireUsesNoStore(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), newShelf()
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isGood, nil)
		w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(r revocation.Request, response *ocsptest.Response) {
			_, nonce := requestParts(t, r)
			response.Extensions = []ocsptest.Extension{{OID: ocsptest.OIDNonce, Value: ocsptest.Element(ocsptest.TagOctetString, nonce)}}
		}))
		checker := w.checker(t, leafOnly, stored(s), nonces(revocation.NonceRequire))
		w.says(t, checker, w.client, isGood, nil)
		assert.Equal(t, 2, w.net.total())
		assert.Equal(t, 1, s.sets)
		stats := checker.Stats()
		assert.Zero(t, stats.StoreHits+stats.StoreMisses+stats.StoreRejected+stats.StoreErrors)
	})
}

// Evidence from the store that only one responder may sign is not accepted for another CA: the key
// of the store is bound to the CA, and so is the signature.
func TestChecker_StoreKeepsCAsApart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), newShelf()
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isGood, nil)
		sibling := &wired{scene: &scene{root: w.root}, net: w.net, clock: w.clock}
		sibling.ca = makeCert(t, "Clients CA", newKey(t), w.root, asCA)
		sibling.client = sibling.issue(t, "client", func(c *x509.Certificate) { c.SerialNumber = w.client.cert.SerialNumber })
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		sibling.says(t, w.checker(t, ocspOnly, stored(s)), sibling.client, isUnavailable, revocation.ErrTransport)
	})
}

// finding K46: a Good without nextUpdate, which may be used for five minutes after it was received,
// was used again from the Store until it was an hour old, and by instances that never received it.
func TestChecker_StoreExtendsNoAnswerWithoutNextUpdate(t *testing.T) {
	for name, another := range map[string]bool{"the instance that received it": false, "another instance": true} {
		inBubble(t, name, func(t *testing.T) {
			w, s := wire(t), newShelf()
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Minute), time.Time{}))
			checker := w.checker(t, ocspOnly, stored(s))
			w.says(t, checker, w.client, isGood, nil)
			w.net.serve(ocspURL, w.dated(t, revokedAt(now, keyCompromise), now.Add(time.Minute), time.Time{}))
			w.clock.advance(6 * time.Minute)
			if another {
				checker = w.checker(t, ocspOnly, stored(s))
			}
			w.says(t, checker, w.client, isRevoked, nil)
			assert.Len(t, s.kept, 1, "what revokes is stored")
		})
	}
	inBubble(t, "and one that is there counts no more than nothing", func(t *testing.T) {
		w, s := wire(t), newShelf()
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isGood, nil)
		r := w.good()
		r.ProducedAt = ocsptest.At(now.Add(-time.Minute))
		r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(now.Add(-time.Minute)), nil
		s.all(encode(t, r))
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
		w.says(t, w.checker(t, ocspOnly, stored(s)), w.client, isRevoked, nil)
	})
}
