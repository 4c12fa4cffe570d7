package certauth_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding N6: information needed in the first hour was missing: how to get the library, for which
// Go, the way into each framework, what does not work, and where to continue. Links lead to
// existing targets, and a call in the table of frameworks occurs in an example.
func TestREADME_HasWhatTheFirstHourNeeds(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	readme := string(text)
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(module))
	require.NotNil(t, version)
	for _, want := range []string{
		"go get github.com/seed2886b8ae/go-certauth@latest", "Go " + version[1] + " or later", "-serve", "./examples/appservice/local",
		"robots933456.txt", "Always On", "CORS preflight", "fasthttp", "pinned", "auth.Admit",
	} {
		assert.Contains(t, readme, want)
	}
	for _, match := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(readme, -1) {
		if !strings.HasPrefix(match[1], "https://") {
			_, err := os.Stat(filepath.Join("..", match[1]))
			assert.NoError(t, err, match[1])
		}
	}

	var made strings.Builder
	for _, pattern := range []string{"../examples/*/*.go", "example*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			made.Write(content)
		}
	}
	for _, call := range []string{"auth.ConfigureServer(server)", "r.With(auth.Require(", "echo.WrapMiddleware(auth.Require(", "auth.Admit"} {
		assert.Contains(t, readme, call)
		assert.Contains(t, made.String(), call, "no example does it")
	}
}

// The go doc commands of the README refer to existing names.
func TestREADME_GoDocCommandsWork(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	commands := regexp.MustCompile("`go doc ([^`]+)`").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, commands)
	for _, command := range commands {
		run := exec.CommandContext(t.Context(), "go", append([]string{"doc"}, strings.Fields(command[1])...)...)
		run.Dir = ".."
		out, err := run.CombinedOutput()
		assert.NoError(t, err, "%s: %s", command[0], out)
	}
}
