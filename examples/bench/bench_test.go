package main

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// tiny runs everything once, and its measurements are meaningless.
var tiny = sizes{
	effort:     effort{rounds: 1, mostRounds: 1, slice: 20 * time.Microsecond, clients: 3, pool: 4},
	identities: 50, collected: 200, collections: 1, entries: 500, roots: 4,
}

// Every part runs. During the measurement, each checks that every request has the outcome for which
// the row is named; the duration is not checked.
func TestParts_RunAndHaveFigures(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time is read by a clock that Linux has")
	}
	l, err := newListener()
	require.NoError(t, err)
	defer l.Close()
	var sections []section
	for _, p := range inProcess(tiny) {
		t.Run(p.name, func(t *testing.T) {
			s, err := p.run(l)
			require.NoError(t, err)
			require.NotEmpty(t, s.figures)
			for _, f := range s.figures {
				assert.False(t, math.IsNaN(f.mid) || math.IsInf(f.mid, 0), f.name)
			}
			sections = append(sections, s)
		})
	}
	if len(sections) < len(inProcess(tiny)) {
		return // only some of them were requested
	}
	_, ok := summary(sections)
	assert.True(t, ok, "what the README says is made of figures that are there")
}

// The requests of each contender have the outcome, and the reason, for which its row is named: the
// library reports it to a listener.
func TestContenders_AreWhatTheyAreCalled(t *testing.T) {
	l, err := newListener()
	require.NoError(t, err)
	defer l.Close()
	var all []*comparison
	add := func(c *comparison, err error) {
		require.NoError(t, err)
		all = append(all, c)
	}
	for _, kind := range kinds {
		add(knownCallers(kind, 1))
		add(knownCallers(kind, 3))
		add(firstRequests(kind, 3))
	}
	add(sameNames(3))
	reasons := map[certauth.Reason]int{}
	for _, c := range all {
		for _, contender := range c.contenders {
			t.Run(c.title+" "+contender.name, func(t *testing.T) {
				var heard []certauth.Event
				var mutex sync.Mutex
				h, err := contender.handler(func(_ context.Context, event certauth.Event) {
					mutex.Lock()
					defer mutex.Unlock()
					heard = append(heard, event)
				})
				require.NoError(t, err)
				server := &http.Server{} //nolint:gosec // it never serves
				if !contender.behind {
					server.Handler = h
				}
				r, end, err := l.request(server, contender.wide)
				require.NoError(t, err)
				defer end()
				for range 2 { // seen for the first time, and again
					require.NoError(t, loop(h, r, contender.headers, contender.status)(len(contender.headers)))
				}
				if len(heard) == 0 {
					assert.NotContains(t, contender.name, "hit", "the library tells those who listen")
					assert.Equal(t, certauth.ReasonNone, contender.reason)
					return
				}
				assert.Len(t, heard, 2*len(contender.headers))
				for _, event := range heard {
					if contender.status == http.StatusOK {
						assert.Equal(t, certauth.OutcomeAccepted, event.Outcome)
						continue
					}
					assert.Equal(t, certauth.OutcomeDenied, event.Outcome)
					require.NotNil(t, event.Err)
					assert.Equal(t, contender.reason, event.Err.Reason)
					reasons[event.Err.Reason]++
				}
			})
		}
	}
	assert.Len(t, reasons, 4, "untrusted, pin, malformed and missing: %v", reasons)
}

// A row "first" whose handler knew the certificate would measure a hit.
func TestTrack_FirstRequestsAreFirst(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time is read by a clock that Linux has")
	}
	l, err := newListener()
	require.NoError(t, err)
	defer l.Close()
	w, err := newWorld("p256", "Partner")
	require.NoError(t, err)
	m, err := w.material()
	require.NoError(t, err)
	headers, err := w.issue(4, w.leaf)
	require.NoError(t, err)
	auths := map[*certauth.Authenticator]bool{}
	var last *certauth.Authenticator
	contender := &contender{name: "first", headers: headers, opening: m.header(), fresh: true, status: http.StatusOK, handler: func(hearer) (http.Handler, error) {
		auth, err := library(m, certauth.Config{})
		if err != nil {
			return nil, err
		}
		auths[auth], last = true, auth
		return auth.Handler(endOfIdentity()), nil
	}}
	track := &track{contender: contender}
	require.NoError(t, track.begin(l))
	defer track.end()
	require.NoError(t, track.calibrate(time.Hour))
	assert.Equal(t, len(headers), track.n, "no slice sends a certificate twice")
	before := len(auths)
	_, err = track.slice()
	require.NoError(t, err)
	assert.Len(t, auths, before+1, "each slice has a handler of its own")
	assert.Equal(t, len(headers)+1, last.Remembered(), "all of them were new, and so was the opening one")
}

// An unexpected answer ends the measurement.
func TestLoop_WantsTheStatus(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	require.NoError(t, err)
	var got []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, strings.Join(r.Header[certificateKey], ","))
		delete(r.Header, certificateKey)
		w.WriteHeader(http.StatusOK)
	})
	require.NoError(t, loop(h, r, []string{"a", "b", ""}, http.StatusOK)(4))
	assert.Equal(t, []string{"a", "b", "", "a"}, got, "the header is put back each time")
	assert.ErrorContains(t, loop(h, r, []string{"a"}, http.StatusUnauthorized)(1), "status 200, want 401")
	silent := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	assert.ErrorContains(t, loop(silent, r, []string{"a"}, http.StatusOK)(1), "status 0, want 200")
}

// A request equals one made by the front end and net/http's server.
func TestRequest_IsAsServersMakeIt(t *testing.T) {
	l, err := newListener()
	require.NoError(t, err)
	defer l.Close()
	for wide, headers := range map[bool]int{false: 10, true: 25} {
		r, end, err := l.request(&http.Server{}, wide)
		require.NoError(t, err)
		assert.Len(t, r.Header, headers-1, "the certificate's is put in by the loop")
		assert.NotNil(t, r.Context().Value(http.ServerContextKey))
		assert.NotNil(t, r.Context().Value(http.LocalAddrContextKey))
		assert.NoError(t, r.Context().Err())
		for name := range r.Header {
			assert.Equal(t, http.CanonicalHeaderKey(name), name)
		}
		end()
		assert.Error(t, r.Context().Err())
	}
}

func TestMeasure_TakesRatiosWithinRounds(t *testing.T) {
	c := comparison{figures: []relation{
		{"a ratio", to("b", "a"), atMost(2)},
		{"a difference", beyond("b", "a", "a"), aim{}},
	}}
	figures := c.summed([]map[string]float64{{"a": 10, "b": 20}, {"a": 30, "b": 90}, {"a": 40, "b": 40}}) // 2, 3, 1
	assert.Equal(t, spread{mid: 2, low: 1.5, high: 2.5}, figures[0].spread, "not the ratio of the medians")
	assert.Equal(t, spread{mid: 1, low: 0.5, high: 1.5}, figures[1].spread)
	assert.False(t, decided(figures), "the aim lies between the quartiles")
	assert.True(t, decided(figures[1:]))
}

func TestMeasure_GoesOnWhileAnAimIsUndecided(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time is read by a clock that Linux has")
	}
	for _, tc := range []struct {
		name string
		aim  aim
		want string
	}{
		{"above both quartiles", atMost(4), "4 rounds."},
		{"below both quartiles", atLeast(0.5), "4 rounds."},
		{"between the quartiles", atMost(2), "9 rounds."},
		{"none", aim{}, "4 rounds."},
	} {
		at := 0
		c := comparison{contenders: []*contender{{name: "a", run: func(int) error { spin(); return nil }}}, figures: []relation{{"a", func(func(string) float64) float64 {
			at++
			return float64(1 + 2*(at%2)) // 1 and 3 in turn, whatever was measured
		}, tc.aim}}}
		s, err := c.measure(nil, effort{rounds: 4, mostRounds: 9, slice: time.Microsecond})
		require.NoError(t, err)
		assert.Equal(t, tc.want, s.note, tc.name)
	}
	failing := comparison{contenders: []*contender{{name: "a", run: func(int) error { return errors.New("no") }}}}
	_, err := failing.measure(nil, tiny.effort)
	assert.ErrorContains(t, err, "a: no")
}

func spin() {
	for i := range 10_000 {
		spun = spun*31 + i
	}
}

var spun int

func TestFigure_SaysWhetherTheAimIsMet(t *testing.T) {
	for _, tc := range []struct {
		figure  figure
		measure string
		aim     string
		verdict string
	}{
		{figure{"", spreadOf([]float64{1, 2, 3}), atMost(2)}, "2 (1.50 to 2.50)", "at most 2", "met"},
		{figure{"", spreadOf([]float64{2.01}), atMost(2)}, "2.01 (2.01 to 2.01)", "at most 2", "**missed**"},
		{figure{"", exactly(344), atMost(344)}, "344", "at most 344", "met"},
		{figure{"", exactly(279.6), atLeast(280)}, "280", "at least 280", "**missed**"},
		{figure{"", exactly(0.0123), aim{}}, "0.0123", "-", ""},
	} {
		assert.Equal(t, tc.measure, tc.figure.String())
		assert.Equal(t, tc.aim, tc.figure.aim.String())
		assert.Equal(t, tc.verdict, tc.figure.verdict())
	}
}

// Missed aims are reported at the top, in words and together with the aim.
func TestReport_SaysPlainlyWhatIsMissed(t *testing.T) {
	text := report([]string{"a machine"}, []section{{title: "Hits", figures: []figure{
		{"a hit", exactly(1.4), atMost(1.45)}, {"another", exactly(1.5), atMost(1.45)}, {"no aim", exactly(7), aim{}},
	}, note: "A note."}})
	assert.Contains(t, text, "Measured on: a machine.")
	assert.Contains(t, text, "Of 2 aims 1 are met. Missed:\n\n- Hits: another: **1.50**, aim at most 1.45.\n")
	assert.Contains(t, text, "| another | 1.50 | at most 1.45 | **missed** |")
	assert.Contains(t, text, "| no aim | 7 | - |  |")
	assert.Contains(t, text, "A note.")
	assert.NotContains(t, text, "In one sentence", "its figures were not measured")
}

// The README states the costs as the last report does, in the same words.
func TestREADME_HasTheReportsFigures(t *testing.T) {
	text, err := os.ReadFile("../../.github/BENCHMARKS.md")
	require.NoError(t, err)
	said := regexp.MustCompile(`(?m)^> (.+)$`).FindStringSubmatch(string(text))
	require.NotNil(t, said)
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	assert.Contains(t, strings.Join(strings.Fields(string(readme)), " "), said[1])
}

// A report is complete, or it is not written.
func TestMeasureAll_WritesNoPartOfAReport(t *testing.T) {
	for name, err := range map[string]error{
		"-only":       measureAll(t.Context(), "report.md", "known", true, false),
		"-node=false": measureAll(t.Context(), "report.md", "", false, false),
		"-short":      measureAll(t.Context(), "report.md", "", true, true),
	} {
		require.ErrorContains(t, err, "a report has all parts", name)
	}
	assert.ErrorContains(t, measureAll(t.Context(), "", "(", true, false), "missing closing )")
}
