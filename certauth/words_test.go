package certauth_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// What an operator reads: for each input the Reason, what the detail names, and what the hint must
// and must not contain. The rows are grouped by subject: those about chains are in
// chain_refusals_test.go, the others in refusalwords_test.go. Mistakes in evidence are in
// TestRefusals_SayWhatHelps of package revocation, which needs its network.
func TestWords_DetailNamesTheCulpritAndHintTheStepThatHelps(t *testing.T) {
	rows, seen := 0, map[certauth.Reason]bool{}
	row := func(reason certauth.Reason) {
		rows++
		seen[reason] = true
	}
	t.Run("chains", func(t *testing.T) { wordsAboutChains(t, row) })
	t.Run("certificates, headers and names", func(t *testing.T) { wordsAboutCertificates(t, row) })
	t.Run("the configuration", func(t *testing.T) { wordsAboutTheConfiguration(t, row) })
	if !t.Failed() {
		assert.GreaterOrEqual(t, rows, 60)
	}
	for where, table := range reasonTables(t) {
		for reason := range seen {
			assert.Contains(t, table, reason, where)
		}
	}
}

// README's "Why was it refused?" and the table of the package comment contain every Reason exactly
// once, and nothing else.
func TestWords_TablesOfReasonsFollowTheCode(t *testing.T) {
	known := reasonsOfThePackage(t)
	for where, table := range reasonTables(t) {
		assert.ElementsMatch(t, known, table, where)
	}
}

var reasonWord = regexp.MustCompile(`[a-z]+_[a-z_]*|overloaded`)

// reasonTables returns the Reasons in the tables of README and of the package comment.
func reasonTables(t *testing.T) map[string][]certauth.Reason {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, rows, found := strings.Cut(string(readme), "## Why was it refused?")
	require.True(t, found)
	rows, _, _ = strings.Cut(rows, "\n## ")
	var cells strings.Builder
	for line := range strings.Lines(rows) {
		if columns := strings.Split(line, "|"); len(columns) > 2 {
			cells.WriteString(columns[1])
		}
	}
	const heading = "//	Reason                                  "
	_, lines, found := strings.Cut(string(doc), heading)
	require.True(t, found)
	lines, _, _ = strings.Cut(lines, "\n//\n")
	var first strings.Builder
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, "//	") {
			first.WriteString(line[:min(len(line), len(heading))])
		}
	}
	return map[string][]certauth.Reason{"README.md": reasonsIn(cells.String()), "doc.go": reasonsIn(first.String())}
}

func reasonsIn(text string) (reasons []certauth.Reason) {
	for _, word := range reasonWord.FindAllString(text, -1) {
		if strings.HasSuffix(word, "_") { // issuer_, name_, ..., lifetime_not_allowed
			word += "not_allowed"
		}
		reasons = append(reasons, certauth.Reason(word))
	}
	return reasons
}
