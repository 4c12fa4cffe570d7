//go:build unix

package forwarded_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The three hosts are network namespaces, each connected to the two others. The addresses are
// reserved for documentation (RFC 5737) and exist only inside the namespaces.
const (
	frontFromApp     = "192.0.2.1"
	appFromFront     = "192.0.2.2"
	appFromAttacker  = "192.0.2.5"
	attackerFromApp  = "192.0.2.6"
	frontFromOutside = "192.0.2.9"
	outside          = "192.0.2.10"
)

// hosts are the names of the namespaces.
type hosts struct{ front, app, attacker string }

// newHosts makes the namespaces and removes them after the test. Interfaces are made inside them,
// so nothing appears on the host itself.
func newHosts(t *testing.T) hosts {
	t.Helper()
	if os.Geteuid() != 0 {
		unavailable(t, "network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		unavailable(t, "ip is not installed: apt-get install iproute2")
	}
	name := func(host string) string { return fmt.Sprintf("certauth-%d-%s", os.Getpid(), host) }
	h := hosts{name("front"), name("app"), name("attacker")}
	for _, namespace := range []string{h.front, h.app, h.attacker} {
		if text, err := ip(t, "netns", "add", namespace); err != nil {
			unavailable(t, "the kernel, or what this runs in, permits no network namespace: ip netns add: %v: %s", err, text)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", namespace).Run() })
	}
	cables := []struct{ here, device, address, there, otherDevice, otherAddress string }{
		{h.front, "app", frontFromApp, h.app, "front", appFromFront},
		{h.app, "attacker", appFromAttacker, h.attacker, "app", attackerFromApp},
		{h.front, "outside", frontFromOutside, h.attacker, "front", outside},
	}
	for _, c := range cables {
		for _, line := range [][]string{
			{"-n", c.here, "link", "add", "name", c.device, "type", "veth", "peer", "name", c.otherDevice, "netns", c.there},
			{"-n", c.here, "address", "add", c.address + "/30", "dev", c.device},
			{"-n", c.there, "address", "add", c.otherAddress + "/30", "dev", c.otherDevice},
			{"-n", c.here, "link", "set", c.device, "up"},
			{"-n", c.there, "link", "set", c.otherDevice, "up"},
		} {
			text, err := ip(t, line...)
			require.NoError(t, err, "ip %s: %s", strings.Join(line, " "), text)
		}
	}
	return h
}

func ip(t *testing.T, args ...string) (string, error) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
	return string(text), err
}

// on returns the beginning of a command line that runs on a host.
func on(host string) []string { return []string{"ip", "netns", "exec", host} }

// helper returns this test binary as a process on another host: TestRealFrontEndsHelper does what
// the environment says.
func helper(t *testing.T, host, role string, task any) *exec.Cmd {
	t.Helper()
	itself, err := os.Executable()
	require.NoError(t, err)
	text, err := json.Marshal(task)
	require.NoError(t, err)
	line := append(on(host), itself, "-test.run=^TestRealFrontEndsHelper$", "-test.timeout=5m")
	command := exec.CommandContext(t.Context(), line[0], line[1:]...)
	// The race detector would delay the end of each helper by a second.
	command.Env = append(os.Environ(), "CERTAUTH_HELPER="+role, "CERTAUTH_HELPER_TASK="+string(text), "GORACE=atexit_sleep_ms=0")
	return command
}

// startApp starts the app on its host and returns a channel of its decisions.
func startApp(t *testing.T, host string, task appTask) <-chan decision {
	t.Helper()
	command := helper(t, host, "app", task)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log := &output{}
	command.Stderr = log
	hold, err := command.StdinPipe() // the app ends when this process does
	require.NoError(t, err)
	said, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	decisions, ended := make(chan decision, 64), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(decisions)
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			var d decision
			if json.Unmarshal(lines.Bytes(), &d) == nil {
				decisions <- d
			}
		}
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = hold.Close()
		stop(command.Process.Pid, ended)
		if t.Failed() {
			t.Logf("the output of the app:\n%s", log)
		}
	})
	require.Equal(t, decision{Ready: true}, next(t, decisions))
	return decisions
}

// next returns the next decision of the app.
func next(t *testing.T, decisions <-chan decision) decision {
	t.Helper()
	select {
	case d, open := <-decisions:
		require.True(t, open, "the app has ended")
		return d
	case <-time.After(30 * time.Second):
		t.Fatal("the app reports no decision")
		return decision{}
	}
}

// request sends a request from a host and returns the status of the answer.
func request(t *testing.T, host string, task clientTask) int {
	t.Helper()
	command := helper(t, host, "client", task)
	log := &output{}
	command.Stderr = log
	text, err := command.Output()
	require.NoError(t, err, "%s%s", text, log)
	line, _, _ := strings.Cut(string(text), "\n")
	var told clientAnswer
	require.NoError(t, json.Unmarshal([]byte(line), &told), "%s%s", text, log)
	return told.Status
}

// writePEM writes the certificates that the helpers need to a folder.
func writePEM(t *testing.T, c *cast) string {
	t.Helper()
	folder := t.TempDir()
	for name, parts := range map[string][][]byte{
		"roots.pem":   {c.root.PEM()},
		"issuing.pem": {c.issuing.PEM()},
		"servers.pem": {c.servers.PEM()},
		"server.pem":  {c.server.PEM(), c.server.KeyPEM(t)},
		"client.pem":  {c.p256.PEM(), c.issuing.PEM(), c.p256.KeyPEM(t)},
		"insider.pem": {c.rsa.PEM(), c.issuing.PEM(), c.rsa.KeyPEM(t)},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), bytes.Join(parts, nil), 0o600))
	}
	return folder
}
