package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var checkCommand = &command{
	name: "check", args: "FILE", short: "whether a policy document is right, its cases pass, and what is weak about it",
	long: `
It reads the document as a service does, runs its cases, warns about what is weak (SHA-1 pins, a pin
without a backup, failing softly, certificates of the configuration that end, CA certificates that have
no effect because they chain to no root, cases that will fail within 90 days or need certificates that
the front end does not forward, lists in files that cannot be read or have ended, gates that let
everybody or a wide network through, serverAuth taken for clientAuth, revocation checks that no rule
asks, members of "any" that keep nobody out, denied serial numbers that may be decimal, no cases), and
prints the policy in effect.

The document is JSON. YAML is not read: convert it first, and review and roll out the JSON. Variables
that it names must be set, as must WEBSITE_AUTH_ENCRYPTION_KEY, to any value, for "appServiceHealth".

  certauth check policy.json

Exit status: 0 all is well; 1 a mistake, a case that fails, or with -strict a warning; 2 the file could
not be opened.`,
	run: runCheck,
}

// checked is the answer of the command.
type checked struct {
	OK       bool          `json:"ok"`
	Mistakes []mistakeJSON `json:"mistakes,omitempty"`
	Cases    []caseJSON    `json:"cases,omitempty"`
	Warnings []warning     `json:"warnings,omitempty"`
	Policy   string        `json:"policy,omitempty"`
}

type mistakeJSON struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

type caseJSON struct {
	Name    string `json:"name"`
	Passed  bool   `json:"passed"`
	Failure string `json:"failure,omitempty"`
}

type warning struct {
	Path string `json:"path"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func runCheck(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	strict := fs.Bool("strict", false, "warnings make the exit status 1 as well")
	asJSON := fs.Bool("json", false, "write JSON")
	rest, err := p.parse(c, fs, args, 1, 1)
	if err != nil {
		return 0, err
	}
	result, err := p.check(rest[0])
	if err != nil {
		return 0, err
	}
	if *strict && len(result.Warnings) > 0 {
		result.OK = false
	}
	if *asJSON {
		err = p.json(result)
	} else {
		p.printChecked(filepath.Base(rest[0]), result)
	}
	if !result.OK {
		return exitNo, err
	}
	return exitOK, err
}

func (p *program) check(name string) (*checked, error) {
	result := &checked{}
	if err := isFile(name); err != nil {
		return nil, err
	}
	doc, err := policyfile.Load(name, certauth.Config{Now: p.now})
	if mistakes, ok := errors.AsType[policyfile.Mistakes](err); ok {
		for _, m := range mistakes {
			result.Mistakes = append(result.Mistakes, mistakeJSON{m.Line, m.Column, m.Path, m.Text})
		}
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = doc.Close() }() // no longer used to judge
	cases, err := doc.RunCases(p.ctx)
	if err != nil {
		return nil, err
	}
	result.OK = true
	for _, one := range cases {
		result.Cases = append(result.Cases, caseJSON{one.Case.Name, one.Failure == "", one.Failure})
		result.OK = result.OK && one.Failure == ""
	}
	w := &weak{ctx: p.ctx, doc: doc, now: p.now(), asked: map[certauth.RevocationChecker]bool{}}
	w.document()
	err = w.cases(cases)
	result.Warnings = w.found
	result.Policy = elsewhere.Replace(doc.Authenticator().String())
	return result, err
}

// elsewhere removes what is true of this machine and not of the service.
var elsewhere = strings.NewReplacer(" (not on App Service: refuses every certificate)", "", "not on App Service: refuses every certificate, ", "")

// isFile refuses names that are not regular files, which cannot be checked.
func isFile(name string) error {
	if name == "-" {
		return usageError{"stdin is not read, since the document's files lie beside it; give its name"}
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	return file.Close()
}

func (p *program) printChecked(name string, result *checked) {
	for _, m := range result.Mistakes {
		fmt.Fprintf(p.out, "%s %s\n", p.paint(red, "mistake"), policyfile.Mistake{File: name, Line: m.Line, Column: m.Column, Path: m.Path, Text: m.Text})
	}
	passed := 0
	for _, one := range result.Cases {
		if one.Passed {
			passed++
			continue
		}
		fmt.Fprintf(p.out, "%s %q: %s\n", p.paint(red, "case"), one.Name, visible(one.Failure))
	}
	for _, w := range result.Warnings {
		where := name
		if w.Line > 0 {
			where += fmt.Sprintf(":%d", w.Line)
		}
		if w.Path != "" {
			where += ": " + w.Path
		}
		fmt.Fprintf(p.out, "%s %s: %s\n", p.paint(yellow, "warning"), where, visible(w.Text))
	}
	if result.Policy != "" {
		fmt.Fprintf(p.out, "\n%s\n%d of %d cases pass.\n", result.Policy, passed, len(result.Cases))
	}
	switch {
	case len(result.Mistakes) > 0:
		noun := "mistakes"
		if len(result.Mistakes) == 1 {
			noun = "mistake"
		}
		fmt.Fprintf(p.out, "%d %s: a service that runs goes on with its last good document; none starts with this one.\n", len(result.Mistakes), noun)
	case !result.OK && passed < len(result.Cases):
		fmt.Fprintln(p.out, "A case fails: a service that runs goes on with its last good document; none starts with this one.")
	case result.OK:
		fmt.Fprintln(p.out, p.paint(green, "ok"))
	}
}
