package revocation_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	contenderVariable = "CERTAUTH_TEST_CONTENDER"
	contenderKeys     = 150
)

// TestDirectoryStore_Contender is the program that TestDirectoryStore_OneOfManyProcesses
// starts: for each line on its standard input it asks for all leases, by a clock that is
// ahead by what the line says, and prints those that it is granted.
func TestDirectoryStore_Contender(t *testing.T) {
	dir := os.Getenv(contenderVariable)
	if dir == "" {
		t.Skip("started by another test")
	}
	c := &hands{}
	s := openDirectory(t, dir, c)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		ahead, err := time.ParseDuration(lines.Text())
		require.NoError(t, err)
		c.Advance(ahead)
		for i := range contenderKeys {
			if _, granted := take(t, s, fmt.Sprintf("key-%d", i), time.Minute); granted {
				_, err := fmt.Fprintf(os.Stdout, "granted key-%d\n", i)
				require.NoError(t, err)
			}
		}
		_, err = fmt.Fprintln(os.Stdout, "done")
		require.NoError(t, err)
	}
}

// contender is a process that asks for leases.
type contender struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startContender(t *testing.T, dir string) *contender {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), self, "-test.run=^TestDirectoryStore_Contender$")
	command.Env = append(os.Environ(), contenderVariable+"="+dir)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait() // by the context
	})
	return &contender{in: in, out: bufio.NewScanner(out)}
}

// ask lets all begin before it reads what they are granted.
func ask(t *testing.T, contenders []*contender, ahead time.Duration) map[string]int {
	t.Helper()
	for _, c := range contenders {
		_, err := fmt.Fprintln(c.in, ahead)
		require.NoError(t, err)
	}
	granted := map[string]int{}
	for _, c := range contenders {
		for {
			require.True(t, c.out.Scan(), "a contender has ended")
			if c.out.Text() == "done" {
				break
			}
			key, ok := strings.CutPrefix(c.out.Text(), "granted ")
			require.True(t, ok, c.out.Text())
			granted[key]++
		}
	}
	return granted
}

func TestDirectoryStore_OneOfManyProcesses(t *testing.T) {
	dir := t.TempDir()
	var contenders []*contender
	for range 4 {
		contenders = append(contenders, startContender(t, dir))
	}
	for _, round := range []struct {
		name  string
		ahead time.Duration
		want  int
	}{
		{"free", 0, 1},
		{"held", 30 * time.Second, 0},
		{"passed", 31 * time.Second, 1},
		{"passed at the border of a period", 8*time.Minute + 59*time.Second, 1},
	} {
		t.Run(round.name, func(t *testing.T) {
			granted := ask(t, contenders, round.ahead)
			for i := range contenderKeys {
				assert.Equal(t, round.want, granted[fmt.Sprintf("key-%d", i)], "key-%d", i)
			}
		})
	}
}
