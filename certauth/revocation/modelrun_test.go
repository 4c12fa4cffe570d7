package revocation_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// modelSeed repeats a run; the seed of each sequence consists of it and the sequence's number.
const modelSeed = 20261129

// compared counts how often an outcome was determined, over all sequences.
type compared struct {
	good, revoked, cold, checks int
}

// The model: random sequences of answers of every kind, lists, deltas, an operator's file, replays,
// outages, clock steps, StaleGrace, SoftFail, an honest, hostile or missing store, and two
// instances that share it. In every sequence:
//
//   - an instance answers as the evidence that reached it requires (demands);
//   - a Good relies on a Good that arrived and is valid at the time, or is within StaleGrace (allows);
//   - the tracked chain gets the same answer as the chain that is looked up;
//   - after a permanent revocation was answered, that instance never accepts;
//   - after Refresh, which may ask, a warm instance answers like a cold one;
//   - once every source answers again, both instances answer like a cold one.
func TestModel_RandomSequences(t *testing.T) {
	sequences := 2_000
	if os.Getenv("CERTAUTH_EXHAUSTIVE") != "" {
		sequences = 20_000
	}
	t.Logf("%d sequences, seed %d", sequences, modelSeed)
	w := wire(t)
	signed := &signatures{of: map[proof][]byte{}, are: map[string]proof{}}
	var sum compared
	for n := range sequences {
		bubble.Test(t, func(t *testing.T) {
			scene := *w
			scene.clock = &clock{t: now}
			m := &model{wired: &scene, random: rand.New(rand.NewPCG(uint64(n), modelSeed)), signed: signed, shelf: newShelf()}
			(&sequence{model: m, sum: &sum}).run(t, n)
		})
		if len(signed.of) > 4000 { // the clock of every sequence starts again, so most are reused
			signed.of, signed.are = map[proof][]byte{}, map[string]proof{}
		}
	}
	t.Logf("%d checks: %d had to be good, %d had to be revoked, %d were compared with a cold instance", sum.checks, sum.good, sum.revoked, sum.cold)
	require.Greater(t, sum.good, sequences)
	require.Greater(t, sum.revoked, sequences/10)
	require.Greater(t, sum.cold, sequences/2)
}

// sequence is one sequence of the model.
type sequence struct {
	*model
	sum *compared

	order     revocation.Sources
	grace     time.Duration
	soft      bool
	withStore bool
	story     []string
	all       []*modelled
}

func (s *sequence) tell(format string, a ...any) {
	s.story = append(s.story, fmt.Sprintf(format, a...))
}

func (s *sequence) text() string { return strings.Join(s.story, "\n") }

// instance makes an instance that knows nothing. A cold one, for comparison, has no store.
func (s *sequence) instance(t *testing.T, cold bool) *modelled {
	t.Helper()
	i := &modelled{model: s.model}
	i.checker = s.checker(t, func(c *revocation.Config) {
		c.Fetcher, c.Scope, c.Sources, c.StaleGrace = i, revocation.LeafOnly, s.order, s.grace
		if s.soft {
			c.Mode = revocation.SoftFail
		}
		if s.withStore && !cold {
			c.Store = i
		}
		if s.dir != "" {
			c.Lists, c.Issuers = []revocation.List{{Dir: s.dir}}, certs(s.ca)
		}
	})
	return i
}

func (s *sequence) run(t *testing.T, n int) {
	t.Helper()
	random := s.random
	s.evil = random.IntN(3) == 0
	s.grace = time.Duration(random.IntN(2)) * 24 * time.Hour
	s.order = []revocation.Sources{revocation.PreferOCSP, revocation.PreferCRL, revocation.OCSPOnly, revocation.CRLOnly}[random.IntN(4)]
	s.soft, s.withStore = random.IntN(4) == 0, random.IntN(2) == 0
	if s.order != revocation.OCSPOnly && random.IntN(3) == 0 {
		s.dir = t.TempDir()
		s.silence(t, byFile)
	}
	s.tell("sequence %d: %v, grace %v, soft %v, store %v, hostile %v, file %v", n, s.order, s.grace, s.soft, s.withStore, s.evil, s.dir != "")
	s.all = []*modelled{s.instance(t, false), s.instance(t, false)}
	for range 14 {
		s.step(t)
	}
	s.end(t)
}

// step is one event of a sequence.
func (s *sequence) step(t *testing.T) {
	t.Helper()
	random := s.random
	by := channel(random.IntN(int(channels)))
	if by == byFile && s.dir == "" {
		by = byPoint
	}
	i := s.all[random.IntN(2)]
	switch random.IntN(9) {
	case 0:
		s.silence(t, by)
		s.tell("%v fails", by)
	case 1:
		s.replay(t, by)
		s.tell("%v gives out something old", by)
	case 2, 3, 4:
		status := []string{"good", "good", "good", "good", "hold", "unknown", "revoked"}[random.IntN(7)]
		if status == "unknown" && by != byResponder {
			status = "good"
		}
		p := s.say(t, by, status, []time.Duration{time.Hour, 4 * time.Hour, 3 * day}[random.IntN(3)])
		s.tell("%v says %s from %v for %v", by, status, p.this.Sub(now), p.next.Sub(p.this))
	case 5:
		step := []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour, 7 * time.Hour, 30 * time.Hour, -2 * time.Hour}[random.IntN(6)]
		s.clock.advance(step)
		s.tell("the clock moves by %v", step)
	case 6:
		s.refresh(t, i)
	default:
		s.check(t, i)
	}
}

// ask asks once, and waits for the background work that this triggers.
func (s *sequence) ask(t *testing.T, i *modelled) (certauth.Revocation, error) {
	t.Helper()
	at, before := s.clock.now(), len(i.heard)
	found, err := i.checker.CheckChain(t.Context(), s.chain(s.client))
	synctest.Wait()
	s.sum.checks++
	if passed := at.Sub(i.looked); s.dir != "" && (passed >= 30*time.Second || passed <= -30*time.Second) {
		i.looked = at
		s.mu.Lock()
		p := s.served[byFile]
		s.mu.Unlock()
		if p != nil {
			i.hear(*p)
		}
	}
	i.hearing.Lock()
	i.answered = append(i.answered, len(i.heard))
	i.hearing.Unlock()
	s.tell("%v: instance %d: %v by %s of %v, stale %v, %v", at.Sub(now), s.indexOf(i), found.Status, found.Source, found.ThisUpdate.Sub(now), found.Stale, err)
	accepted := err == nil && (found.Status == isGood || found.Status == isWaived)
	require.False(t, i.revoked && accepted, "accepted after it was revoked for good\n%s", s.text())
	if found.Status == isGood {
		require.True(t, i.allows(found, before, s.order, at, s.grace), "nothing supports it\n%s", s.text())
	}
	if found.Status == isRevoked && !i.revoked {
		whole, err := i.checker.Check(t.Context(), s.chain(s.client))
		require.NoError(t, err, s.text())
		i.revoked = whole.Certificates[0].Result.RevokedForGood()
		synctest.Wait()
	}
	return found, err
}

func (s *sequence) indexOf(i *modelled) int {
	for n, one := range s.all {
		if one == i {
			return n
		}
	}
	return -1
}

// check asks twice, because the first answer may be given before the evidence that it requested has
// arrived, and once by Check.
func (s *sequence) check(t *testing.T, i *modelled) {
	t.Helper()
	_, _ = s.ask(t, i)
	before := len(i.heard)
	again, errAgain := s.ask(t, i)
	if len(i.heard) == before { // nothing has arrived since that answer
		s.compare(t, i, again)
	}
	whole, errOnce := i.checker.Check(t.Context(), s.chain(s.client))
	synctest.Wait()
	require.Equal(t, errAgain == nil, errOnce == nil, s.text())
	if again.Status == whole.Revocation.Status {
		require.Equal(t, whole.Revocation.ThisUpdate, again.ThisUpdate, s.text())
	}
}

func (s *sequence) compare(t *testing.T, i *modelled, found certauth.Revocation) {
	t.Helper()
	switch i.demands(s.order, s.clock.now()) {
	case mustBeGood:
		s.sum.good++
		require.Equal(t, isGood.String(), found.Status.String(), s.text())
	case mustBeRevoked:
		s.sum.revoked++
		require.Equal(t, isRevoked.String(), found.Status.String(), s.text())
	case anything:
	}
}

// refresh lets an instance ask, and compares it with a cold one if both know the same: no evidence
// that reached the first is newer than what is served, and none was ever against the client.
func (s *sequence) refresh(t *testing.T, i *modelled) {
	t.Helper()
	_, _ = s.ask(t, i) // Refresh is for certificates in use
	_ = i.checker.Refresh(t.Context())
	synctest.Wait()
	s.tell("instance %d was refreshed", s.indexOf(i))
	i.looked = s.clock.now()
	s.mu.Lock()
	served := s.served
	s.mu.Unlock()
	if p := served[byFile]; s.dir != "" && p != nil {
		i.hear(*p)
	}
	got, err := s.ask(t, i)
	s.compare(t, i, got)
	for _, h := range i.heard {
		p := served[h.by]
		if sees(s.order, h.by) && (h.status != "good" || p == nil || h.this.After(p.this) || !h.counts(h.at) || !p.counts(s.clock.now())) {
			return
		}
	}
	cold := s.instance(t, true)
	want, errCold := cold.checker.CheckChain(t.Context(), s.chain(s.client))
	synctest.Wait()
	s.tell("a cold instance: %v by %s of %v, stale %v, %v", want.Status, want.Source, want.ThisUpdate.Sub(now), want.Stale, errCold)
	s.sum.cold++
	require.Equal(t, want.Status.String(), got.Status.String(), "%v, %v\n%s", errCold, err, s.text())
	require.NoError(t, cold.checker.Close())
}

// end lets every source answer again with the same statement.
func (s *sequence) end(t *testing.T) {
	t.Helper()
	s.clock.advance(40 * day) // no earlier evidence or failure counts any more
	final := []string{"good", "revoked"}[s.random.IntN(2)]
	s.evil = false
	for by := range channels {
		if by != byFile || s.dir != "" {
			s.say(t, by, final, day)
		}
	}
	s.tell("all say %s", final)
	cold := s.instance(t, true)
	want, err := cold.checker.CheckChain(t.Context(), s.chain(s.client))
	require.NoError(t, err, s.text())
	synctest.Wait()
	for _, i := range s.all {
		got, err := s.ask(t, i)
		if i.revoked {
			require.Equal(t, isRevoked, got.Status, s.text())
			continue
		}
		require.NoError(t, err, s.text())
		require.Equal(t, want.Status.String(), got.Status.String(), s.text())
	}
}
