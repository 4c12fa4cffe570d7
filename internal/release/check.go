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

// check looks at each module but the root's, which is what ./... means in the tree, as it is when
// nothing lies beside it.
func (r *release) check(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it lies where temporary files are cleaned up
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
		// The packages need not be compiled: the tree's own tests have done that.
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
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are ours
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GO111MODULE=on")
	return cmd.CombinedOutput()
}
