package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// printed is the output of the program, which another goroutine can read.
type printed struct {
	mutex sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (p *printed) Write(b []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if bytes.Contains(b, []byte("Stop with Ctrl-C")) {
		defer p.once.Do(func() { close(p.ready) })
	}
	return p.text.Write(b)
}

func (p *printed) String() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.text.String()
}

// finding N8: a local setup required compiling InsecureOutsideAppService in, and making a test PKI
// by hand. One command runs the service unchanged, and the lines that it prints are correct.
func TestLocal_ThePrintedCommandsAnswerAsPrinted(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	ctx, stop := context.WithCancel(t.Context())
	out, log, done := &printed{ready: make(chan struct{})}, &printed{ready: make(chan struct{})}, make(chan struct{})
	t.Run("while it runs", func(t *testing.T) {
		go func() {
			defer close(done)
			run(ctx, &caller{t: t}, out, log, nil)
		}()
		t.Cleanup(func() { // before the cleanups of run
			stop()
			<-done
		})
		select {
		case <-out.ready:
		case <-done:
			require.Fail(t, "it ended", out.String()+log.String())
		}
		_, err := exec.LookPath("curl")
		rows := rowsOf(t, out.String())
		require.Len(t, rows, 7)
		for _, row := range rows {
			assert.Equal(t, row.status, ask(t, row.line), row.line)
			if err == nil {
				answer, err := exec.CommandContext(t.Context(), "sh", "-c", row.line).CombinedOutput()
				require.NoError(t, err, "%s\n%s", row.line, answer)
				assert.Contains(t, string(answer), " "+strconv.Itoa(row.status)+" ", row.line)
			}
		}
		for _, reason := range []string{"chain_untrusted", "certificate_missing", "source_untrusted", "warm-up request"} {
			assert.Contains(t, log.String(), reason, "the service's own log says why")
		}
	})
	for _, file := range files(out.String()) {
		assert.NoFileExists(t, file)
	}
}

func TestLocal_AServiceThatEndsIsReported(t *testing.T) {
	if _, err := exec.LookPath("false"); err != nil {
		t.Skip("needs the command false")
	}
	tb := &caller{t: t}
	ended := make(chan struct{})
	go func() { // Fatalf ends the goroutine
		defer close(ended)
		run(t.Context(), tb, io.Discard, io.Discard, []string{"false"})
	}()
	<-ended
	assert.Contains(t, tb.failed, "the service ended before it listened on $PORT")
}

// caller is a certauthtest.TB whose failures can be examined.
type caller struct {
	t      *testing.T
	failed string
}

func (c *caller) Helper()          {}
func (c *caller) Cleanup(f func()) { c.t.Cleanup(f) }

func (c *caller) Fatalf(format string, args ...any) {
	c.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

type row struct {
	status int
	line   string
}

func rowsOf(t *testing.T, text string) (rows []row) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(?m)^.+: (\d{3})\n(curl .+)$`).FindAllStringSubmatch(text, -1) {
		status, err := strconv.Atoi(match[1])
		require.NoError(t, err)
		rows = append(rows, row{status, match[2]})
	}
	return rows
}

var quotedFile = regexp.MustCompile(`"@?([^"]+)"`)

func files(text string) (list []string) {
	for _, match := range quotedFile.FindAllStringSubmatch(text, -1) {
		list = append(list, match[1])
	}
	return list
}

// ask sends the request in the line, for machines without curl.
func ask(t *testing.T, line string) int {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	fields := strings.Fields(line)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fields[len(fields)-1], http.NoBody)
	require.NoError(t, err)
	for i, field := range fields {
		if i == 0 || !strings.HasPrefix(fields[i-1], "-") || !strings.HasPrefix(field, `"`) {
			continue
		}
		content, err := os.ReadFile(strings.TrimPrefix(strings.Trim(field, `"`), "@"))
		require.NoError(t, err)
		switch fields[i-1] {
		case "--cacert":
			config.RootCAs = x509.NewCertPool()
			require.True(t, config.RootCAs.AppendCertsFromPEM(content))
		case "--cert":
			pair, err := tls.X509KeyPair(content, content)
			require.NoError(t, err)
			config.Certificates = []tls.Certificate{pair}
		case "-H":
			name, value, found := strings.Cut(strings.TrimSpace(string(content)), ": ")
			require.True(t, found)
			r.Header.Set(name, value)
		default:
			require.Fail(t, "an option that this test does not know", line)
		}
	}
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
