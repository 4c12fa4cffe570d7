//go:build unix

package outbound_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// unavailable skips the test. In CI, where the test must run, it fails instead.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
		t.Fatalf("CERTAUTH_REQUIRE_REAL=1: "+format, args...)
	}
	t.Skipf(format, args...)
}

// program finds a program, including the servers that Debian does not put on PATH.
func program(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/sbin/" + name, "/usr/lib/postgresql/*/bin/" + name} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	unavailable(t, "no %s on this machine", name)
	return ""
}

// server is a program that listens for TLS on loopback.
type server struct {
	address string
	input   io.Writer
	output  *records
	exited  chan struct{}
}

// freePort returns a port on which nothing listens, below those that systems assign to outgoing connections.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := rand.IntN(10_000) + 22_000
		if listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			require.NoError(t, listener.Close())
			return port
		}
	}
}

// start runs a program until the end of the test, and waits until it listens on the port in its arguments. As root, it
// runs the program as the given user, if there is one. Only the program can take its port, so another process may be
// faster; in that case the program is started again with another port.
func start(t *testing.T, as string, path string, args func(port int) []string) *server {
	t.Helper()
	var s *server
	for range 5 {
		port := freePort(t)
		if s = launch(t, port, as, path, args(port)...); s.listens(t) {
			return s
		}
	}
	require.Fail(t, "it has ended", "%s", s.output.text())
	return nil
}

func launch(t *testing.T, port int, as string, path string, args ...string) *server {
	t.Helper()
	s := &server{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), output: &records{}, exited: make(chan struct{})}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Stdout, command.Stderr = s.output, s.output
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, as)}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	command.WaitDelay = 10 * time.Second
	input, err := command.StdinPipe()
	require.NoError(t, err)
	s.input = input
	require.NoError(t, command.Start())
	go func() {
		defer close(s.exited)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGINT)
		select {
		case <-s.exited:
		case <-time.After(10 * time.Second):
			_ = command.Process.Kill()
			<-s.exited
		}
		if t.Failed() {
			t.Log(s.output.text())
		}
	})
	return s
}

// listens waits until the program answers or has ended. Another process that has taken the port also answers, so the
// program is given time to detect that and end.
func (s *server) listens(t *testing.T) bool {
	t.Helper()
	ended := false
	eventually(t, func() bool {
		select {
		case <-s.exited:
			ended = true
			return true
		case <-time.After(50 * time.Millisecond):
		}
		conn, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return !ended
}

func credential(t *testing.T, as string) *syscall.Credential {
	t.Helper()
	if as == "" || os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup(as)
	if err != nil {
		unavailable(t, "no user %s on this machine", as)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// serverFiles writes the files that the programs need.
func (w *world) serverFiles(t *testing.T) (cert, key, clients string) {
	t.Helper()
	leaf := w.serverCertificate(t)
	write(t, w.path("server.crt"), certPEM(leaf.Certificate))
	write(t, w.path("server.key"), keyPEM(t, leaf.Key))
	write(t, w.path("clients.pem"), w.clients.PEM())
	return w.path("server.crt"), w.path("server.key"), w.path("clients.pem")
}

// rotates visits a server with one certificate and, after a rotation, with another one. The visit returns what the server
// says about the caller. Finally a certificate of another CA is refused, for one of the reasons.
func (w *world) rotates(t *testing.T, own *outbound.Certificate, visit func() (string, error), callerOf func(*certauthtest.Certificate) string, reasons ...outbound.Reason) {
	t.Helper()
	for range 3 {
		leaf := w.put(t, "orders")
		require.NoError(t, own.Reload(t.Context()))
		said, err := visit()
		require.NoError(t, err)
		assert.Contains(t, said, callerOf(leaf))
		presented := w.journal.of(outbound.OutcomePresented)
		require.NotEmpty(t, presented)
		assert.Equal(t, fingerprint(leaf.Certificate), presented[len(presented)-1].Fingerprint)
	}
	stranger := certauthtest.NewCA(t, "Stranger")
	replace(t, w.path("tls.pem"), bundle(t, issue(t, stranger, "orders")))
	require.NoError(t, own.Reload(t.Context()))
	said, err := visit()
	if len(reasons) == 0 { // the refusal is an HTTP response
		require.NoError(t, err)
		assert.NotContains(t, said, "orders")
		return
	}
	require.Error(t, err, said)
	e, ok := errors.AsType[*outbound.Error](outbound.Explain(err))
	require.True(t, ok, "%v", err)
	assert.Contains(t, reasons, e.Reason)
}

func TestReal_OpensslServer(t *testing.T) {
	path := program(t, "openssl")
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t)
			w.put(t, "orders")
			cert, key, clients := w.serverFiles(t)
			s := start(t, "", path, func(port int) []string {
				return []string{"s_server", "-accept", strconv.Itoa(port), "-cert", cert, "-key", key, "-CAfile", clients, "-Verify", "2", "-verify_return_error", "-www", version}
			})
			own := open(t, w.config())
			c := client(t, own, nil)
			w.rotates(t, own, func() (string, error) {
				body, _, err := get(t, c, "https://"+s.address+"/")
				return strings.ReplaceAll(strings.ToUpper(body), ":", ""), err
			}, serialBytes, outbound.ReasonRefusedUnknownCA)
		})
	}
}

// serialBytes returns the serial number in whole bytes, as openssl prints it.
func serialBytes(leaf *certauthtest.Certificate) string {
	return fmt.Sprintf("%X", leaf.SerialNumber.Bytes())
}

// App Service with exclusion paths requests the certificate after the handshake.
func TestReal_OpensslRenegotiates(t *testing.T) {
	path := program(t, "openssl")
	w := newWorld(t)
	leaf := w.put(t, "orders")
	cert, key, clients := w.serverFiles(t)
	s := start(t, "", path, func(port int) []string {
		return []string{"s_server", "-accept", strconv.Itoa(port), "-cert", cert, "-key", key, "-CAfile", clients, "-tls1_2", "-verify_return_error"}
	})
	for _, once := range []bool{true, false} {
		t.Run(fmt.Sprint(once), func(t *testing.T) {
			config := w.config()
			config.RenegotiateOnce = once
			own := open(t, config)
			before := len(w.journal.of(outbound.OutcomePresented))
			conn, err := tls.Dial("tcp", s.address, own.TLSConfig("127.0.0.1"))
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(unhurried)))
			assert.Equal(t, uint16(tls.VersionTLS12), conn.ConnectionState().Version)
			assert.Len(t, w.journal.of(outbound.OutcomePresented), before, "no server has requested it yet")
			lines := make(chan string, 1)
			go func() {
				line, err := bufio.NewReader(conn).ReadString('\n')
				lines <- fmt.Sprint(line, err)
			}()
			_, err = io.WriteString(s.input, "R\n") // renegotiate and ask for a certificate
			require.NoError(t, err)
			if !once {
				assert.Contains(t, <-lines, "no renegotiation")
				return
			}
			eventually(t, func() bool { return len(w.journal.of(outbound.OutcomePresented)) > before })
			_, err = io.WriteString(s.input, "hello\n")
			require.NoError(t, err)
			assert.Equal(t, "hello\n<nil>", <-lines)
			presented := w.journal.of(outbound.OutcomePresented)
			assert.Equal(t, fingerprint(leaf.Certificate), presented[before].Fingerprint)
		})
	}
}

func TestReal_Nginx(t *testing.T) {
	path := program(t, "nginx")
	w := newWorld(t)
	w.put(t, "orders")
	cert, key, clients := w.serverFiles(t)
	s := start(t, "", path, func(port int) []string {
		write(t, w.path("nginx.conf"), fmt.Appendf(nil, `daemon off; pid %[1]s/nginx.pid; error_log stderr warn; worker_processes 1;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]d ssl http2;
		ssl_certificate %[3]s; ssl_certificate_key %[4]s;
		ssl_client_certificate %[5]s; ssl_verify_client on;
		location / { return 200 "$ssl_client_verify $ssl_client_s_dn $ssl_client_serial $server_protocol"; }
	}
}
`, w.folder, port, cert, key, clients))
		return []string{"-c", w.path("nginx.conf"), "-e", "stderr"}
	})
	for _, tc := range []struct {
		proto string
		base  *http.Transport
	}{{"HTTP/1.1", http1()}, {"HTTP/2.0", nil}} {
		t.Run(tc.proto, func(t *testing.T) {
			w.put(t, "orders")
			own := open(t, w.config())
			c := client(t, own, tc.base)
			w.rotates(t, own, func() (string, error) {
				body, response, err := get(t, c, "https://"+s.address+"/")
				if err == nil && response.StatusCode == http.StatusOK {
					assert.Contains(t, body, tc.proto)
				}
				return body, err
			}, func(leaf *certauthtest.Certificate) string {
				return "SUCCESS CN=orders,O=certauthtest " + serialBytes(leaf)
			})
		})
	}
}

func TestReal_PostgreSQL(t *testing.T) {
	initdb, postgres := program(t, "initdb"), program(t, "postgres")
	w := newWorld(t)
	w.put(t, "orders")
	cert, key, clients := w.serverFiles(t)
	data := w.path("data")
	require.NoError(t, os.Mkdir(data, 0o700))
	hba := w.path("pg_hba.conf")
	write(t, hba, []byte("hostssl all all 127.0.0.1/32 cert clientcert=verify-full\n"))
	const as = "postgres"
	if who := credential(t, as); who != nil {
		openTo(t, w.folder)
		for _, name := range []string{data, key, cert, clients, hba} {
			require.NoError(t, os.Chown(name, int(who.Uid), int(who.Gid)))
		}
	}
	command := exec.CommandContext(t.Context(), initdb, "-D", data, "-U", "orders", "-A", "trust", "-N", "-E", "UTF8", "--no-locale")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, as)}
	said, err := command.CombinedOutput()
	require.NoError(t, err, "%s", said)
	s := start(t, as, postgres, func(port int) []string {
		args := []string{"-D", data}
		for name, value := range map[string]string{
			"port": strconv.Itoa(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "hba_file": hba, "fsync": "off",
			"ssl": "on", "ssl_cert_file": cert, "ssl_key_file": key, "ssl_ca_file": clients,
		} {
			args = append(args, "-c", name+"="+value)
		}
		return args
	})
	own := open(t, w.config())
	eventually(t, func() bool { // it listens before it is ready
		_, err := askPostgres(s.address, own.TLSConfig("127.0.0.1"), "orders")
		return err == nil || !strings.Contains(err.Error(), "57P03")
	})
	w.rotates(t, own, func() (string, error) { return askPostgres(s.address, own.TLSConfig("127.0.0.1"), "orders") },
		func(leaf *certauthtest.Certificate) string { return leaf.SerialNumber.String() }, outbound.ReasonRefusedUnknownCA)
	w.put(t, "billing")
	require.NoError(t, own.Reload(t.Context()))
	_, err = askPostgres(s.address, own.TLSConfig("127.0.0.1"), "orders")
	assert.ErrorContains(t, err, "28000", "verify-full: the name in the certificate is the user's")
}

// openTo gives other users access to a folder of the test.
func openTo(t *testing.T, folder string) {
	t.Helper()
	for ; folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o755))
	}
}

// askPostgres makes a connection according to the frontend/backend protocol 3.0 and queries the serial number of the
// certificate that the server sees.
func askPostgres(address string, config *tls.Config, role string) (string, error) {
	plain, err := net.DialTimeout("tcp", address, unhurried)
	if err != nil {
		return "", err
	}
	defer plain.Close()
	if err := plain.SetDeadline(time.Now().Add(unhurried)); err != nil {
		return "", err
	}
	if _, err := plain.Write([]byte{0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F}); err != nil { // SSLRequest
		return "", err
	}
	var answer [1]byte
	if _, err := io.ReadFull(plain, answer[:]); err != nil || answer[0] != 'S' {
		return "", fmt.Errorf("no TLS: %q, %w", answer, err)
	}
	conn := tls.Client(plain, config)
	start := append(binary.BigEndian.AppendUint32(nil, 3<<16), "user\x00"+role+"\x00database\x00postgres\x00\x00"...)
	if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(start)+4)), start...)); err != nil {
		return "", alertBehind(conn, err)
	}
	query := "SELECT client_serial::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()\x00"
	for {
		var header [5]byte
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return "", err
		}
		body := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return "", err
		}
		switch header[0] {
		case 'E':
			return "", fmt.Errorf("server: %q", bytes.ReplaceAll(body, []byte{0}, []byte{' '}))
		case 'D':
			return string(body), nil
		case 'Z': // ready
			if _, err := conn.Write(append(binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(len(query)+4)), query...)); err != nil {
				return "", err
			}
		}
	}
}

// alertBehind reads the server's last message if a write failed first.
func alertBehind(conn *tls.Conn, err error) error {
	if _, said := conn.Read(make([]byte, 1)); said != nil {
		return said
	}
	return err
}

func TestReal_Redis(t *testing.T) {
	path := program(t, "redis-server")
	w := newWorld(t)
	w.put(t, "orders")
	cert, key, clients := w.serverFiles(t)
	s := start(t, "", path, func(port int) []string {
		return []string{
			"--port", "0", "--tls-port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", w.folder,
			"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", clients, "--tls-auth-clients", "yes",
		}
	})
	own := open(t, w.config())
	w.rotates(t, own, func() (string, error) {
		conn, err := tls.Dial("tcp", s.address, own.TLSConfig("127.0.0.1"))
		if err != nil {
			return "", err
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(unhurried)); err != nil {
			return "", err
		}
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			return "", alertBehind(conn, err)
		}
		return bufio.NewReader(conn).ReadString('\n')
	}, func(*certauthtest.Certificate) string { return "+PONG" }, outbound.ReasonRefusedUnknownCA)
}
