package revocation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// proof is one piece of evidence about the model's client, as a CA signs it.
type proof struct {
	source     revocation.Source
	status     string // good, revoked, hold, unknown
	this, next time.Time
}

func (p proof) counts(at time.Time) bool {
	return !p.this.After(at.Add(skew)) && !at.After(p.next.Add(skew))
}

// model is a client, what its CA says at the moment, and what has been said to an instance.
type model struct {
	*wired
	random *rand.Rand
	signed map[proof][]byte // signing is slow

	ocsp, crl *proof // what is served; nil fails
	shelf     *shelf
	evil      bool // the store gives out what it likes

	mu   sync.Mutex
	said []proof // everything that was signed until now, whoever got it
}

func (m *model) bytes(t testing.TB, p proof) []byte {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if der := m.signed[p]; der != nil {
		return der
	}
	var der []byte
	if p.source == revocation.SourceOCSP {
		status := map[string][]byte{
			"good": ocsptest.StatusGood, "revoked": revokedAt(p.this, keyCompromise), "hold": revokedAt(p.this, onHold), "unknown": ocsptest.StatusUnknown,
		}[p.status]
		response := m.good()
		response.ProducedAt = ocsptest.At(p.this)
		next := ocsptest.At(p.next)
		response.Answers[0].Status, response.Answers[0].ThisUpdate, response.Answers[0].NextUpdate = status, ocsptest.At(p.this), next
		der = encode(t, response)
	} else {
		var entries []ocsptest.Entry
		switch p.status {
		case "revoked":
			entries = append(entries, entryFor(m.client))
		case "hold":
			entries = append(entries, entryFor(m.client, ocsptest.ReasonCode(onHold)))
		}
		der = encode(t, m.listAt(p.this, p.next, entries...))
	}
	m.signed[p] = der
	return der
}

// Fetch is the network of the model.
func (m *model) Fetch(_ context.Context, r revocation.Request) (revocation.Response, error) {
	m.mu.Lock()
	p := m.ocsp
	if r.Kind == fetch.CRL {
		p = m.crl
	}
	m.mu.Unlock()
	if p == nil {
		return revocation.Response{}, revocation.ErrTransport
	}
	return revocation.Response{Body: m.bytes(nopTB{}, *p)}, nil
}

// nopTB is for what cannot fail.
type nopTB struct{ testing.TB }

func (nopTB) Helper()                   {}
func (nopTB) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (nopTB) FailNow()                  { panic("failed") }

// Get may give out anything that was ever signed.
func (m *model) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if !m.evil {
		return m.shelf.Get(ctx, key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	source := revocation.SourceOCSP
	if strings.HasPrefix(key, "c") {
		source = revocation.SourceCRL
	}
	for range 4 {
		if len(m.said) == 0 {
			break
		}
		if p := m.said[m.random.IntN(len(m.said))]; p.source == source {
			return m.signed[p], m.signed[p] != nil, nil
		}
	}
	return nil, false, fmt.Errorf("store down")
}

func (m *model) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	return m.shelf.Set(ctx, key, der, ttl)
}

// sign lets the CA say something new, or be out of reach.
func (m *model) sign(source revocation.Source, status string, life time.Duration) *proof {
	m.clock.advance(time.Second) // no two are of the same time
	p := &proof{source, status, m.clock.now().Truncate(time.Second), m.clock.now().Truncate(time.Second).Add(life)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.said = append(m.said, *p)
	return p
}

// The model: random sequences of answers of every kind, outages, clock steps, a store that is
// honest, hostile or not there, and two instances that share it. Whatever happens:
//
//   - a Good rests on a Good that was signed and counts at the time, or is within StaleGrace;
//   - the chain that is tracked is answered as the chain that is looked up;
//   - after a revocation for good was answered, that instance never accepts;
//   - once the sources answer again, a warm instance says what a cold one says.
func TestModel_RandomSequences(t *testing.T) {
	sequences := 400
	if os.Getenv("CERTAUTH_EXHAUSTIVE") != "" {
		sequences = 20_000
	}
	w := wire(t)
	signed := map[proof][]byte{}
	for n := range sequences {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(n), 1)) // repeatable
			scene := *w
			scene.clock = &clock{t: now}
			m := &model{wired: &scene, random: random, signed: signed, shelf: newShelf()}
			m.run(t, n)
		})
	}
}

func (m *model) run(t *testing.T, n int) {
	t.Helper()
	random := m.random
	m.evil = random.IntN(3) == 0
	grace := time.Duration(random.IntN(2)) * 24 * time.Hour
	order := []revocation.Sources{revocation.PreferOCSP, revocation.PreferCRL, revocation.OCSPOnly, revocation.CRLOnly}[random.IntN(4)]
	soft := random.IntN(4) == 0
	withStore := random.IntN(2) == 0
	config := func(c *revocation.Config) {
		c.Fetcher, c.Scope, c.Sources, c.StaleGrace = m, revocation.LeafOnly, order, grace
		if soft {
			c.Mode = revocation.SoftFail
		}
		if withStore {
			c.Store = m
		}
	}
	type instance struct {
		checker *revocation.Checker
		revoked bool
	}
	var all []*instance
	for range 2 {
		c := m.checker(t, config)
		all = append(all, &instance{checker: c})
	}
	var story []string
	tell := func(format string, a ...any) { story = append(story, fmt.Sprintf(format, a...)) }
	tell("sequence %d: %v, grace %v, soft %v, store %v, hostile %v", n, order, grace, soft, withStore, m.evil)
	check := func(i *instance) {
		found, err := i.checker.CheckChain(t.Context(), m.chain(m.client))
		synctest.Wait()
		at := m.clock.now()
		tell("%v: %v by %s, stale %v, %v", at.Sub(now), found.Status, found.Source, found.Stale, err)
		text := strings.Join(story, "\n")
		accepted := err == nil && (found.Status == isGood || found.Status == isWaived)
		require.False(t, i.revoked && accepted, "accepted after it was revoked for good\n%s", text)
		if found.Status == isGood {
			require.True(t, m.supports(found, at, grace), "nothing supports it\n%s", text)
		}
		again, errAgain := i.checker.CheckChain(t.Context(), m.chain(m.client))
		whole, errOnce := i.checker.Check(t.Context(), m.chain(m.client)) // which takes no short way
		once := whole.Revocation
		synctest.Wait()
		require.Equal(t, errAgain == nil, errOnce == nil, text)
		if again.Status == once.Status {
			require.Equal(t, once.ThisUpdate, again.ThisUpdate, text)
		}
		if found.Status == isRevoked && m.wasForGood(found) {
			i.revoked = true
		}
	}
	statuses := []string{"good", "good", "good", "hold", "unknown", "revoked"}
	for range 12 {
		switch random.IntN(6) {
		case 0:
			m.set(random.IntN(2) == 0, nil)
			tell("an outage")
		case 1, 2:
			status := statuses[random.IntN(len(statuses))]
			life := []time.Duration{time.Hour, 4 * time.Hour, 3 * day}[random.IntN(3)]
			isOCSP := random.IntN(2) == 0
			source := revocation.SourceCRL
			if isOCSP {
				source = revocation.SourceOCSP
			} else if status == "unknown" {
				status = "good"
			}
			m.set(isOCSP, m.sign(source, status, life))
			tell("%v says %s for %v", source, status, life)
		case 3:
			step := []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour, 7 * time.Hour, 30 * time.Hour, -2 * time.Hour}[random.IntN(6)]
			m.clock.advance(step)
			tell("the clock moves by %v", step)
		default:
			check(all[random.IntN(2)])
		}
	}
	// Everything answers again, and says the same.
	m.clock.advance(40 * day) // no earlier evidence counts any more, nor any failure
	final := []string{"good", "revoked"}[random.IntN(2)]
	m.evil = false
	m.set(true, m.sign(revocation.SourceOCSP, final, day))
	m.set(false, m.sign(revocation.SourceCRL, final, day))
	cold := m.checker(t, config)
	tell("both say %s", final)
	want, err := cold.CheckChain(t.Context(), m.chain(m.client))
	require.NoError(t, err)
	synctest.Wait()
	for _, i := range all {
		got, err := i.checker.CheckChain(t.Context(), m.chain(m.client))
		synctest.Wait()
		text := strings.Join(story, "\n")
		if i.revoked {
			require.Equal(t, isRevoked, got.Status, text)
			continue
		}
		if got.Status == isRevoked && final == "good" && m.wasForGood(got) {
			continue // it has heard of it since it was asked last
		}
		require.NoError(t, err, text)
		require.Equal(t, want.Status.String(), got.Status.String(), text)
	}
}

func (m *model) set(isOCSP bool, p *proof) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if isOCSP {
		m.ocsp = p
	} else {
		m.crl = p
	}
}

// supports reports whether something that was signed says what was found.
func (m *model) supports(found certauth.Revocation, at time.Time, grace time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.said {
		if p.status != "good" || !p.this.Equal(found.ThisUpdate) || p.source.String() != found.Source {
			continue
		}
		if p.counts(at) || found.Stale && p.counts(at.Add(-grace)) || found.Stale && at.Before(p.next.Add(grace+skew)) && !p.this.After(at.Add(skew)) {
			return true
		}
	}
	return false
}

func (m *model) wasForGood(found certauth.Revocation) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.said {
		if p.status == "revoked" && p.this.Equal(found.ThisUpdate) && p.source.String() == found.Source {
			return true
		}
	}
	return false
}
