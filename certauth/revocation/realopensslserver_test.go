//go:build linux

package revocation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// responder is "openssl ocsp" as a server. It answers one request at a time, and not at all
// after a connection that was closed without a request: whether it is there cannot be asked
// by dialing.
type responder struct{ log string }

// serve starts a responder for the CA whose certificate and index have these names.
func (o *openssl) serve(t *testing.T, port int, ca, signer string, arguments ...string) *responder {
	t.Helper()
	r := &responder{log: filepath.Join(o.folder, strconv.Itoa(port)+".log")}
	log, err := os.Create(r.log)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), o.path, append([]string{
		"ocsp", "-port", strconv.Itoa(port), "-ignore_err", "-index", ca + ".txt", "-CA", ca + ".pem", "-rsigner", signer + ".pem", "-rkey", signer + ".key",
	}, arguments...)...)
	command.Dir, command.Stdout, command.Stderr = o.folder, log, log
	require.NoError(t, command.Start())
	require.NoError(t, log.Close())
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		<-ended // the test's context is over
		if t.Failed() {
			t.Logf("openssl says on port %d:\n%s", port, r.read(t))
		}
	})
	ready := eventually(t, ended, func() bool { return strings.Contains(r.read(t), "waiting for OCSP client connections") })
	require.True(t, ready, "openssl does not listen: %s", r.read(t))
	return r
}

func (r *responder) read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(r.log)
	require.NoError(t, err)
	return string(text)
}

// requests are the first lines of the HTTP requests that came in.
func (r *responder) requests(t *testing.T) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(r.read(t)) {
		if _, first, ok := strings.Cut(line, "1st line: "); ok {
			lines = append(lines, strings.TrimSpace(first))
		}
	}
	return lines
}

func methods(requests []string) []string {
	var list []string
	for _, line := range requests {
		method, _, _ := strings.Cut(line, " ")
		list = append(list, method)
	}
	return list
}
