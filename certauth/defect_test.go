package certauth_test

import (
	"context"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// told holds the reports about the certificates of a configuration.
type told struct {
	log   records
	clock *clock
	mutex sync.Mutex
	list  []certauth.Event
}

// auth makes an Authenticator that reports here.
func (s *told) auth(t *testing.T, policy certauth.Policy, change ...func(*certauth.Config)) *certauth.Authenticator {
	t.Helper()
	config := certauth.Config{
		Source: fixedSource("s", certauthtest.SelfSigned(t, "stranger").Certificate), Policy: policy, Now: s.clock.now, Logger: s.log.logger(slog.LevelInfo),
		Observe: func(_ context.Context, e certauth.Event) {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			if e.Method == "" {
				s.list = append(s.list, e)
			}
		},
	}
	for _, f := range change {
		f(&config)
	}
	return must(t, config)
}

// take returns outcome and place of each event since the last call, sorted.
func (s *told) take() (list []string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, e := range s.list {
		list = append(list, fmt.Sprintf("%s %s", e.Outcome, e.Rule))
	}
	s.list = nil
	slices.Sort(list)
	return list
}

const days = 24 * time.Hour

// ending returns a CA whose certificate expires that long after the clock's time.
func ending(t *testing.T, at *clock, in time.Duration) *certauthtest.CA {
	t.Helper()
	now := at.now()
	return certauthtest.NewCA(t, "Root", certauthtest.Valid(now.AddDate(-5, 0, 0), now.Add(in)))
}

// finding N4: New did not report roots, intermediates and pins that had expired or were about to.
func TestDefects_NewReportsByThresholds(t *testing.T) {
	at := newClock()
	at.nanoseconds.Store(time.Now().Truncate(time.Second).UnixNano()) // X.509 has no fractions
	for _, tc := range []struct {
		name string
		left time.Duration
		want certauth.Outcome
		days any
	}{
		{"a second more than 30 days", 30*days + time.Second, "", nil},
		{"30 days", 30 * days, "expiring", 30.0},
		{"7 days", 7 * days, "expiring", 7.0},
		{"an hour", time.Hour, "expiring", 0.0},
		{"its last second", 0, "expiring", 0.0},
		{"a second ago", -time.Second, "expired", 0.0},
		{"a year ago", -365 * days, "expired", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, good := ending(t, at, tc.left), certauthtest.NewCA(t, "Good")
			issuing := good.NewIntermediate(t, "Issuing", certauthtest.Valid(root.Certificate.NotBefore, root.Certificate.NotAfter))
			pin := certauthtest.SelfSigned(t, "pin", certauthtest.Valid(root.Certificate.NotBefore, root.Certificate.NotAfter))
			s := &told{clock: at}
			s.auth(t, certauth.Any{
				certauth.Chain{Roots: certsOf(root, good), Intermediates: certsOf(issuing)}, certauth.Certificates(pin.Certificate),
			})
			if tc.want == "" {
				assert.Empty(t, s.take())
				assert.Empty(t, s.log.take(t))
				return
			}
			events := slices.Clone(s.list)
			assert.Equal(t, []string{
				string(tc.want) + " Policy.Any[0].Chain.Intermediates", string(tc.want) + " Policy.Any[0].Chain.Roots", string(tc.want) + " Policy.Any[1].Certificates",
			}, s.take())
			for _, cert := range []*x509.Certificate{root.Certificate, issuing.Certificate, pin.Certificate} {
				i := slices.IndexFunc(events, func(e certauth.Event) bool { return e.Certificate.Fingerprint == thumbprint(cert) })
				require.NotEqual(t, -1, i)
				assert.Equal(t, certauth.CertificateInfo{Fingerprint: thumbprint(cert), Subject: cert.Subject.String(), Verified: true, NotAfter: cert.NotAfter}, events[i].Certificate)
			}
			list := s.log.take(t)
			require.Len(t, list, 3)
			for i, record := range list {
				assert.Equal(t, "WARN", record["level"])
				assert.Equal(t, "certauth: "+string(tc.want), record["msg"])
				assert.Equal(t, events[i].Rule, record["rule"])
				assert.Equal(t, events[i].Certificate.Fingerprint, record["fingerprint"])
				assert.NotEmpty(t, record["hint"])
				if tc.want == "expiring" {
					assert.Equal(t, tc.days, record["days_left"])
				}
			}
		})
	}
}

// finding N4: the dates are checked once per day of traffic, even if nothing is ever reloaded; each
// certificate is reported once for each threshold, and not with every request.
func TestDefects_OncePerThresholdWhateverTheTraffic(t *testing.T) {
	s := &told{clock: newClock()}
	auth := s.auth(t, certauth.Chain{Roots: certsOf(ending(t, s.clock, 40*days), certauthtest.NewCA(t, "Good"))})
	seen := map[int][]string{}
	for d := range 60 {
		for range 5 {
			s.clock.advance(days / 5)
			_, err := auth.Check(request())
			require.Error(t, err)
		}
		if list := s.take(); len(list) > 0 {
			seen[d+1] = list
		}
	}
	const where = " Policy.Chain.Roots"
	require.Len(t, seen, 4)
	for _, want := range []struct {
		day int
		is  certauth.Outcome
	}{{10, "expiring"}, {33, "expiring"}, {39, "expiring"}, {40, "expired"}} {
		got, ok := seen[want.day]
		if !ok {
			got = seen[want.day+1] // the check is once a day, not at midnight
		}
		assert.Equal(t, []string{string(want.is) + where}, got, "day %d of %v", want.day, seen)
	}
}

// finding N4: a reload to an expired root was only reported as "reloaded".
func TestDefects_ReloadThatLeavesNoValidRoot(t *testing.T) {
	s := &told{clock: newClock()}
	file := filepath.Join(t.TempDir(), "roots.pem")
	good := certauthtest.NewCA(t, "Good")
	require.NoError(t, os.WriteFile(file, good.PEM(), 0o600))
	auth := s.auth(t, certauth.Chain{Roots: certauth.PEMFile(file)})
	assert.Empty(t, s.take())

	old := ending(t, s.clock, -days)
	replaceFile(t, file, old.PEM())
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"expired Policy.Chain.Roots", "reloaded Policy.Chain.Roots", "rootless Policy.Chain.Roots"}, s.take())
	list := s.log.take(t)
	last := list[len(list)-1]
	assert.Equal(t, "certauth: rootless", last["msg"])
	assert.Equal(t, "ERROR", last["level"])
	assert.NotContains(t, last, "fingerprint")

	require.NoError(t, auth.Reload(t.Context()))
	assert.Empty(t, s.take(), "nothing new")
	replaceFile(t, file, append(good.PEM(), old.PEM()...))
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"expired Policy.Chain.Roots", "reloaded Policy.Chain.Roots"}, s.take(), "the old root is still there")
	replaceFile(t, file, old.PEM())
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"expired Policy.Chain.Roots", "reloaded Policy.Chain.Roots", "rootless Policy.Chain.Roots"}, s.take(), "once more")

	future := certauthtest.NewCA(t, "Tomorrow", certauthtest.Valid(s.clock.now().Add(days), s.clock.now().Add(365*days)))
	replaceFile(t, file, future.PEM())
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"reloaded Policy.Chain.Roots", "rootless Policy.Chain.Roots"}, s.take(), "a certificate that is not yet valid is not valid")
	s.clock.advance(2 * days)
	require.NoError(t, auth.Reload(t.Context()))
	assert.Empty(t, s.take())
}

// A counter of defects restarts with "reloaded": defects that a reload does not remove are reported
// again after it, and those of other material are not.
func TestDefects_DefectsThatRemainAreReportedAfterAReload(t *testing.T) {
	s := &told{clock: newClock()}
	dir := t.TempDir()
	write := func(name string, cas ...*certauthtest.CA) string {
		var all []byte
		for _, ca := range cas {
			all = append(all, ca.PEM()...)
		}
		path := filepath.Join(dir, name)
		replaceFile(t, path, all)
		return path
	}
	good, soon, other := certauthtest.NewCA(t, "Good"), ending(t, s.clock, 3*days), certauthtest.NewCA(t, "Other")
	issuing := other.NewIntermediate(t, "Other Issuing")
	roots, between := write("roots", good, soon), write("between", issuing)
	auth := s.auth(t, certauth.Any{
		certauth.Chain{Roots: certauth.PEMFile(roots), Intermediates: certauth.PEMFile(between)},
		certauth.Chain{Roots: certsOf(good), Intermediates: certsOf(ending(t, s.clock, days/2))},
	})
	inOrder := func() (list []string) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		for _, e := range s.list {
			list = append(list, string(e.Outcome)+" "+e.Rule)
		}
		s.list = nil
		return list
	}
	const first, nested = "Policy.Any[0].Chain.", "Policy.Any[1].Chain."
	assert.ElementsMatch(t, []string{
		"expiring " + first + "Roots", "unchained " + first + "Intermediates",
		"expiring " + nested + "Intermediates", "unchained " + nested + "Intermediates",
	}, inOrder())

	write("roots", good, soon, certauthtest.NewCA(t, "Third"))
	require.NoError(t, auth.Reload(t.Context()))
	list := inOrder()
	require.NotEmpty(t, list)
	assert.Equal(t, "reloaded "+first+"Roots", list[0])
	assert.ElementsMatch(t, []string{"expiring " + first + "Roots", "unchained " + first + "Intermediates", "unchained " + nested + "Intermediates"}, list[1:])

	write("roots", good, other)
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"reloaded " + first + "Roots", "unchained " + nested + "Intermediates"}, inOrder(), "a root repairs unchained intermediates")

	require.NoError(t, auth.Reload(t.Context()))
	assert.Empty(t, inOrder(), "nothing was reloaded")
}

// finding N4: an intermediate that reaches no root was accepted without a report.
func TestDefects_IntermediatesThatReachNoRoot(t *testing.T) {
	root, other := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Other")
	policy := root.NewIntermediate(t, "Policy CA")
	issuing := policy.NewIntermediate(t, "Issuing CA")
	otherIssuing := other.NewIntermediate(t, "Other Issuing")
	forged := forge(t, issuing.Certificate, policy.Certificate)
	roots := certsOf(root)
	top := newRoot(t, "Top")
	below := top.newCA(t, "Below")
	renewed := issue(t, nil, top.key, "Top", asCA, func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") })
	spelled := top.spelled(nameOf(t, nameValue{oidO, asn1.TagUTF8String, "PARTNER  LTD"}, nameValue{oidCN, asn1.TagUTF8String, "top"})).newCA(t, "Spelled")
	chain := func(roots certauth.CertSource, intermediates ...*x509.Certificate) certauth.Chain {
		return certauth.Chain{Roots: roots, Intermediates: certauth.Certificates(intermediates...)}
	}
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		want   []*x509.Certificate
	}{
		{"all reach it, in any order", chain(roots, issuing.Certificate, policy.Certificate), nil},
		{"the root itself reaches it", chain(roots, root.Certificate), nil},
		{"one between is missing", chain(roots, issuing.Certificate), []*x509.Certificate{issuing.Certificate}},
		{"of another root", chain(roots, policy.Certificate, otherIssuing.Certificate), []*x509.Certificate{otherIssuing.Certificate}},
		{"of the same name by another key", chain(roots, policy.Certificate, forged), []*x509.Certificate{forged}},
		{"the root was renewed under another key identifier", chain(certsFrom(renewed), below.Certificate), nil},
		{"the issuer is spelled in another way", chain(certsFrom(top), spelled.Certificate), nil},
		{"another root", chain(roots, other.Certificate), []*x509.Certificate{other.Certificate}},
		{
			"two chains share the intermediates of both",
			certauth.Any{chain(roots, policy.Certificate, otherIssuing.Certificate), chain(certsOf(other), policy.Certificate, otherIssuing.Certificate)},
			nil,
		},
		{
			"two chains share what reaches neither",
			certauth.Any{chain(roots, issuing.Certificate), chain(certsOf(other), issuing.Certificate)},
			[]*x509.Certificate{issuing.Certificate},
		},
		{
			"nobody lists the system's roots",
			certauth.All{chain(certauth.InsecureSystemRoots(), issuing.Certificate), certauth.DNSNames{"a.example"}},
			nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &told{clock: newClock()}
			auth := s.auth(t, tc.policy)
			var want []string
			for _, cert := range tc.want {
				want = append(want, thumbprint(cert))
			}
			var got []string
			for _, e := range s.list {
				assert.EqualValues(t, "unchained", e.Outcome)
				assert.Contains(t, e.Rule, ".Chain.Intermediates")
				got = append(got, e.Certificate.Fingerprint)
			}
			assert.Equal(t, want, got)
			assert.Len(t, s.log.take(t), len(want))
			s.take()
			s.clock.advance(2 * days)
			_, err := auth.Check(request())
			require.Error(t, err)
			assert.Empty(t, s.take(), "said once")
		})
	}
}

func TestDefects_RoutesAndGatesAreLookedAtToo(t *testing.T) {
	s := &told{clock: newClock()}
	front := certauthtest.SelfSigned(t, "front", certauthtest.Valid(s.clock.now().AddDate(-1, 0, 0), s.clock.now().Add(days/2)))
	auth := s.auth(t, newWorld(t).chain(), func(c *certauth.Config) {
		c.Source = forwarded.Nginx{From: forwarded.ProxyCertificate(certauth.Certificates(front.Certificate))}
	})
	events := slices.Clone(s.list)
	list := s.take()
	require.Len(t, list, 1)
	assert.Contains(t, list[0], "expiring Source: ")
	assert.Contains(t, events[0].Source, "Nginx")
	auth.Require(certauth.All{certauth.Certificates(front.Certificate)})
	assert.Equal(t, []string{"expiring Require.All[0].Certificates"}, s.take())
}

// finding R39: when such a CA is replaced, IssuedBy refuses its callers, so its end must be known before.
func TestDefects_CAsOfIssuedByAreLookedAtToo(t *testing.T) {
	s := &told{clock: newClock()}
	root := ending(t, s.clock, 400*days)
	valid := func(in time.Duration) certauthtest.Template {
		return certauthtest.Valid(s.clock.now().AddDate(-1, 0, 0), s.clock.now().Add(in))
	}
	old, renewed := root.NewIntermediate(t, "Issuing", valid(6*days)), root.NewIntermediate(t, "Issuing", valid(300*days))
	file := filepath.Join(t.TempDir(), "issuing.pem")
	require.NoError(t, os.WriteFile(file, old.PEM(), 0o600))
	issuedBy := certauth.IssuedBy{Certificates: certauth.PEMFile(file)}
	auth := s.auth(t, certauth.All{certauth.Chain{Roots: certsOf(root)}, issuedBy})
	assert.Equal(t, []string{"expiring Policy.All[1].IssuedBy.Certificates"}, s.take())
	auth.Require(issuedBy)
	assert.Empty(t, s.take(), "the same file")
	require.NoError(t, os.WriteFile(file, renewed.PEM(), 0o600))
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"reloaded Policy.All[1].IssuedBy.Certificates"}, s.take())
	s.clock.advance(299 * days)
	_, _ = auth.Check(request())
	assert.Contains(t, s.take(), "expiring Policy.All[1].IssuedBy.Certificates")
}

// A hook that panics ends neither New nor a request.
func TestDefects_PanicsOfHooksDecideNothing(t *testing.T) {
	w := newWorld(t)
	at := newClock()
	at.nanoseconds.Store(w.leaf.NotAfter.Add(-10 * days).UnixNano())
	auth := must(t, certauth.Config{
		Source: fixedSource("s", w.leaf.Certificate), Policy: certauth.Any{certauth.Certificates(w.leaf.Certificate), w.chain()}, Now: at.now,
		Observe: func(context.Context, certauth.Event) { panic("observe") },
		Logger:  slog.New(panickyHandler{slog.DiscardHandler}),
	})
	at.advance(9*days + time.Hour)
	_, err := auth.Check(request())
	assert.NoError(t, err)
}

// The doc of Outcome: once for each certificate, however often it is listed. Without a list of the
// system's roots, the intermediates used with them are still reported.
func TestDefects_OnceForEachCertificate(t *testing.T) {
	s := &told{clock: newClock()}
	soon := ending(t, s.clock, 3*days)
	pin := certauthtest.SelfSigned(t, "pin", certauthtest.Valid(s.clock.now().Add(-days), s.clock.now().Add(3*days)))
	s.auth(t, certauth.Any{
		certauth.Certificates(pin.Certificate, pin.Certificate),
		certauth.Chain{Roots: certauth.Certificates(soon.Certificate, soon.Certificate)},
	})
	assert.Equal(t, []string{"expiring Policy.Any[0].Certificates", "expiring Policy.Any[1].Chain.Roots"}, s.take())

	issuing := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Issuing", certauthtest.Valid(s.clock.now().Add(-days), s.clock.now().Add(3*days)))
	s.auth(t, certauth.All{certauth.Chain{Roots: certauth.InsecureSystemRoots(), Intermediates: certsOf(issuing)}, certauth.DNSNames{"a.example"}})
	assert.Equal(t, []string{"expiring Policy.All[0].Chain.Intermediates"}, s.take())
}

// finding N192: after a failed reload that was repaired, without a change of the certificates, their warnings came
// again, so that a function that fails every other time repeated them every minute.
func TestDefects_ARepairedReloadRepeatsNone(t *testing.T) {
	s := &told{clock: newClock()}
	roots, failure := []*x509.Certificate{ending(t, s.clock, 3*days).Certificate}, error(nil)
	auth := s.auth(t, certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return roots, failure })})
	assert.Equal(t, []string{"expiring Policy.Chain.Roots"}, s.take())
	failure = errors.New("no answer")
	require.Error(t, auth.Reload(t.Context()))
	failure = nil
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"kept Policy.Chain.Roots", "reloaded Policy.Chain.Roots"}, s.take())
	roots = append(roots, ending(t, s.clock, 365*days).Certificate)
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, []string{"expiring Policy.Chain.Roots", "reloaded Policy.Chain.Roots"}, s.take(), "new certificates")
}

// Once a day is not with every request. A clock that was set back, by more than overtaking requests
// can explain, starts a new day.
func TestDefects_TheDayIsThatOfTheClock(t *testing.T) {
	ask := func(s *told, auth *certauth.Authenticator, after time.Duration) []string {
		s.clock.advance(after)
		_, err := auth.Check(request())
		require.Error(t, err)
		return s.take()
	}
	s := &told{clock: newClock()}
	auth := s.auth(t, certauth.Chain{Roots: certsOf(ending(t, s.clock, 30*days+time.Hour))})
	assert.Empty(t, s.take())
	assert.Empty(t, ask(s, auth, 2*time.Hour), "it was already checked today")
	assert.Empty(t, ask(s, auth, 22*time.Hour-time.Minute))
	assert.Equal(t, []string{"expiring Policy.Chain.Roots"}, ask(s, auth, time.Minute))

	for _, tc := range []struct {
		back time.Duration
		want []string
	}{
		{time.Second, nil},
		{time.Second + time.Nanosecond, []string{"rootless Policy.Chain.Roots"}},
		{2 * time.Second, []string{"rootless Policy.Chain.Roots"}},
		{time.Hour, []string{"rootless Policy.Chain.Roots"}},
	} {
		s := &told{clock: newClock()}
		s.clock.nanoseconds.Store(time.Now().Truncate(time.Second).UnixNano()) // X.509 has no fractions
		begins := s.clock.now()
		auth := s.auth(t, certauth.Chain{Roots: certsOf(certauthtest.NewCA(t, "New", certauthtest.Valid(begins, begins.Add(365*days))))})
		assert.Empty(t, s.take())
		assert.Equal(t, tc.want, ask(s, auth, -tc.back), tc.back)
	}
}

// At most two thousand signature checks determine whether intermediates reach a root; what is
// unknown after that is not reported. A reload must not take minutes.
func TestDefects_SignaturesOfOneLookAreBounded(t *testing.T) {
	key := newECKey(t, elliptic.P256())
	copies := func(n int, issuer *party) (list []*x509.Certificate) {
		for range n {
			list = append(list, issue(t, issuer, key, "Twin", asCA).Certificate)
		}
		return list
	}
	stranger := issue(t, nil, newECKey(t, elliptic.P256()), "Twin", asCA)
	for _, tc := range []struct{ roots, intermediates, reported int }{{40, 50, 50}, {23, 87, 86}, {48, 50, 0}} {
		s := &told{clock: newClock()}
		s.auth(t, certauth.Chain{Roots: certauth.Certificates(copies(tc.roots, nil)...), Intermediates: certauth.Certificates(copies(tc.intermediates, stranger)...)})
		assert.Len(t, s.take(), tc.reported, "%d signatures", tc.roots*tc.intermediates)
	}
}

// Events about the material of a gate name the gate's place, like those about the policy's:
// reloads, failures, and all defects of certificates.
func TestDefects_NewsOfAGateNameTheSource(t *testing.T) {
	s := &told{clock: newClock()}
	file := filepath.Join(t.TempDir(), "roots.pem")
	good, second := certauthtest.NewCA(t, "Good"), certauthtest.NewCA(t, "Second")
	replaceFile(t, file, good.PEM())
	stray := certauthtest.NewCA(t, "Other").NewIntermediate(t, "Stray")
	auth := s.auth(t, newWorld(t).chain(), func(c *certauth.Config) {
		c.Source = forwarded.Nginx{From: forwarded.ProxyCertificate(certauth.All{
			certauth.Chain{Roots: certauth.PEMFile(file), Intermediates: certsOf(stray)}, certauth.DNSNames{"proxy.example"},
		})}
	})
	reload := func(content []byte, fails bool) (list []string) {
		replaceFile(t, file, content)
		assert.Equal(t, fails, auth.Reload(t.Context()) != nil)
		for _, e := range s.list {
			assert.Equal(t, fails, e.Err != nil)
			if fails {
				assert.ErrorContains(t, e.Err.Err, "no certificate", "why it failed")
			}
			assert.Contains(t, e.Rule, "Source: ")
			assert.Contains(t, e.Rule, ".Chain.")
			list = append(list, string(e.Outcome))
		}
		s.take()
		slices.Sort(list)
		return list
	}
	assert.Equal(t, []string{"unchained"}, outcomes(s))
	assert.Equal(t, []string{"reloaded", "unchained"}, reload(append(good.PEM(), second.PEM()...), false))
	assert.Equal(t, []string{"kept"}, reload([]byte("nothing"), true))
	assert.Equal(t, []string{"expired", "reloaded", "rootless", "unchained"}, reload(ending(t, s.clock, -days).PEM(), false))
}

// outcomes returns those of the events since the last call, in order.
func outcomes(s *told) (list []string) {
	for _, e := range s.list {
		list = append(list, string(e.Outcome))
	}
	s.take()
	return list
}
