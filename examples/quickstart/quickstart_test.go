package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func TestQuickstart_EveryRowIsAsWanted(t *testing.T) {
	var out bytes.Buffer
	wrong := quickstart(t.Context(), t, &out)
	assert.Zero(t, wrong, out.String())
	assert.Contains(t, out.String(), "27 of 27 rows are as wanted")
	assert.Contains(t, out.String(), "All 17 refusals with 401 have the same body")
	assert.Contains(t, out.String(), "4 of 4 rows are as wanted")
	assert.NotContains(t, out.String(), "WRONG")
}

func TestPlayOwn_ABrokenExpectationIsReported(t *testing.T) {
	rows := newCaller(t.Context(), t).rows(t)[:1]
	rows[0].want = "nobody"
	var out bytes.Buffer
	assert.Equal(t, 1, playOwn(t.Context(), t, &out, rows))
	assert.Regexp(t, `(?m)^WRONG +1 `, out.String())
}

// Traffic that cannot fail proves nothing.
func TestUnderTraffic_ACallThatFailsIsReported(t *testing.T) {
	c := newCaller(t.Context(), t)
	got := c.underTraffic(t.Context(), func() { assert.NoError(t, c.own.Close()) })
	assert.Equal(t, string(outbound.ReasonClosed), got)
}

// Reports about the configuration's own certificates do not concern the last request.
func TestJournal_KeepsWhatIsAboutARequest(t *testing.T) {
	j := &journal{}
	refused := certauth.Event{Outcome: certauth.OutcomeDenied, Err: &certauth.Error{Reason: certauth.ReasonNameNotAllowed}, Method: "GET"}
	j.observe(t.Context(), refused)
	for _, about := range []certauth.Outcome{"reloaded", "kept", "expiring", "unchained"} {
		j.observe(t.Context(), certauth.Event{Outcome: about})
	}
	reason, _ := j.entry()
	assert.Equal(t, certauth.ReasonNameNotAllowed, reason)
}

// A checker that cannot fail proves nothing.
func TestPlay_ABrokenExpectationIsReported(t *testing.T) {
	w := newWorld(t, nil)
	for _, tc := range []struct {
		name   string
		broken func(*outcome)
	}{
		{"a status that does not come", func(o *outcome) { o.status = http.StatusOK }},
		{"a reason that does not come", func(o *outcome) { o.reason = certauth.ReasonCertificateExpired }},
		{"a caller who is nobody", func(o *outcome) { o.who = "orders (partner)" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows := w.rows()[2:4]
			tc.broken(&rows[1].want)
			var out bytes.Buffer
			wrong := play(t.Context(), t, &out, w, rows)
			assert.Equal(t, 1, wrong)
			assert.Regexp(t, `(?m)^ok +1 `, out.String())
			assert.Regexp(t, `(?m)^WRONG +2 `, out.String())
			assert.Contains(t, out.String(), "1 of 2 rows are as wanted")
			assert.Contains(t, out.String(), "Row 2 is WRONG: want "+rows[1].want.String())
		})
	}
}

func TestPrintBodies_OneDifferentByteIsReported(t *testing.T) {
	refused := func(body string) result {
		return result{got: outcome{status: http.StatusUnauthorized}, body: []byte(body)}
	}
	assert.True(t, printBodies(t, io.Discard, []result{refused("no\n"), refused("no\n")}))
	var out bytes.Buffer
	assert.False(t, printBodies(t, &out, []result{refused("no\n"), refused("no")}))
	assert.Contains(t, out.String(), "WRONG")
}

// The acceptance of a caller without evidence is reported to the operator, with the reason; a
// caller that is refused for the same reason is not reported as accepted.
func TestRows_AcceptanceWithoutEvidenceIsLogged(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	const accepted = "revocation: accepted without evidence"
	got, _ := w.send(t.Context(), t, call{certificate: w.certs.unanswered})
	assert.Equal(t, outcome{status: http.StatusUnauthorized, reason: certauth.ReasonRevocationUnavailable}, got)
	assert.NotContains(t, log.String(), accepted)
	got, _ = w.send(t.Context(), t, call{certificate: w.certs.board})
	assert.Equal(t, outcome{status: http.StatusOK, who: "board (board), unchecked"}, got)
	assert.Regexp(t, `level=WARN msg="`+accepted+`" depth=0 error=".*503`, log.String())
}

// An answer that does not verify is not just another outage.
func TestRows_ForgedAnswerIsLoggedAsSuch(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, slog.New(slog.NewTextHandler(&log, nil)))
	got, _ := w.send(t.Context(), t, call{certificate: w.certs.forged})
	assert.Equal(t, outcome{status: http.StatusUnauthorized, reason: certauth.ReasonRevocationUnavailable}, got)
	assert.Regexp(t, `level=ERROR msg="revocation: evidence does not verify.* error=".*bad signature`, log.String())
}

// As cases.go says about a caller that reaches the service directly.
func TestRows_ForgedEvidenceWithOneHeaderLineIsLetIn(t *testing.T) {
	w := newWorld(t, nil)
	for _, r := range w.rows() {
		if !r.call.direct || len(r.call.header.Values(clientCertHeader)) != 2 {
			continue
		}
		r.call.header.Set(clientCertHeader, w.certs.orders.Base64())
		got, _ := w.send(t.Context(), t, r.call)
		assert.Equal(t, outcome{status: http.StatusOK, who: "orders (partner)"}, got)
		return
	}
	t.Fatal("no row sends the header twice")
}

var inQuotes = regexp.MustCompile(`"@?([^"]+)"`)

func TestServe_CommandsNamePrivateFilesThatGoAtTheEnd(t *testing.T) {
	var files []string
	t.Run("while it serves", func(t *testing.T) {
		statuses, lines := served(t)
		require.Len(t, lines, 5)
		for _, line := range lines {
			for _, match := range inQuotes.FindAllStringSubmatch(line, -1) {
				files = append(files, match[1])
			}
		}
		require.Len(t, files, 8)
		for _, file := range files {
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.NotZero(t, info.Size())
			if runtime.GOOS != "windows" { // Windows has no such modes
				assert.Equal(t, os.FileMode(0o600), info.Mode(), file)
			}
		}
		if _, err := exec.LookPath("curl"); err != nil || runtime.GOOS == "windows" {
			t.Skip("needs curl and a POSIX shell")
		}
		for i, line := range lines {
			answer, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
			require.NoError(t, err, "%s\n%s", line, answer)
			assert.Equal(t, statuses[i], statusOf(string(answer)), "%s\n%s", line, answer)
		}
	})
	require.NotEmpty(t, files)
	for _, file := range files {
		assert.NoDirExists(t, filepath.Dir(file))
	}
}

// served runs serve until it has printed everything. What it started continues until the end of the
// test, when the cleanups run.
func served(t *testing.T) (statuses []int, lines []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	serve(ctx, t, &out, io.Discard)
	status := 0
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "curl ") {
			statuses, lines = append(statuses, status), append(lines, line)
		}
		status, _ = strconv.Atoi(line[strings.LastIndex(line, " ")+1:])
	}
	return statuses, lines
}

func statusOf(answer string) int {
	_, rest, _ := strings.Cut(answer, " ")
	status, _ := strconv.Atoi(rest[:min(3, len(rest))])
	return status
}

// The program ends in a separate process, in which its end can be observed.
func TestProgram_FatalfCleansUpAndExits1(t *testing.T) {
	const variable = "QUICKSTART_TEST_FATALF"
	if os.Getenv(variable) != "" {
		p := &program{}
		p.Cleanup(func() { _, _ = os.Stdout.WriteString("first in, last out\n") })
		p.Cleanup(func() { p.Fatalf("a cleanup can fail too") })
		p.Fatalf("the reason is %s", "here")
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), variable+"=1")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdout, err := command.Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Equal(t, "first in, last out\n", string(stdout))
	assert.Equal(t, "quickstart: the reason is here\nquickstart: a cleanup can fail too\n", stderr.String())
}
