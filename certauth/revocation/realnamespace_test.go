//go:build linux

package revocation_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ownNetworkToken is set in the process that runs in its own network.
const ownNetworkToken = "CERTAUTH_OWN_NETWORK_TOKEN"

// inOwnNetwork returns false in the process that go test started: by then the test has run in
// another process, whose result was adopted. It returns true in that other process, where there is
// only loopback, so a program may listen on every address. All processes there end with it.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	if token := os.Getenv(ownNetworkToken); token != "" {
		enterOwnNetwork(t, token)
		return true
	}
	for program, from := range map[string]string{"ip": "iproute2", "unshare": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			unavailable(t, "%s is not installed: apt-get install %s", program, from)
		}
	}
	line := []string{"unshare", "--net", "--pid", "--fork", "--kill-child"}
	if os.Geteuid() != 0 {
		line = append(line, "--user", "--map-root-user")
	}
	probe := slices.Concat(line, []string{"ip", "link", "set", "lo", "up"})
	if text, err := exec.CommandContext(t.Context(), probe[0], probe[1:]...).CombinedOutput(); err != nil {
		unavailable(t, "the kernel, or what this runs in, permits no network namespace: %v: %v: %s", probe, err, text)
	}
	itself, err := os.Executable()
	require.NoError(t, err)
	token := rand.Text()
	line = append(line, itself, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	command := exec.CommandContext(t.Context(), line[0], line[1:]...)
	// The race detector would delay the end of the process by a second.
	command.Env = append(os.Environ(), ownNetworkToken+"="+token, "GORACE=atexit_sleep_ms=0")
	text, err := command.CombinedOutput()
	t.Logf("in its own network:\n%s", text)
	require.NoError(t, err)
	require.Contains(t, string(text), token, "the test did not run to its end in there")
	return false
}

// enterOwnNetwork checks the network, and prints the token if the test passes.
func enterOwnNetwork(t *testing.T, token string) {
	t.Helper()
	devices, err := net.Interfaces()
	require.NoError(t, err)
	for _, d := range devices {
		require.Zero(t, d.Flags&net.FlagUp, "%s is up: this is not a network of our own", d.Name)
	}
	text, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput()
	require.NoError(t, err, "%s", text)
	t.Cleanup(func() {
		if !t.Failed() && !t.Skipped() {
			_, err := fmt.Fprintln(os.Stdout, token)
			assert.NoError(t, err)
		}
	})
}
