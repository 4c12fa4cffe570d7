//go:build unix

package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding N72: diff read everything in a folder that a document names, whole and into memory, so that a pipe in it, which
// a service ignores, held the command up for good.
func TestDiff_APipeInAFolderHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.Mkdir(w.path("lists"), 0o700))
	w.write("lists/a.crl", "1")
	require.NoError(t, syscall.Mkfifo(w.path("lists/pipe"), 0o600))
	policy := w.write("policy.json", `{"source": {"appService": {}}, "policy": {"thumbprints": ["`+strings.Repeat("ab", 32)+`"]},
		"revocation": {"lists": {"lists": [{"dir": "lists"}], "issuers": {"pemFile": "root.pem"}}}}`)
	done := make(chan run, 1)
	go func() { done <- certauthRun(t, "", "diff", policy, policy) }()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	select {
	case got := <-done:
		assert.Equal(t, run{exitOK, "no difference\n", ""}, got)
	case <-limit.C:
		require.Fail(t, "it waits for the pipe")
	}
}
