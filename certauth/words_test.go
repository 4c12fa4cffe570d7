package certauth_test

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// What an operator reads: for each input the Reason, what the detail names, and what the hint
// has to say and must not. The rows stand by subject, those about chains in
// chainexplain_test.go, the others in refusalwords_test.go. What is wrong with evidence stands
// in TestRefusals_SayWhatHelps of package revocation, which needs its network.
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

// README's "Why was it refused?" and the table of the package comment name every Reason, once,
// beside the class that errors.Is finds, and nothing else.
func TestWords_TablesOfReasonsFollowTheCode(t *testing.T) {
	classes := map[string]error{
		"ErrMissing": certauth.ErrMissing, "ErrMalformed": certauth.ErrMalformed, "ErrSourceUntrusted": certauth.ErrSourceUntrusted,
		"ErrUntrusted": certauth.ErrUntrusted, "ErrRevoked": certauth.ErrRevoked, "ErrRevocationUnavailable": certauth.ErrRevocationUnavailable,
		"ErrNotAllowed": certauth.ErrNotAllowed, "ErrNotConfigured": certauth.ErrNotConfigured, "ErrOverloaded": certauth.ErrOverloaded, "ErrInternal": certauth.ErrInternal,
	}
	known := reasonsOfThePackage(t)
	for where, table := range reasonTables(t) {
		assert.Len(t, table, len(known), where)
		for _, reason := range known {
			if !assert.Contains(t, table, reason, where) {
				continue
			}
			require.Contains(t, classes, table[reason], where)
			for name, class := range classes {
				is := errors.Is(&certauth.Error{Reason: reason}, class)
				assert.Equal(t, name == table[reason], is, "%s: %s and %s", where, reason, name)
			}
		}
	}
}

var reasonWord = regexp.MustCompile(`[a-z]+_[a-z_]*|overloaded`)

// reasonTables are the tables of README and of the package comment, by Reason.
func reasonTables(t *testing.T) map[string]map[certauth.Reason]string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	tables := map[string]map[certauth.Reason]string{"README.md": {}, "doc.go": {}}
	add := func(where, reasons, class string) {
		for _, word := range reasonWord.FindAllString(reasons, -1) {
			if strings.HasSuffix(word, "_") { // issuer_, name_, ..., lifetime_not_allowed
				word += "not_allowed"
			}
			_, twice := tables[where][certauth.Reason(word)]
			assert.False(t, twice, "%s: %s stands twice", where, word)
			tables[where][certauth.Reason(word)] = class
		}
	}
	_, rest, found := strings.Cut(string(readme), "## Why was it refused?")
	require.True(t, found)
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[2], "`Err") {
			continue
		}
		groups, names := strings.Split(cells[1], ";"), strings.Split(cells[2], ";")
		require.Len(t, names, len(groups), line)
		for i, group := range groups {
			add("README.md", group, strings.Trim(names[i], " `"))
		}
	}
	_, rest, found = strings.Cut(string(doc), "class of errors.Is")
	require.True(t, found)
	_, rest, _ = strings.Cut(rest, "\n")
	rest, _, _ = strings.Cut(rest, "\n//\n")
	const first, second = len("//	Reason                                  "), len("class of errors.Is           ")
	class := ""
	var reasons []string
	end := func() {
		add("doc.go", strings.Join(reasons, " "), class)
		reasons = nil
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, "\n") + strings.Repeat(" ", first+second)
		if name := strings.TrimSpace(line[first : first+second]); name != "" {
			end()
			class = name
		}
		reasons = append(reasons, line[:first])
	}
	end()
	for where, table := range tables {
		require.True(t, slices.ContainsFunc(reasonsOfThePackage(t), func(r certauth.Reason) bool { return table[r] != "" }), where)
	}
	return tables
}
