package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nodeVersions installs missing packages of dir and returns the versions that are installed there, not
// the required ones.
func nodeVersions(ctx context.Context, dir string) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%w; -node=false measures the Go servers alone", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); errors.Is(err, fs.ErrNotExist) {
		install := exec.CommandContext(ctx, "npm", "install")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			return "", fmt.Errorf("npm install: %w: %s", err, out)
		}
	}
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return "", err
	}
	said := []string{"node " + strings.TrimPrefix(strings.TrimSpace(string(out)), "v")}
	for _, name := range []string{"client-certificate-auth", "express"} {
		var about struct {
			Version string `json:"version"`
		}
		text, err := os.ReadFile(filepath.Join(dir, "node_modules", name, "package.json")) //nolint:gosec // two fixed names
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(text, &about); err != nil {
			return "", err
		}
		said = append(said, name+" "+about.Version)
	}
	return strings.Join(said, ", "), nil
}
