//go:build unix

package outbound_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func TestFile_WhatIsNoRegularFile(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe.pem")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	loop := filepath.Join(folder, "loop.pem")
	require.NoError(t, os.Symlink(loop, loop))
	ctx, cancel := context.WithTimeout(t.Context(), unhurried)
	defer cancel()
	for _, tc := range []struct{ name, path, want string }{
		{"a pipe that nobody writes to", pipe, "not a regular file"},
		{"a link to itself", loop, "too many levels"},
		{"a folder", folder, "not a regular file"},
		{"a device without end", "/dev/zero", "not a regular file"},
		{"no file", filepath.Join(folder, "none"), "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := outbound.Open(ctx, outbound.Config{Source: outbound.File{Path: tc.path}})
			reasonIs(t, err, outbound.ReasonSourceUnavailable)
			assert.ErrorContains(t, err, tc.want)
		})
	}
	t.Run("a pipe in the place of a folder", func(t *testing.T) {
		_, err := outbound.Open(ctx, outbound.Config{Source: outbound.Directory{Path: pipe}})
		reasonIs(t, err, outbound.ReasonSourceUnavailable)
		assert.ErrorContains(t, err, "not a directory")
	})
	t.Run("in a folder they are passed over", func(t *testing.T) {
		w := newWorld(t)
		leaf := issue(t, w.clients, "orders")
		write(t, filepath.Join(folder, "own.pem"), bundle(t, leaf))
		assert.Equal(t, fingerprint(leaf.Certificate), open(t, outbound.Config{Source: outbound.Directory{Path: folder}}).Status().Fingerprint)
	})
}
