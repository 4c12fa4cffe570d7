package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the output of the commands into README.md")

// varying lists texts that differ from run to run.
var varying = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "…"},
	{regexp.MustCompile(`until \d{4}-\d\d-\d\d`), "until …"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|ms|s)\b`), "…"},
	{regexp.MustCompile(`\b[0-9a-f]{16,}\b`), "…"},
	{regexp.MustCompile(`(?m)^(serial +).*$`), "$1…"},
	{regexp.MustCompile(`"[A-Za-z0-9+/]{43}="`), `"…"`},
	{regexp.MustCompile(`(?m)^(key sha256 +).*$`), "$1…"},
	{regexp.MustCompile(`-----BEGIN%20[A-Za-z0-9%.+/=-]+`), "-----BEGIN%20CERTIFICATE-----…"},
	{regexp.MustCompile(`(X-Client-Fingerprint: ).*`), "$1…"},
}

// The console blocks of the README show what the command prints.
func TestReadme_ShowsWhatTheCommandPrints(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.Equal(t, exitOK, certauthRun(t, "", "pki", "pki").code)
	t.Chdir(filepath.Join(dir, "pki"))
	policy, err := os.ReadFile("policy.json")
	require.NoError(t, err)
	write := func(name, content string) { require.NoError(t, os.WriteFile(name, []byte(content), 0o600)) }
	write("mistaken.json", strings.Replace(string(policy), `"dnsNames"`, `"dnsName"`, 1))
	write("narrower.json", regexp.MustCompile(`"orders\.partner\.example",\s*`).ReplaceAllString(string(policy), ""))
	write("show.json", `{"name": "site", "type": "Microsoft.Web/sites", "httpsOnly": true, "clientCertEnabled": false, "clientCertMode": "Required", "siteConfig": null}
{"name": "site", "type": "Microsoft.Web/sites/config", "minTlsVersion": "1.2", "http20Enabled": false}
`)
	source := filepath.Join(sourceDir(t), "README.md")
	text, err := os.ReadFile(source)
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```console\n\\$ (.*?)\n(.*?)```\n")
	ran := 0
	shown := blocks.ReplaceAllStringFunc(string(text), func(block string) string {
		m := blocks.FindStringSubmatch(block)
		args := strings.Fields(m[1])
		require.Equal(t, "certauth", args[0])
		ran++
		if args[1] == "pki" {
			_ = os.RemoveAll("pki")
		}
		got := certauthRun(t, "", args[1:]...)
		require.NotEqual(t, exitFailed, got.code, got.errs)
		out := got.out
		for _, v := range varying {
			out = v.pattern.ReplaceAllString(out, v.instead)
		}
		return fmt.Sprintf("```console\n$ %s\n%s```\n", m[1], out)
	})
	assert.Equal(t, 9, ran)
	if *update {
		require.NoError(t, os.WriteFile(source, []byte(shown), 0o600))
		return
	}
	assert.Equal(t, shown, string(text), "run go test -run Readme -update")
}

// The lines that run the command from a clone work.
func TestReadme_TheLinesForACloneWork(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(sourceDir(t), "README.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	require.Len(t, blocks, 2)
	// The step "release" of .ci/run runs the first line, using a module proxy of the tree.
	module, err := os.ReadFile(filepath.Join(sourceDir(t), "go.mod"))
	require.NoError(t, err)
	name, _, _ := strings.Cut(strings.TrimPrefix(string(module), "module "), "\n")
	assert.Equal(t, "go run "+name+"@latest -h\n", blocks[0][1])
	block := blocks[1]
	bin := t.TempDir()
	ran := map[string]string{}
	for line := range strings.Lines(block[1]) {
		args := strings.Fields(line)
		require.Equal(t, []string{"go", "-C", "certauth/cmd/certauth"}, args[:3])
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = filepath.Join(sourceDir(t), "..", "..", "..")
		cmd.Env = append(os.Environ(), "GOBIN="+bin)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", line, out)
		ran[args[3]] = string(out)
	}
	assert.Contains(t, ran["run"], "Usage: certauth COMMAND")
	require.Contains(t, ran, "install")
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "certauth"), "-h").Output()
	require.NoError(t, err)
	assert.Equal(t, ran["run"], string(out))
}

// sourceDir returns the folder of this package, because the test has changed its directory.
func sourceDir(t *testing.T) string {
	t.Helper()
	require.NotEmpty(t, startDir)
	return startDir
}

var startDir = func() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	return dir
}()

// An item in the README's table of emergencies: a document with an emergency block works as
// described.
func TestReadme_ABlockOfOneCertificateActsWithoutARestart(t *testing.T) {
	w := newWorld(t)
	client := w.issuing.Issue(t, "orders")
	inspected := certauthRun(t, "", "inspect", client.Base64())
	issuer := regexp.MustCompile(`(?m)^issuer +(.*)$`).FindStringSubmatch(inspected.out)[1]
	serial := regexp.MustCompile(`(?m)^serial +(.*)$`).FindStringSubmatch(inspected.out)[1]
	w.write("client.pem", string(client.PEM()))
	document := w.write("policy.json", fmt.Sprintf(`{"source": {"appService": {}}, "policy": {"all": [%s, {"denied": {"serials": [{"issuer": %q, "serial": %q}]}}]},
"cases": [{"name": "blocked", "certificate": {"pemFile": "client.pem"}, "at": %q, "expect": "certificate_denied"}]}`, chain, issuer, serial, time.Now().UTC().Format(time.RFC3339)))
	got := certauthRun(t, "", "check", document)
	assert.Equal(t, exitOK, got.code, got.out+got.errs)
	assert.Contains(t, got.out, "1 of 1 cases pass.")
}
