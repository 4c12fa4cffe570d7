package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	root   = "github.com/acme/widget"
	helper = root + "/certauth/helper"
	tool   = root + "/certauth/cmd/tool"
)

// repository creates a repository that is structured like this one, with one commit: a root module,
// two released ones, one of which requires the other, an example, and a developer's program.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                        "module " + root + "\n\ngo 1.26.6\n",
		"LICENSE":                       "Do as you like.\n",
		"certauth/certauth.go":          "package certauth\n\nconst Name = \"root\"\n",
		"certauth/helper/go.mod":        "module " + helper + "\n\ngo 1.26.6\n\nrequire " + root + " v0.0.0\n\nreplace " + root + " => ../..\n",
		"certauth/helper/helper.go":     "package helper\n\nimport \"" + root + "/certauth\"\n\nconst Name = certauth.Name + \"+helper\"\n",
		"certauth/cmd/tool/go.mod":      "module " + tool + "\n\ngo 1.26.6\n\nrequire " + helper + " v0.0.0\n\nrequire " + root + " v0.0.0 // indirect\n\nreplace (\n\t" + root + " => ../../..\n\t" + helper + " => ../../helper\n)\n",
		"certauth/cmd/tool/main.go":     "package main\n\nimport (\n\t\"fmt\"\n\n\t\"" + helper + "\"\n)\n\nfunc main() { fmt.Println(helper.Name + \"+tool\") }\n",
		"certauth/cmd/tool/LICENSE":     "Another one.\n",
		"examples/first/go.mod":         "module " + root + "/examples/first\n\ngo 1.26.6\n\nrequire " + root + " v0.0.0\n\nreplace " + root + " => ../..\n",
		"examples/first/main.go":        "package main\n\nfunc main() {}\n",
		"internal/developer/go.mod":     "module " + root + "/internal/developer\n\ngo 1.26.6\n",
		"internal/developer/main.go":    "package main\n\nfunc main() {}\n",
		".github/CHANGELOG.md":          "# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-12-01\n\n### Added\n\n- All of it.\n",
		".gitignore":                    "*.out\n",
		"certauth/helper/forgotten.out": "not for a release",
	} {
		put(t, dir, name, text)
	}
	run(t, dir, "git", "init", "-q", "-b", "main")
	commit(t, dir, "first")
	return dir
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o750))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
}

func text(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	require.NoError(t, err)
	return string(content)
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := command(t, dir, nil, name, args...)
	require.NoError(t, err, out)
	return out
}

// command runs a program independently of the developer's configuration.
func command(t *testing.T, dir string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GOWORK=off", "GOENV=off", "GOFLAGS=-modcacherw")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func commit(t *testing.T, dir, message string) {
	t.Helper()
	run(t, dir, "git", "add", "-A")
	run(t, dir, "git", "-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "commit", "-q", "--allow-empty", "-m", message)
}

// releaseTool runs the program as main does.
func releaseTool(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := do(t.Context(), dir, args, &out)
	return out.String(), err
}

func TestVersion_IsOneThatGoTakesForAPathWithoutSuffix(t *testing.T) {
	for _, version := range []string{"v0.1.0", "v1.0.0", "v1.22.333", "v0.1.0-rc.1"} {
		assert.NoError(t, checkVersion(version), version)
	}
	for version, want := range map[string]string{
		"":                                   "is no version of a Go module",
		"latest":                             "is no version of a Go module",
		"0.1.0":                              "is no version of a Go module",
		"v1":                                 "is no version of a Go module",
		"v1.2":                               "is no version of a Go module",
		"v01.2.3":                            "is no version of a Go module",
		"v1.2.3.4":                           "is no version of a Go module",
		"v1.2.3+build":                       "is no version of a Go module", // Go drops it
		"v1.2.3\n":                           "is no version of a Go module",
		"v1.2.3-":                            "is no version of a Go module",
		"V1.2.3":                             "is no version of a Go module",
		"../v1.2.3":                          "is no version of a Go module",
		"v0.0.0-20261129000000-0123456789ab": "pseudo-version",
		"v2.0.0":                             "here /v2",
		"v10.0.0-rc.1":                       "here /v10",
	} {
		assert.ErrorContains(t, checkVersion(version), want, version)
	}
}

func TestChangelog_HasASectionForTheVersionAndNothingLeft(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"a section with a date":                      {"## 0.1.0 - 2026-12-01\n- a\n", ""},
		"a section in brackets":                      {"## [Unreleased]\n\n## [0.1.0] - 2026-12-01\n\n### Added\n- a\n", ""},
		"a section with the letter":                  {"## v0.1.0\n- a\n", ""},
		"no section":                                 {"## Unreleased\n- a\n", `no section "## 0.1.0"`},
		"a section for another version":              {"## 0.1.01\n- a\n## 0.1.0-rc.1\n- a\n## 10.1.0\n- a\n", `no section "## 0.1.0"`},
		"a heading of another depth":                 {"### 0.1.0\n- a\n", `no section "## 0.1.0"`},
		"an empty section":                           {"## 0.1.0\n\n### Added\n\n## 0.0.9\n- a\n", "is empty"},
		"two sections":                               {"## 0.1.0\n- a\n## v0.1.0\n- b\n", "two sections"},
		"lines that stand under Unreleased":          {"## Unreleased, since 0.0.9\n\n### Added\n- b\n\n## 0.1.0\n- a\n", "Unreleased is not empty"},
		"lines before the first heading mean little": {"A changelog.\n\n## 0.1.0\n- a\n", ""},
	} {
		err := checkChangelog(row.text, "v0.1.0")
		if row.want == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, row.want, name)
		}
	}
}

func TestRelease_FromTheTreeToTheTags(t *testing.T) {
	dir := repository(t)
	_, err := releaseTool(t, dir, "tags", "v0.1.0")
	require.ErrorContains(t, err, "certauth/cmd/tool/go.mod: a replace is left")
	assert.ErrorContains(t, err, "certauth/helper/go.mod: a replace is left")
	assert.NotContains(t, err.Error(), "examples/")

	_, err = releaseTool(t, filepath.Join(dir, "internal", "developer"), "write", "v0.1.0")
	require.NoError(t, err)
	assert.Equal(t, "module "+helper+"\n\ngo 1.26.6\n\nrequire "+root+" v0.1.0\n", text(t, dir, "certauth/helper/go.mod"))
	assert.Equal(t, "module "+tool+"\n\ngo 1.26.6\n\nrequire "+helper+" v0.1.0\n\nrequire "+root+" v0.1.0 // indirect\n", text(t, dir, "certauth/cmd/tool/go.mod"))
	assert.Contains(t, text(t, dir, "examples/first/go.mod"), "replace ", "examples are not released")

	_, err = releaseTool(t, dir, "tags", "v0.1.0")
	require.ErrorContains(t, err, "not committed")
	commit(t, dir, "Release v0.1.0")
	tags, err := releaseTool(t, dir, "tags", "v0.1.0")
	require.NoError(t, err)
	assert.Equal(t, "v0.1.0\ncertauth/cmd/tool/v0.1.0\ncertauth/helper/v0.1.0\n", tags)

	_, err = releaseTool(t, dir, "write", "v0.1.0")
	require.NoError(t, err)
	assert.Empty(t, run(t, dir, "git", "status", "--porcelain"), "writing twice has the same result")

	// After any later change to a module the files must be written again, because the hash in a
	// go.sum changes.
	put(t, dir, "certauth/certauth.go", "package certauth\n\nconst Name = \"another\"\n")
	commit(t, dir, "another")
	_, err = releaseTool(t, dir, "tags", "v0.1.0")
	require.ErrorContains(t, err, "certauth/helper/go.sum: not in the release form of v0.1.0")
}

func TestRelease_RefusesWhatNoVersionCanBeMadeOf(t *testing.T) {
	for name, row := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    []string
	}{
		"a change that is not committed": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/certauth.go", "package certauth\n")
		}, []string{"not committed", "certauth/certauth.go"}},
		"a file that Git does not know": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/new.go", "package certauth\n")
		}, []string{"not committed", "certauth/new.go"}},
		"no changelog": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, changelog)))
			commit(t, dir, "gone")
		}, []string{"CHANGELOG.md"}},
		"a tag of the root": {func(t *testing.T, dir string) {
			run(t, dir, "git", "tag", "v0.1.0")
		}, []string{"v0.1.0 is tagged already"}},
		"a tag of one module, a changelog without section, and a dirty tree, all at once": {func(t *testing.T, dir string) {
			run(t, dir, "git", "tag", "certauth/helper/v0.1.0")
			put(t, dir, changelog, "# Changelog\n")
		}, []string{"is tagged already: certauth/helper/v0.1.0", "no section", "not committed"}},
		"a replace of another repository's module": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/go.mod", text(t, dir, "certauth/helper/go.mod")+"\nreplace example.com/other => ../other\n")
			commit(t, dir, "replace")
		}, []string{"certauth/helper/go.mod:9: replace of example.com/other"}},
		"an exclude": {func(t *testing.T, dir string) {
			put(t, dir, "go.mod", text(t, dir, "go.mod")+"\nexclude example.com/other v1.0.0\n")
			commit(t, dir, "exclude")
		}, []string{"go.mod:5: exclude example.com/other@v1.0.0"}},
		"a require of a module that is not released": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/go.mod", text(t, dir, "certauth/helper/go.mod")+"\nrequire "+root+"/examples/first v0.0.0\n")
			commit(t, dir, "require")
		}, []string{"certauth/helper/go.mod:9: require " + root + "/examples/first: that module is not released"}},
		"a module whose path is not that of its directory": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/go.mod", "module "+root+"/helper\n")
			commit(t, dir, "module")
		}, []string{"want " + helper}},
		"modules that require each other": {func(t *testing.T, dir string) {
			put(t, dir, "go.mod", text(t, dir, "go.mod")+"\nrequire "+helper+" v0.0.0\n\nreplace "+helper+" => ./certauth/helper\n")
			commit(t, dir, "circle")
		}, []string{"require each other"}},
		"a go.mod that cannot be read": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/go.mod", "module\n")
			commit(t, dir, "broken")
		}, []string{"certauth/helper/go.mod:1"}},
		"a go.mod without module": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/go.mod", "go 1.26.6\n")
			commit(t, dir, "broken")
		}, []string{"certauth/helper/go.mod: no module line"}},
		"a go.sum that cannot be read": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/go.sum", "example.com/other v1.0.0\n")
			commit(t, dir, "broken")
		}, []string{"certauth/helper/go.sum"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := repository(t)
			row.prepare(t, dir)
			before := run(t, dir, "git", "status", "--porcelain")
			for _, command := range []string{"write", "tags"} {
				out, err := releaseTool(t, dir, command, "v0.1.0")
				for _, want := range row.want {
					require.ErrorContains(t, err, want, command)
				}
				assert.Empty(t, out)
			}
			assert.Equal(t, before, run(t, dir, "git", "status", "--porcelain"), "the tree must not be changed")
		})
	}
}

func TestRelease_CommandLine(t *testing.T) {
	dir := repository(t)
	for _, args := range [][]string{{}, {"write"}, {"tags"}, {"write", "v0.1.0", "more"}, {"proxy", "v0.1.0"}, {"delete", "v0.1.0"}} {
		_, err := releaseTool(t, dir, args...)
		assert.EqualError(t, err, usage, "%q", args)
	}
	_, err := releaseTool(t, dir, "proxy", "v2.0.0", t.TempDir())
	require.ErrorContains(t, err, "here /v2")
	_, err = releaseTool(t, t.TempDir(), "tags", "v0.1.0")
	require.ErrorContains(t, err, "not a git repository")
}

// stranger is the environment of a user who has only the proxy.
func stranger(t *testing.T, proxy string) []string {
	t.Helper()
	return []string{"GOPROXY=file://" + filepath.ToSlash(proxy), "GONOPROXY=none", "GONOSUMDB=" + root, "GOTOOLCHAIN=local", "GOMODCACHE=" + t.TempDir()}
}

func TestProxy_ServesAStrangerTheTreeAsItIs(t *testing.T) {
	dir := repository(t)
	put(t, dir, "certauth/certauth.go", "package certauth\n\nconst Name = \"not committed\"\n")
	require.NoError(t, os.Remove(filepath.Join(dir, "examples", "first", "main.go")))
	before := run(t, dir, "git", "status", "--porcelain", "--ignored")
	proxy := t.TempDir()
	_, err := releaseTool(t, dir, "proxy", "v0.1.0", proxy)
	require.NoError(t, err)
	assert.Equal(t, before, run(t, dir, "git", "status", "--porcelain", "--ignored"), "the tree must not be changed")
	assert.Contains(t, text(t, dir, "certauth/helper/go.mod"), "replace ")

	env := stranger(t, proxy)
	out, err := command(t, t.TempDir(), env, "go", "run", tool+"@latest")
	require.NoError(t, err, out)
	assert.Contains(t, out, "not committed+helper+tool\n")
	out, err = command(t, t.TempDir(), env, "go", "list", "-m", "-versions", helper)
	require.NoError(t, err, out)
	assert.Equal(t, helper+" v0.1.0\n", out)
	out, err = command(t, t.TempDir(), env, "go", "list", "-m", "-versions", root+"/examples/first")
	assert.NotContains(t, out, "v0.1.0", err)
}

func TestCheck_FindsWhatWorksInTheTreeAlone(t *testing.T) {
	for name, row := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"nothing": {func(*testing.T, string) {}, ""},
		"a require that a replace stands in for": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/cmd/tool/go.mod", "module "+tool+"\n\ngo 1.26.6\n\nrequire "+root+" v0.0.0\n\nreplace (\n\t"+root+" => ../../..\n\t"+helper+" => ../../helper\n)\n")
		}, "+require " + helper + " v0.1.0"},
		"a package of a module that is not released": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/helper.go", "package helper\n\nimport _ \""+root+"/internal/developer/part\"\n\nconst Name = \"\"\n")
			put(t, dir, "internal/developer/part/part.go", "package part\n")
		}, root + "/internal/developer/part"},
		"an embedded file that Git leaves out": {func(t *testing.T, dir string) {
			put(t, dir, "certauth/helper/helper.go", "package helper\n\nimport (\n\t_ \"embed\"\n\n\t\""+root+"/certauth\"\n)\n\n//go:embed forgotten.out\nvar text string\n\nconst Name = certauth.Name\n")
		}, "forgotten.out"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := repository(t)
			row.prepare(t, dir)
			proxy := t.TempDir()
			_, err := releaseTool(t, dir, "proxy", "v0.1.0", proxy)
			require.NoError(t, err)
			for _, setting := range append(stranger(t, proxy), "GOFLAGS=-modcacherw") {
				name, value, _ := strings.Cut(setting, "=")
				t.Setenv(name, value)
			}
			_, err = releaseTool(t, dir, "check", "v0.1.0")
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
		})
	}
}

// The hashes in each go.sum are those that the go command computes from the tags.
func TestTags_HaveTheHashesThatGoFinds(t *testing.T) {
	dir := repository(t)
	put(t, dir, "certauth/helper/.gitattributes", "*.txt export-ignore\n")
	put(t, dir, "certauth/helper/notes.txt", "kept\n")
	put(t, dir, "certauth/helper/testdata/empty", "")
	require.NoError(t, os.Symlink("helper.go", filepath.Join(dir, "certauth", "helper", "link.go")))
	commit(t, dir, "more files")
	_, err := releaseTool(t, dir, "write", "v0.1.0")
	require.NoError(t, err)
	commit(t, dir, "Release v0.1.0")
	tags, err := releaseTool(t, dir, "tags", "v0.1.0")
	require.NoError(t, err)
	for tag := range strings.FieldsSeq(tags) {
		run(t, dir, "git", "tag", tag)
	}
	env := []string{
		"GOPROXY=direct", "GONOPROXY=none", "GONOSUMDB=" + root, "GOTOOLCHAIN=local", "GOMODCACHE=" + t.TempDir(), "GIT_ALLOW_PROTOCOL=file",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://" + filepath.ToSlash(dir) + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + root,
	}
	sums := text(t, dir, "certauth/helper/go.sum") + text(t, dir, "certauth/cmd/tool/go.sum")
	for _, path := range []string{root, helper} {
		out, err := command(t, t.TempDir(), env, "go", "mod", "download", "-json", path+"@v0.1.0")
		require.NoError(t, err, out)
		var found struct{ Sum, GoModSum string }
		require.NoError(t, json.Unmarshal([]byte(out), &found))
		assert.Contains(t, sums, path+" v0.1.0 "+found.Sum+"\n")
		assert.Contains(t, sums, path+" v0.1.0/go.mod "+found.GoModSum+"\n")
	}
	out, err := command(t, t.TempDir(), env, "go", "run", tool+"@latest")
	require.NoError(t, err, out)
	assert.Contains(t, out, "root+helper+tool\n")
	// A checkout of the tag builds with its own go.sum.
	out, err = command(t, filepath.Join(dir, "certauth", "cmd", "tool"), append(slices.Clone(env), "GOFLAGS=-mod=readonly -modcacherw"), "go", "run", ".")
	require.NoError(t, err, out)
	assert.Equal(t, "root+helper+tool\n", out)
}
