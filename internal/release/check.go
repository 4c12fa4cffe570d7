package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/zip"
)

// check examines each module, extracted on its own, except the root, which ./... in the tree
// covers.
func (r *release) check(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the directory for temporary files
	var mistakes []error
	for i, u := range r.units {
		if u.dir == "." {
			continue
		}
		archive := filepath.Join(dir, strconv.Itoa(i)+".zip")
		if err := os.WriteFile(archive, u.zip, 0o600); err != nil {
			return err
		}
		folder := filepath.Join(dir, strconv.Itoa(i))
		if err := zip.Unzip(folder, u.Version, archive); err != nil {
			return err
		}
		// The packages are not compiled, because the tests of the tree have done that.
		for _, args := range [][]string{{"mod", "tidy", "-diff"}, {"list", "-mod=readonly", "-deps", "-test", "./..."}} {
			if out, err := goCommand(ctx, folder, args...); err != nil {
				mistakes = append(mistakes, fmt.Errorf("%s: go %s: %w\n%s", u.dir, args[0], err, out))
				break
			}
		}
	}
	return errors.Join(mistakes...)
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // fixed arguments
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GO111MODULE=on")
	return cmd.CombinedOutput()
}
