package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// run is one run of the command.
type run struct {
	code      int
	out, errs string
}

func certauthRun(t *testing.T, stdin string, args ...string) run {
	t.Helper()
	var out, errs bytes.Buffer
	p := &program{ctx: t.Context(), stdin: strings.NewReader(stdin), out: &out, errs: &errs, now: time.Now, all: commands()}
	code := p.main(args)
	return run{code, out.String(), errs.String()}
}

// world is a folder with a PKI and documents.
type world struct {
	t             *testing.T
	dir           string
	root, issuing *certauthtest.CA
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := certauthtest.NewCA(t, "Partner Root")
	w := &world{t: t, dir: t.TempDir(), root: root, issuing: root.NewIntermediate(t, "Partner Issuing CA")}
	w.write("root.pem", string(root.PEM()))
	w.write("issuing.pem", string(w.issuing.PEM()))
	return w
}

func (w *world) write(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// policy writes a document with this policy, behind App Service unless another source is given.
func (w *world) policy(policy string, source ...string) string {
	own := `{"appService": {}}`
	if len(source) > 0 {
		own = source[0]
	}
	return w.write("policy.json", `{
  "source": `+own+`,
  "policy": `+policy+`,
  "revocation": {"strict": {}}
}`)
}

const chain = `{"chain": {"roots": {"pemFile": "root.pem"}, "intermediates": {"pemFile": "issuing.pem"}}}`

func TestMain_HelpIsThereForEveryCommand(t *testing.T) {
	help := certauthRun(t, "", "-h")
	assert.Equal(t, exitOK, help.code)
	for _, c := range commands() {
		assert.Contains(t, help.out, "  "+c.name+" ", c.name)
		own := certauthRun(t, "", c.name, "-h")
		assert.Equal(t, exitOK, own.code, c.name)
		assert.Contains(t, own.out, "Usage: certauth "+c.name)
		assert.Empty(t, own.errs)
		assert.Equal(t, own, certauthRun(t, "", "help", c.name))
	}
}

func TestMain_AMistakeInTheCommandLineIsTwo(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"inspct"},
		{"inspect"},
		{"inspect", "a", "b"},
		{"inspect", "-jsn", "a"},
		{"explain"},
		{"explain", "-policy", "no-such-file", "x"},
		{"check", "no-such-file"},
		{"audit"},
		{"audit", "-mode", "Any", "x"},
		{"diff", "a"},
		{"pki"},
		{"front-end", "-name", "IIS"},
		{"front-end", "-to", "http://example.com:80"},
		{"front-end", "-listen", "0.0.0.0:1"},
		{"completions", "tcsh"},
		{"revocation", "x"},
		{"audit", "-justified", "/health", "x"},
		{"inspect", "neither a file nor a certificate"},
		{"diff", "-revocation", "revoked", "a", "b"},
		{"audit", "-sarif-file", "main.bicep", "x"},
	} {
		got := certauthRun(t, "", args...)
		assert.Equal(t, exitFailed, got.code, "%q", args)
		assert.NotEmpty(t, got.errs, "%q", args)
		assert.Empty(t, got.out, "%q", args)
	}
}

func TestCheck_HelpSaysThatYAMLIsNotRead(t *testing.T) {
	assert.Contains(t, certauthRun(t, "", "check", "-h").out, "YAML is not read: convert it first")
}

func TestCompletions_NameEveryCommand(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		got := certauthRun(t, "", "completions", shell)
		require.Equal(t, exitOK, got.code)
		for _, c := range commands() {
			assert.Contains(t, got.out, c.name)
		}
	}
}

func TestSchema_IsThatOfPolicyfile(t *testing.T) {
	got := certauthRun(t, "", "schema")
	assert.Equal(t, exitOK, got.code)
	assert.Contains(t, got.out, `"https://json-schema.org/draft/2020-12/schema"`)
}
