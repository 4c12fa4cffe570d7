package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// asProgram makes the test binary the program, for the tests that start servers.
const asProgram = "CERTAUTH_BENCH_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// world is a client, and a stranger who has the same names from CAs of the same names.
func world(t *testing.T, kind string) (dir string, partner, stranger material) {
	t.Helper()
	dir = t.TempDir()
	partner, err := newMaterial(t, dir, kind)
	require.NoError(t, err)
	stranger, err = newMaterial(t, t.TempDir(), kind)
	require.NoError(t, err)
	return dir, partner, stranger
}

func TestHandlers_LetInTheClientAlone(t *testing.T) {
	for _, kind := range kinds {
		dir, partner, stranger := world(t, kind)
		m, err := readMaterial(dir)
		require.NoError(t, err)
		for _, name := range []string{"bare", "control", "byhand", "certauth"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				handler, err := newHandler(name, m)
				require.NoError(t, err)
				server := httptest.NewUnstartedServer(handler)
				server.Config.ConnContext = certauth.ConnContext
				server.Start()
				defer server.Close()
				address := strings.TrimPrefix(server.URL, "http://")
				requireAnswers(t, slices.Contains(open, name), address, partner, stranger)
			})
		}
	}
}

// open are the servers that look at no certificate.
var open = []string{"bare", "control", "node", "express"}

// requireAnswers sends the client's certificate twice, so that what is remembered is asked
// too, and then what must be refused.
func requireAnswers(t *testing.T, everybody bool, address string, partner, stranger material) {
	t.Helper()
	for _, tc := range []struct {
		name   string
		header string
		known  bool
	}{
		{"the client's certificate", partner.header(), true},
		{"the client's certificate again", partner.header(), true},
		{"no certificate", "", false},
		{"a stranger's certificate", stranger.header(), false},
		{"the issuing CA's certificate", material{leaf: partner.issuing}.header(), false},
		{"what is no certificate", "bm8gY2VydGlmaWNhdGU=", false},
	} {
		c, err := dial(t.Context(), address, 1, requestText(tc.header))
		require.NoError(t, err)
		status, err := c.conns[0].exchange(c.request)
		c.close()
		require.NoError(t, err, tc.name)
		if tc.known || everybody {
			assert.Equal(t, http.StatusOK, status, tc.name)
		} else {
			assert.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, status, tc.name)
		}
	}
}

func TestNewHandler_UnknownNameIsAnError(t *testing.T) {
	_, err := newHandler("nobody", material{})
	assert.ErrorContains(t, err, `no Go server "nobody"`)
}

func TestSend_SendsExactlyTheRequestsAndChecksEachStatus(t *testing.T) {
	seen := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RemoteAddr
		if len(seen) == 50 {
			w.WriteHeader(http.StatusTeapot)
		}
		w.Write([]byte("body"))
	}))
	defer server.Close()
	c, err := dial(t.Context(), strings.TrimPrefix(server.URL, "http://"), 4, requestText("text"))
	require.NoError(t, err)
	defer c.close()

	require.NoError(t, c.send(30))
	require.Len(t, seen, 30)
	require.NoError(t, c.send(19))
	require.ErrorContains(t, c.send(1), "status 418, want 200")
	close(seen)
	peers := map[string]int{}
	for peer := range seen {
		peers[peer]++
	}
	assert.Len(t, peers, 4, "connections are kept")
}

func TestParseStat(t *testing.T) {
	// proc(5): field 14 is utime, 15 is stime; field 2 is the name in parentheses.
	const rest = " S 1 2 3 4 5 6 7 8 9 10 250 17 0 0 20 0 1 0 100"
	for _, tc := range []struct {
		name, stat string
		want       time.Duration
		err        string
	}{
		{"user and system time are added", "77 (bench)" + rest, 2670 * time.Millisecond, ""},
		{"a name may hold blanks and parentheses", "77 (a) S 9 (b)" + rest, 2670 * time.Millisecond, ""},
		{"a line that ends early is an error", "77 (bench) S 1 2 3", 0, "want 13 or more"},
		{"no number is an error", "77 (bench)" + strings.Replace(rest, "250", "x", 1), 0, "invalid syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parseStat(tc.stat)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestFirstTwo(t *testing.T) {
	for list, want := range map[string][]string{
		"0-1": {"0", "1"}, "3,7": {"3", "7"}, "2-2,5-9": {"2", "5"}, "0-63": {"0", "1"}, "4": nil, "": nil, "a-b": nil,
	} {
		first, second, found := firstTwo(list)
		require.Equal(t, want != nil, found, list)
		if found {
			assert.Equal(t, want, []string{first, second}, list)
		}
	}
}

func TestRatio_IsTheMedianOverRoundsNotTheRatioOfMedians(t *testing.T) {
	us := func(values ...int) (s []sample) {
		for _, v := range values {
			s = append(s, sample{cpu: time.Duration(v) * time.Microsecond})
		}
		return s
	}
	mid, low, high := ratio(us(20, 90, 40), us(10, 30, 40)) // 2, 3, 1
	assert.Equal(t, []float64{2, 1, 3}, []float64{mid, low, high})
	mid, _, _ = ratio(us(10, 40), us(10, 10))
	assert.InDelta(t, 2.5, mid, 1e-9, "between the two in the middle")
}

func TestReport_SaysWhichTargetIsMissed(t *testing.T) {
	at := func(us float64) []sample { return []sample{{cpu: time.Duration(us * 1000)}} }
	out := plan{contestants: []contestant{contestants[0], contestants[2], contestants[3]}, kinds: []string{"p256"}}.report(results{"p256": {
		"bare": at(100), "certauth": at(106), "byhand": at(800), "node-cca": at(1060),
	}})
	assert.Contains(t, out, "| byhand | Go by hand: parse, dates, key pin, chain, DNS name | 8.00 (8.00 to 8.00) | 800.0 | 0 |")
	assert.Contains(t, out, "bare handler | 1.06 | at most 1.05 (missed) |")
	assert.Contains(t, out, "node http, in relation to ours | 10 | at least 10 |")
	assert.NotContains(t, out, "Express, in relation", "a server that did not run has no row")
}

// One small round through real processes: that the comparison runs and that each server
// tells callers apart, not how fast it is.
func TestComparison_EveryServerTellsCallersApart(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time is read from /proc, which is Linux's")
	}
	nodeDir := nodeServers(t)
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(asProgram, "1")
	start := starterOn("", self, nodeDir)
	chosen := contestants
	if nodeDir == "" {
		chosen = goOnly(contestants)
	}
	dir, partner, stranger := world(t, "p256")
	p := plan{rounds: 1, requests: 200, connections: 4, contestants: chosen, kinds: []string{"p256"}}
	samples, err := p.measure(t.Context(), start, dir, partner)
	require.NoError(t, err)
	for _, c := range chosen {
		assert.Len(t, samples[c.name], 1, c.name)
		t.Run(c.name, func(t *testing.T) {
			server, err := start(t.Context(), c, dir)
			require.NoError(t, err)
			requireAnswers(t, slices.Contains(open, c.name), server.address, partner, stranger)
			require.NoError(t, server.stop(), "a server ends when its standard input does")
		})
	}
}

// nodeServers returns a folder with the servers for node and their packages: a copy, filled
// from the registry, where CERTAUTH_REQUIRE_REAL is set; else ./node if somebody filled it.
// An empty one says that only the Go servers are compared.
func nodeServers(t *testing.T) string {
	t.Helper()
	if os.Getenv("CERTAUTH_REQUIRE_REAL") == "" {
		_, err := os.Stat(filepath.Join("node", "node_modules"))
		if _, missing := exec.LookPath("node"); err != nil || missing != nil {
			t.Run("servers for node", func(t *testing.T) {
				t.Skip("no node, or no packages below ./node (npm install there); CERTAUTH_REQUIRE_REAL=1 asks for both")
			})
			return ""
		}
		return "node"
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", ".npmrc", "server.mjs"} {
		text, err := os.ReadFile(filepath.Join("node", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	versions, err := nodeVersions(t.Context(), dir)
	require.NoError(t, err)
	t.Log(versions)
	return dir
}
