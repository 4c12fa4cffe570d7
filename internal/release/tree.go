package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tree is the work tree of a Git repository.
type tree struct {
	root  string
	files []string // with slashes, from the root, sorted
}

// openTree finds the work tree that contains dir, and its files: those that Git tracks, and
// untracked ones that it does not ignore, so that the tree can be examined before it is committed.
func openTree(ctx context.Context, dir string) (*tree, error) {
	root, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	t := &tree{root: strings.TrimRight(root, "\r\n")}
	list, err := git(ctx, t.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
	if err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(strings.TrimRight(list, "\x00"), "\x00") {
		if _, err := os.Lstat(t.at(name)); errors.Is(err, os.ErrNotExist) {
			continue // deleted, but the deletion is not committed
		}
		t.files = append(t.files, name)
	}
	slices.Sort(t.files)
	return t, nil
}

func (t *tree) at(name string) string { return filepath.Join(t.root, filepath.FromSlash(name)) }

func (t *tree) read(name string) ([]byte, error) { return os.ReadFile(t.at(name)) }

// directories returns those with a go.mod: the root, then the others below certauth, whose modules
// are released together with it.
func (t *tree) directories() []string {
	dirs := []string{"."}
	for _, name := range t.files {
		if dir, file := path.Split(name); file == "go.mod" && strings.HasPrefix(dir, "certauth/") {
			dirs = append(dirs, path.Clean(dir))
		}
	}
	return dirs
}

// below returns the files in and below a directory, with paths relative to it.
func (t *tree) below(dir string) []string {
	if dir == "." {
		return t.files
	}
	var names []string
	for _, name := range t.files {
		if short, ok := strings.CutPrefix(name, dir+"/"); ok {
			names = append(names, short)
		}
	}
	return names
}

// clean returns an error if the tree has uncommitted changes.
func (t *tree) clean(ctx context.Context) error {
	status, err := git(ctx, t.root, "status", "--porcelain", "--untracked-files=normal")
	if err != nil || status == "" {
		return err
	}
	return fmt.Errorf("the tree has changes that are not committed:\n%s", strings.TrimRight(status, "\n"))
}

// committed returns the time of the current commit.
func (t *tree) committed(ctx context.Context) (time.Time, error) {
	text, err := git(ctx, t.root, "log", "-1", "--format=%cI")
	if err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
	return at.UTC(), err
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output() //nolint:gosec // fixed arguments
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(failed.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return string(out), nil
}
