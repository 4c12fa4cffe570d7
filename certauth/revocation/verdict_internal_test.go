package revocation

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// said is one statement that a source can make.
type said struct {
	name string
	word statement
}

// Every statement that a source can make, at three ages, with the ages in minutes before now.
func everyWord(now time.Time, source Source) []said {
	all := []said{
		{"nothing", statement{err: errNothing}},
		{"run out", statement{err: ErrNotFresh}},
		{"run out, and it said revoked", statement{result: Result{StaleRevoked: true}, err: ErrNotFresh}},
	}
	for _, age := range []int{10, 20, 30} {
		at := now.Add(-time.Duration(age) * time.Minute)
		base := Result{Source: source, ThisUpdate: at, UsableUntil: now.Add(time.Hour), RefreshAfter: now.Add(time.Minute)}
		add := func(name string, change func(*Result)) {
			r := base
			change(&r)
			all = append(all, said{fmt.Sprintf("%s of %d minutes ago", name, age), statement{result: r}})
		}
		add("good", func(r *Result) { r.Status = Good })
		add("good, due", func(r *Result) { r.Status, r.RefreshAfter = Good, now.Add(-time.Minute) })
		add("good, in its grace", func(r *Result) { r.Status, r.Stale, r.UsableUntil = Good, true, now.Add(-time.Minute) })
		add("revoked", func(r *Result) { r.Status, r.Reason = Revoked, 1 })
		add("on hold", func(r *Result) { r.Status, r.Reason = Revoked, evidence.ReasonCertificateHold })
		if source == SourceOCSP {
			add("unknown", func(r *Result) { r.Status = Unknown })
		}
	}
	return all
}

// Every combination of the statements of the two sources, of the order of sources, and of the last
// attempt: 15 000 verdicts, each checked against the rules.
func TestVerdict_EveryCombination(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	failure := errors.New("nobody answered")
	attempts := map[string]*setback{
		"never failed":            nil,
		"failed just now":         {err: failure, at: now.Add(-time.Second), until: now.Add(4 * time.Second)},
		"failed a minute ago":     {err: failure, at: now.Add(-time.Minute), until: now.Add(-55 * time.Second)},
		"failed a day ago":        {err: failure, at: now.Add(-24 * time.Hour), until: now.Add(-24 * time.Hour)},
		"failed by a clock ahead": {err: failure, at: now.Add(9 * time.Hour), until: now.Add(9 * time.Hour)},
	}
	modes := map[string]Sources{
		"PreferOCSP": PreferOCSP, "PreferCRL": PreferCRL, "OCSPOnly": OCSPOnly, "CRLOnly": CRLOnly,
	}
	for mode, sources := range modes {
		for tried, failed := range attempts {
			for _, ocsp := range everyWord(now, SourceOCSP) {
				for _, lists := range everyWord(now, SourceCRL) {
					v := verdictOn(sources, ocsp.word, lists.word, failed, now)
					text := fmt.Sprintf("%s, %s; OCSP: %s; CRL: %s: %v, settled %v, due %v, %v",
						mode, tried, ocsp.name, lists.name, v.result.Status, v.settled, v.due, v.err)
					holdAgainstRules(t, text, sources, ocsp.word, lists.word, failed, v, now)
				}
			}
		}
	}
}

func holdAgainstRules(t *testing.T, text string, sources Sources, ocsp, lists statement, failed *setback, v verdict, now time.Time) {
	t.Helper()
	var used []statement // in the order of preference
	switch sources {
	case OCSPOnly:
		used = []statement{ocsp}
	case CRLOnly:
		used = []statement{lists}
	case PreferCRL:
		used = []statement{lists, ocsp}
	default:
		used = []statement{ocsp, lists}
	}
	justTried := failed != nil && now.Before(failed.until) && failed.until.Sub(now) < time.Hour
	lately := failed != nil && now.Sub(failed.at) < 10*time.Minute && !failed.at.After(now)
	mustBeRevoked, fresh, graced, unknown, against := false, 0, 0, false, false
	for i, w := range used {
		r := w.result
		other := Result{}
		if len(used) == 2 {
			other = used[1-i].result
		}
		lifted := r.Reason == evidence.ReasonCertificateHold && other.Status == Good && !other.Stale && other.ThisUpdate.After(r.ThisUpdate)
		mustBeRevoked = mustBeRevoked || r.Status == Revoked && !lifted
		if r.Status == Good && !r.Stale {
			fresh++
		}
		if r.Status == Good && r.Stale {
			graced++
		}
		unknown = unknown || r.Status == Unknown
		against = against || r.StaleRevoked
	}
	preferred := used[0].result
	isPreferred := preferred.Status == Good && !preferred.Stale
	switch {
	case mustBeRevoked:
		require.Equal(t, Revoked, v.result.Status, text)
		require.True(t, v.settled, text)
	case fresh > 0:
		require.Equal(t, Good, v.result.Status, text)
		require.False(t, v.result.Stale, text)
		require.Equal(t, isPreferred || justTried || lately, v.settled, text) // finding K1: not a failure of any age
	case unknown:
		require.Equal(t, Unknown, v.result.Status, text)
		require.Equal(t, justTried, v.settled, text)
	case graced > 0 && !against:
		require.Equal(t, Good, v.result.Status, text)
		require.True(t, v.result.Stale, text)
		require.Equal(t, justTried, v.settled, text) // grace only after a source was asked now and did not answer
	default:
		require.Equal(t, Unavailable, v.result.Status, text)
		require.Equal(t, justTried, v.settled, text)
		require.Error(t, v.err, text)
	}
	if v.result.Status == Good && v.result.Stale {
		require.False(t, against, text)
	}
	if justTried {
		require.False(t, v.due, text) // a source that has just failed is not asked again
	}
	require.True(t, v.settled || !v.result.RevokedForGood(), text)
}
