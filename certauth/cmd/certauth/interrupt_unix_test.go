//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding N16: no interrupt ended a command that read stdin, or that computed.
func TestMain_ASecondInterruptEndsIt(t *testing.T) {
	if os.Getenv("CERTAUTH_INTERRUPTED") != "" {
		os.Args = []string{"certauth", "inspect", "-"}
		main()
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), "CERTAUTH_INTERRUPTED=1")
	stdin, err := child.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	_, err = stdin.Write(bytes.Repeat([]byte("A"), 1<<20)) // more than a pipe holds: now it reads
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		select {
		case err := <-ended:
			assert.Error(t, err)
			return
		case <-tick.C:
			_ = child.Process.Signal(os.Interrupt)
		case <-limit.C:
			assert.NoError(t, child.Process.Kill())
			assert.Fail(t, "it goes on reading")
			return
		}
	}
}
