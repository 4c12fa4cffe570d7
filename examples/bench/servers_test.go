package main

import (
	"errors"
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

// asProgram makes the test binary act as the program, for tests that start servers.
const asProgram = "CERTAUTH_BENCH_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// parties returns a client, and a stranger with the same names from CAs with the same names.
func parties(t *testing.T, kind string) (dir string, partner, stranger material) {
	t.Helper()
	dir = t.TempDir()
	partner, _, err := newMaterial(dir, kind)
	require.NoError(t, err)
	stranger, _, err = newMaterial(t.TempDir(), kind)
	require.NoError(t, err)
	return dir, partner, stranger
}

func TestHandlers_LetInTheClientAlone(t *testing.T) {
	for _, kind := range kinds {
		dir, partner, stranger := parties(t, kind)
		m, err := readMaterial(dir)
		require.NoError(t, err)
		for _, name := range []string{"bare", "control", "byhand", "floor", "certauth"} {
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

// open lists the servers that check no certificate.
var open = []string{"bare", "control", "node", "express"}

// requireAnswers sends the client's certificate twice, to include the remembered result, and then
// certificates that must be refused.
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

// The processor time of another process is read by its number, like that of this one.
func TestCPUTime_OfAnyProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("processor time is read by a clock that Linux has")
	}
	first, err := cpuTime(0)
	require.NoError(t, err)
	spin()
	byNumber, err := cpuTime(os.Getpid())
	require.NoError(t, err)
	last, err := cpuTime(0)
	require.NoError(t, err)
	assert.Greater(t, byNumber, first)
	assert.GreaterOrEqual(t, last, byNumber)

	h := testHost(t, "")
	dir, _, _ := parties(t, "p256")
	server, err := h.on("", 0)(t.Context(), contestants[0], dir)
	require.NoError(t, err)
	of, err := cpuTime(server.cmd.Process.Pid)
	require.NoError(t, err)
	assert.Positive(t, of)
	require.NoError(t, server.stop())
	_, err = cpuTime(server.cmd.Process.Pid)
	assert.Error(t, err, "it has ended")
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

// One small round with real processes: it checks that the comparison runs and that each server
// distinguishes callers, not how fast it is.
func TestEndToEnd_EveryServerTellsCallersApart(t *testing.T) {
	h := testHost(t, nodeServers(t))
	chosen := contestants
	if h.nodeDir == "" {
		chosen = goOnly(contestants)
	}
	p := plan{rounds: 1, requests: 200, connections: 4, contestants: chosen}
	dir, partner, stranger := parties(t, "p256")
	rounds, err := p.measure(t.Context(), h.on("", 0), dir, partner)
	require.NoError(t, err)
	require.Len(t, rounds, 1)
	for _, c := range chosen {
		assert.Positive(t, rounds[0][c.name], c.name)
		t.Run(c.name, func(t *testing.T) {
			server, err := h.on("", 0)(t.Context(), c, dir)
			require.NoError(t, err)
			requireAnswers(t, slices.Contains(open, c.name), server.address, partner, stranger)
			require.NoError(t, server.stop(), "a server ends when its standard input does")
		})
	}
	judged := 0
	for _, f := range p.figuresOf(rounds) {
		if f.aim.set() {
			judged++
		}
	}
	assert.Equal(t, map[bool]int{true: 4, false: 1}[h.nodeDir != ""], judged)
}

// A tiny flood: every certificate in it is one that the server accepts and has not seen before.
func TestFlood_SendsEachCertificateOnce(t *testing.T) {
	h := testHost(t, "")
	p := floodPlan{rounds: 1, window: 20 * time.Millisecond, connections: 2, pool: 3000}
	for _, processors := range []int{1, 2} {
		s, err := flood(t.Context(), h, processors, p)
		if errors.Is(err, errPoolEmpty) {
			t.Skip("so fast a machine needs more certificates")
		}
		require.NoError(t, err)
		assert.Positive(t, s.figures[0].mid)
	}
}

// testHost starts servers from the test's own program.
func testHost(t *testing.T, nodeDir string) *host {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processor time is read by a clock that Linux has")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(asProgram, "1")
	return &host{self: self, nodeDir: nodeDir}
}

// nodeServers returns a folder with the servers for node and their packages: a copy that is filled
// from the registry if CERTAUTH_REQUIRE_REAL is set, and otherwise ./node if it was filled. If the
// result is empty, only the Go servers are compared.
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
