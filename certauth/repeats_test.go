package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// refusals is an Authenticator that refuses every request, and its log.
type refusals struct {
	log    records
	clock  *clock
	auth   *certauth.Authenticator
	offers []*x509.Certificate
	events int
}

func newRefusals(t *testing.T, policy certauth.Policy, change func(*certauth.Config)) *refusals {
	t.Helper()
	s := &refusals{clock: newClock()}
	config := certauth.Config{
		Source: certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) { return s.offers, nil }},
		Policy: policy, Now: s.clock.now, Logger: s.log.logger(slog.LevelInfo),
		Observe: func(context.Context, certauth.Event) { s.events++ },
	}
	change(&config)
	s.auth = must(t, config)
	return s
}

func (s *refusals) send(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		require.Zero(t, through(t, s.auth.Handler, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)).ran)
	}
}

func unchanged(*certauth.Config) {}

// finding N2: a thousand probes caused a thousand records.
func TestRepeats_AreOneRecordAMinute(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	s.send(t, "/a", "/a", "/a", "/b")
	list := s.log.take(t)
	require.Len(t, list, 2, "the first of each kind at once")
	assert.Equal(t, "/a", list[0]["path"])
	assert.NotContains(t, list[0], "repeated")
	assert.Equal(t, "/b", list[1]["path"])

	s.clock.advance(time.Minute - time.Second)
	s.send(t, "/a")
	assert.Empty(t, s.log.take(t))
	assert.Equal(t, 5, s.events, "Observe is called for each")

	s.clock.advance(time.Second)
	s.send(t, "/a")
	list = s.log.take(t)
	require.Len(t, list, 1)
	assert.EqualValues(t, 3, list[0]["repeated"], "those since the last record")
	assert.Equal(t, "GET", list[0]["method"], "it is a whole record")
	s.send(t, "/a")
	assert.Empty(t, s.log.take(t))
}

func TestRepeats_TheLastCountIsNotLost(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	s.send(t, "/a", "/a", "/a")
	require.Len(t, s.log.take(t), 1)
	s.clock.advance(time.Hour)
	s.send(t, "/b")
	list := s.log.take(t)
	require.Len(t, list, 2, "the next refusal of another kind writes the count")
	ended := list[0]
	assert.Equal(t, "WARN", ended["level"])
	assert.Equal(t, "certauth: denied", ended["msg"])
	assert.Equal(t, "/a", ended["path"])
	assert.Equal(t, "certificate_missing", ended["reason"])
	assert.Equal(t, "Source", ended["rule"])
	assert.EqualValues(t, 2, ended["repeated"])
	assert.Equal(t, "/b", list[1]["path"])

	s.send(t, "/a")
	assert.Empty(t, s.log.take(t), "still one a minute")
	s.clock.advance(time.Minute)
	s.send(t, "/b")
	require.Len(t, s.log.take(t), 2)
}

// Repetitions are distinguished by reason, rule, path, and certificate: another partner has its own record, also if
// its names are not verified (finding P39).
func TestRepeats_WhatTellsThemApart(t *testing.T) {
	one := newWorld(t)
	two := one.issue(t)
	stranger, other := newWorld(t), newWorld(t)
	s := newRefusals(t, certauth.All{one.chain(), certauth.DNSNames{"orders.partner.example"}}, unchanged)
	for _, offers := range [][]*x509.Certificate{nil, {one.leaf.Certificate}, {two}, {stranger.leaf.Certificate}, {other.leaf.Certificate}} {
		s.offers = offers
		s.send(t, "/a", "/a")
	}
	var got []string
	for _, record := range s.log.take(t) {
		got = append(got, fmt.Sprint(record["reason"], " ", record["fingerprint"]))
	}
	assert.Equal(t, []string{
		"certificate_missing <nil>", "name_not_allowed " + one.leaf.Thumbprint(), "name_not_allowed " + thumbprint(two),
		"chain_untrusted " + stranger.leaf.Thumbprint(), "chain_untrusted " + other.leaf.Thumbprint(),
	}, got)
}

// finding P39: while one partner, whose certificate is no longer trusted, tried again and again, no record showed why
// another one was refused.
func TestRepeats_APartnerThatTriesAgainHidesNoOther(t *testing.T) {
	known, renewed, other := newWorld(t), newWorld(t), newWorld(t)
	for name, policy := range map[string]certauth.Policy{
		"pins":     certauth.Thumbprints{known.leaf.Thumbprint()},
		"a chain":  known.chain(),
		"branches": certauth.Any{certauth.Thumbprints{pinOfNobody}, known.chain()},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRefusals(t, policy, unchanged)
			for range 3 {
				s.offers = []*x509.Certificate{renewed.leaf.Certificate}
				s.send(t, "/orders", "/orders", "/orders")
				s.clock.advance(time.Minute)
				s.send(t, "/orders")
				s.log.take(t)
			}
			s.offers = []*x509.Certificate{other.leaf.Certificate}
			s.send(t, "/orders", "/orders")
			list := s.log.take(t)
			require.Len(t, list, 1)
			assert.Equal(t, other.leaf.Thumbprint(), list[0]["fingerprint"])
			assert.NotEmpty(t, list[0]["hint"])
		})
	}
}

// Certificates that anybody can make, like paths, are distinguished up to a number of them.
func TestRepeats_CertificatesOfStrangersAreBounded(t *testing.T) {
	const kinds = 1024
	w := newWorld(t)
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	for i := range kinds + 10 {
		stranger := *w.leaf.Certificate
		stranger.Raw = fmt.Appendf(nil, "%s %d", stranger.Raw, i)
		s.offers = []*x509.Certificate{&stranger}
		s.send(t, "/orders")
	}
	assert.LessOrEqual(t, len(s.log.take(t)), kinds+1)
}

// finding N112: after a stranger had come with as many certificates, the refusals of partners were counted by reason, so
// that of two partners who were refused for the same one only the first was in the log.
// finding N165: for partners who are known by their keys alone it stayed so.
func TestRepeats_CertificatesOfStrangersHideNoPartner(t *testing.T) {
	one, stranger := newWorld(t), newWorld(t)
	partners := []*x509.Certificate{one.issue(t), one.issue(t)}
	nobody := certauth.PolicyFunc{Name: "nobody", Func: func(context.Context, *certauth.Identity) error { return errors.New("not today") }}
	for name, anchor := range map[string]certauth.Policy{
		"partners of a CA":           one.chain(),
		"partners known by the keys": certauth.PublicKeys{spkiPin(partners[0]), spkiPin(partners[1])},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRefusals(t, certauth.All{anchor, nobody}, unchanged)
			for i := range 1100 {
				forged := *stranger.leaf.Certificate
				forged.Raw = fmt.Appendf(nil, "%s %d", forged.Raw, i)
				s.offers = []*x509.Certificate{&forged}
				s.send(t, "/orders")
			}
			s.log.take(t)
			for _, partner := range partners {
				s.offers = []*x509.Certificate{partner}
				s.send(t, "/orders", "/orders")
				list := s.log.take(t)
				require.Len(t, list, 1)
				assert.Equal(t, string(certauth.ReasonPolicyRefused), list[0]["reason"])
				assert.Equal(t, thumbprint(partner), list[0]["fingerprint"])
				assert.NotContains(t, list[0], "other_paths")
			}
			s.clock.advance(time.Minute)
			s.offers = nil
			s.send(t, "/orders")
			assert.Equal(t, 2, strings.Count(fmt.Sprint(s.log.take(t)), "repeated:1 "), "no count is lost")
		})
	}
}

// Paths are client text: beyond a number of them they are counted by reason.
func TestRepeats_KindsAreBounded(t *testing.T) {
	const kinds, more = 1024, 5000
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	for i := range kinds + more {
		s.send(t, fmt.Sprintf("/%d", i))
	}
	list := s.log.take(t)
	require.Len(t, list, kinds+1)
	last := list[kinds]
	assert.Equal(t, true, last["other_paths"])
	assert.Equal(t, fmt.Sprintf("/%d", kinds), last["path"])
	s.clock.advance(time.Minute)
	s.send(t, "/0")
	list = s.log.take(t)
	require.Len(t, list, 2)
	assert.EqualValues(t, more-1, list[0]["repeated"], "nothing is lost")
	assert.Equal(t, true, list[0]["other_paths"])
	assert.Equal(t, "certificate_missing", list[0]["reason"])
	assert.Equal(t, "/0", list[1]["path"])
	s.send(t, "/new")
	require.Len(t, s.log.take(t), 1, "the old ones were replaced")
}

func TestRepeats_AClockThatGoesBackSilencesNothing(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	s.send(t, "/a", "/a")
	s.log.take(t)
	s.clock.advance(-time.Hour)
	s.send(t, "/a")
	list := s.log.take(t)
	require.Len(t, list, 1)
	assert.EqualValues(t, 1, list[0]["repeated"])
}

func TestRepeats_CanBeLogged(t *testing.T) {
	for name, change := range map[string]func(*certauth.Config){
		"refused":  func(c *certauth.Config) { c.LogRepeats = true },
		"reported": func(c *certauth.Config) { c.LogRepeats, c.InsecureReportOnly = true, true },
	} {
		s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, change)
		for range 3 {
			through(t, s.auth.Handler, request())
		}
		assert.Len(t, s.log.take(t), 3, name)
	}
}

// Many requests log refusals concurrently.
func TestRepeats_CountsAreExactUnderConcurrency(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, func(c *certauth.Config) { c.Observe = nil })
	const callers, each = 8, 50
	done := make(chan struct{})
	for range callers {
		go func() {
			defer func() { done <- struct{}{} }()
			for range each {
				s.auth.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/a", nil))
			}
		}()
	}
	for range callers {
		<-done
	}
	require.Len(t, s.log.take(t), 1)
	s.clock.advance(time.Minute)
	s.send(t, "/a")
	list := s.log.take(t)
	require.Len(t, list, 1)
	assert.EqualValues(t, callers*each-1, list[0]["repeated"])
}

// A PolicyFunc may make any number of Reasons, of any length: the memory for them is also limited,
// and no refusal is left uncounted.
func TestRepeats_ReasonsAreBounded(t *testing.T) {
	const kinds, others, more = 1024, 64, 100
	w := newWorld(t)
	reason := certauth.Reason("")
	s := newRefusals(t, certauth.All{w.chain(), certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error {
		return &certauth.Error{Reason: reason, Err: errors.New("no")}
	}}}, unchanged)
	s.offers = []*x509.Certificate{w.leaf.Certificate}
	for i := range kinds {
		s.send(t, fmt.Sprintf("/%d", i))
	}
	require.Len(t, s.log.take(t), kinds)
	for round := range 2 {
		for i := range others + more {
			reason = certauth.Reason(fmt.Sprintf("reason_%d", i))
			s.send(t, "/x")
		}
		if round == 0 {
			list := s.log.take(t)
			require.Len(t, list, others+1)
			for _, record := range list {
				assert.Equal(t, true, record["other_paths"])
			}
		}
	}
	assert.Empty(t, s.log.take(t))
	s.clock.advance(time.Minute)
	reason = "last"
	s.send(t, "/0")
	counts := map[any]float64{}
	for _, record := range s.log.take(t) {
		if n, ok := record["repeated"].(float64); ok {
			assert.Equal(t, true, record["other_paths"])
			counts[record["reason"]] += n
		}
	}
	require.Len(t, counts, others+1)
	for i := range others {
		assert.Equal(t, 1, int(counts[fmt.Sprintf("reason_%d", i)]))
	}
	assert.Equal(t, 2*more-1, int(counts["last"]), "all further ones are one kind")
}

// The memory for a refusal is small, whatever a PolicyFunc returns.
func TestRepeats_LongReasonsAreCut(t *testing.T) {
	w := newWorld(t)
	s := newRefusals(t, certauth.All{w.chain(), certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error {
		return &certauth.Error{Reason: certauth.Reason(strings.Repeat("a", 1<<20)), Err: errors.New("no")}
	}}}, unchanged)
	s.offers = []*x509.Certificate{w.leaf.Certificate}
	s.send(t, "/a", "/a")
	s.log.take(t)
	s.clock.advance(time.Minute)
	s.offers = nil
	s.send(t, "/b")
	list := s.log.take(t)
	require.Len(t, list, 2)
	assert.EqualValues(t, 1, list[0]["repeated"])
	assert.Less(t, len(list[0]["reason"].(string)), 1000)
}

// Pending counts of all kinds are written once a minute.
func TestRepeats_CountsAreWrittenOnceAMinute(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	s.send(t, "/a", "/a")
	s.clock.advance(30 * time.Second)
	s.send(t, "/b", "/b")
	s.log.take(t)
	paths := func(after time.Duration, path string) (list []any) {
		s.clock.advance(after)
		s.send(t, path)
		for _, record := range s.log.take(t) {
			list = append(list, record["path"])
		}
		return list
	}
	assert.Equal(t, []any{"/a", "/c"}, paths(30*time.Second, "/c"))
	assert.Equal(t, []any{"/d"}, paths(30*time.Second, "/d"), "the common minute is not over")
	assert.Equal(t, []any{"/b", "/e"}, paths(30*time.Second, "/e"))
}

// Requests overtake one another by up to a second; this does not start a new minute.
func TestRepeats_AClockThatSeemsToGoBackIsNoNewMinute(t *testing.T) {
	s := newRefusals(t, certauth.Thumbprints{pinOfNobody}, unchanged)
	s.send(t, "/a")
	s.log.take(t)
	s.clock.advance(-time.Second)
	s.send(t, "/a")
	assert.Empty(t, s.log.take(t))
	s.clock.advance(-1)
	s.send(t, "/a")
	assert.Len(t, s.log.take(t), 1)
}

// The record of a count says which certificate was refused.
func TestRepeats_TheLastCountNamesThePartner(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	s := newRefusals(t, certauth.All{w.chain(), certauth.DNSNames{"orders.partner.example"}}, unchanged)
	for _, leaf := range []*certauthtest.Certificate{w.leaf, stranger.leaf} {
		s.offers = []*x509.Certificate{leaf.Certificate}
		s.send(t, "/a", "/a")
		s.log.take(t)
		s.clock.advance(time.Minute)
		s.offers = nil
		s.send(t, "/b")
		list := s.log.take(t)
		require.Len(t, list, 2)
		assert.EqualValues(t, 1, list[0]["repeated"])
		assert.Equal(t, leaf.Thumbprint(), list[0]["fingerprint"])
		s.clock.advance(time.Hour)
		s.send(t, "/c")
		s.log.take(t)
	}
}
