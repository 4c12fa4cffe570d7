//go:build linux

package revocation_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// responder is "openssl ocsp" as a server. It answers one request at a time, and never again after
// a connection that was closed without a request: it cannot be probed by dialing, and a front
// prevents such connections.
type responder struct {
	log   string
	front *front
}

// serve starts a responder for the CA whose certificate and index have these names, with a front on
// the port.
func (o *openssl) serve(t *testing.T, port int, ca, signer string, arguments ...string) *responder {
	t.Helper()
	behind := strconv.Itoa(port + 1000)
	r := &responder{log: filepath.Join(o.folder, behind+".log")}
	log, err := os.Create(r.log)
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), o.path, append([]string{
		"ocsp", "-port", behind, "-ignore_err", "-index", ca + ".txt", "-CA", ca + ".pem", "-rsigner", signer + ".pem", "-rkey", signer + ".key",
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
		<-ended // the test's context has ended
		if t.Failed() {
			t.Logf("openssl says behind port %d:\n%s", port, r.read(t))
		}
	})
	ready := eventually(t, ended, func() bool { return strings.Contains(r.read(t), "waiting for OCSP client connections") })
	require.True(t, ready, "openssl does not listen: %s", r.read(t))
	r.front = startFront(t, port, net.JoinHostPort("127.0.0.1", behind))
	return r
}

// front is between the Checker and openssl. When the machine stalls, the Checker gives up and
// closes its connection; openssl would accept that connection and answer nothing more. Therefore
// openssl sees a connection only after a whole request has arrived, and that connection stays open
// until the answer. Both are passed on byte by byte. Connections are served one at a time, in
// order, as openssl does.
type front struct {
	listener net.Listener
	behind   string
}

func startFront(t *testing.T, port int, behind string) *front {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	require.NoError(t, err)
	f := &front{listener: listener, behind: behind}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer listener.Close() // so that nothing waits for an openssl that no longer answers
		for {
			conn, err := listener.Accept()
			if err != nil || !f.pass(t, conn) {
				return
			}
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return f
}

// pass serves a connection. A client that closes it without a whole request gets nothing; one that
// does not wait for the answer does not prevent openssl from giving it. pass returns false if
// openssl does not answer.
func (f *front) pass(t *testing.T, conn net.Conn) bool {
	t.Helper()
	defer conn.Close()
	request, err := readRequest(conn)
	if err != nil {
		return true
	}
	answer, err := f.ask(request)
	if err != nil {
		return assert.NoError(t, err, "openssl does not answer")
	}
	send(conn, string(answer))
	return true
}

// readRequest returns a request unchanged.
func readRequest(conn net.Conn) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(unhurried)); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &text)))
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, request.Body)
	return text.Bytes(), err
}

// ask lets openssl answer, which then closes the connection.
func (f *front) ask(request []byte) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", f.behind, unhurried)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(unhurried)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	return io.ReadAll(conn)
}

// settle waits until every request that has arrived is answered, even if its client has given up:
// our own connection is served after all earlier ones.
func (f *front) settle(t *testing.T) {
	t.Helper()
	conn, err := net.Dial("tcp", f.listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func (r *responder) read(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(r.log)
	require.NoError(t, err)
	return string(text)
}

// requests returns the first lines of the HTTP requests that arrived.
func (r *responder) requests(t *testing.T) []string {
	t.Helper()
	r.front.settle(t)
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
