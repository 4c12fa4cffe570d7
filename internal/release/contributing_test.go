package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The commands of CONTRIBUTING.md, on a copy of this tree, produce a tag for each module.
func TestContributing_TheCommandsMakeARelease(t *testing.T) {
	here, err := openTree(t.Context(), ".")
	if err != nil {
		t.Skip("not in a work tree: ", err)
	}
	guide, err := here.read(".github/CONTRIBUTING.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)Then, in bash:\n\n```sh\n(version=v0.1.0\n.*?)```").FindSubmatch(guide)
	require.NotNil(t, block)

	dir, origin := t.TempDir(), t.TempDir()
	for _, name := range here.files {
		info, err := os.Lstat(here.at(name))
		require.NoError(t, err)
		if info.Mode().IsRegular() {
			put(t, dir, name, text(t, here.root, name))
		}
	}
	log := text(t, dir, changelog)
	put(t, dir, changelog, regexp.MustCompile(`(?m)^## Unreleased.*$`).ReplaceAllString(log, "## Unreleased\n\n## 0.1.0 - 2026-12-01"))
	run(t, origin, "git", "init", "-q", "--bare", "-b", "main")
	run(t, dir, "git", "init", "-q", "-b", "main")
	run(t, dir, "git", "config", "user.name", "somebody")
	run(t, dir, "git", "config", "user.email", "somebody@example.com")
	commit(t, dir, "as it is")
	run(t, dir, "git", "remote", "add", "origin", origin)
	run(t, dir, "git", "push", "-q", "-u", "origin", "main")

	out := run(t, dir, "bash", "-euo", "pipefail", "-c", string(block[1]))
	t.Log(out)
	want := []string{"v0.1.0"}
	for _, dir := range here.directories()[1:] {
		want = append(want, dir+"/v0.1.0")
	}
	assert.Greater(t, len(want), 7)
	assert.ElementsMatch(t, want, strings.Fields(run(t, origin, "git", "tag")))
	assert.Equal(t, "main\n", run(t, dir, "git", "branch", "--show-current"))
	assert.Contains(t, text(t, dir, "certauth/cmd/certauth/go.mod"), "replace ", "main is unchanged")
	assert.NotContains(t, run(t, origin, "git", "show", "certauth/cmd/certauth/v0.1.0:certauth/cmd/certauth/go.mod"), "replace ")
	assert.Empty(t, run(t, dir, "git", "status", "--porcelain"))

	// The second time there is nothing to do.
	out, err = command(t, filepath.Clean(dir), nil, "bash", "-euo", "pipefail", "-c", string(block[1]))
	require.Error(t, err)
	assert.Contains(t, out, "v0.1.0 is tagged already")
}
