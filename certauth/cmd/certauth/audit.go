package main

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/cmd/certauth/internal/audit"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var auditCommand = &command{
	name: "audit", args: "FILE...", short: "whether an App Service site is set up for client certificates",
	long: `
FILEs are any of these, put together; - is stdin:

  az webapp show -g GROUP -n SITE              (or az functionapp show)
  az webapp config show -g GROUP -n SITE
  az webapp config appsettings list -g GROUP -n SITE
  az webapp config ssl list -g GROUP
  an ARM template or resource; for Bicep what "az bicep build --stdout -f main.bicep" writes
  terraform show -json [PLAN]

For Bicep and Terraform, the source is never read: only what these tools make of it. The output of az
webapp show alone is not enough, since most of siteConfig in it is null.

-policy takes the app's own exemptions, the front end and the mode from a policy document.

Exit status: 0 no error; 1 at least one; 2 something could not be read, or an error cannot be ruled out
because the input does not show a property, or two inputs contradict each other (finding 33).

  az webapp show -g GROUP -n SITE > show.json
  az webapp config show -g GROUP -n SITE > config.json
  certauth audit show.json config.json`,
	run: runAudit,
}

func runAudit(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	mode := fs.String("mode", "Required", "the clientCertMode that is wanted, `MODE`: Required, Optional or OptionalInteractiveUser")
	frontEnd := fs.String("front-end", audit.Platform, "`PLACE` where the client's TLS ends: platform, application-gateway or front-door")
	policy := fs.String("policy", "", "`FILE` of the app's policy document")
	var protected, known, exempt, justified list
	fs.Var(&protected, "protected", "`PATH` of a route that needs a certificate; may be given several times")
	fs.Var(&known, "known", "`PATH` of another route")
	fs.Var(&exempt, "exempt", "`PATH` that the app itself excludes")
	fs.Var(&justified, "justified", "`PATH=REASON` of an exclusion of the platform, with what keeps it safe")
	token := fs.Bool("health-token", false, "the app verifies x-ms-auth-internal-token")
	outbound := fs.Bool("outbound", false, "the app presents a certificate of its own")
	within := fs.Duration("within", 30*24*time.Hour, "warn about certificates that end within this `DURATION`")
	asJSON := fs.Bool("json", false, "write JSON")
	sarifFile := fs.String("sarif", "", "write SARIF to `FILE` as well")
	sarifFor := fs.String("sarif-file", "", "`FILE` of the repository that findings from stdin are about")
	rest, err := p.parse(c, fs, args, 1, 1000)
	if err != nil {
		return 0, err
	}
	o := audit.Options{
		Mode: *mode, FrontEnd: *frontEnd, Protected: protected, Known: known, Exempt: exempt, HealthToken: *token,
		Outbound: *outbound, Now: p.now(), Within: *within, Justified: map[string]string{},
	}
	if *sarifFile == "" && *sarifFor != "" {
		return 0, usageError{"-sarif-file is for -sarif"}
	}
	if o.Mode != "Required" && o.Mode != "Optional" && o.Mode != "OptionalInteractiveUser" {
		return 0, usageError{"-mode: want Required, Optional or OptionalInteractiveUser"}
	}
	if o.FrontEnd != audit.Platform && o.FrontEnd != audit.ApplicationGateway && o.FrontEnd != audit.FrontDoor {
		return 0, usageError{"-front-end: want platform, application-gateway or front-door"}
	}
	for _, text := range justified {
		path, reason, ok := strings.Cut(text, "=")
		if !ok || strings.TrimSpace(reason) == "" {
			return 0, usageError{"-justified: want PATH=REASON"}
		}
		o.Justified[path] = reason
	}
	if *policy != "" {
		if err := fromPolicy(&o, *policy); err != nil {
			return 0, err
		}
	}
	in := &audit.Inputs{}
	for _, name := range rest {
		content, err := p.read(name)
		if err != nil {
			return 0, err
		}
		if err := in.Read(name, content); err != nil {
			return 0, err
		}
	}
	findings, err := audit.Run(in, o)
	if err != nil {
		return 0, err
	}
	if *sarifFile != "" {
		if err := writeSARIF(*sarifFile, findings, *sarifFor); err != nil {
			return 0, err
		}
	}
	counts := map[string]int{}
	for _, f := range findings {
		counts[f.Severity]++
	}
	if *asJSON {
		err = p.json(map[string]any{"findings": findings, "counts": counts, "not_shown": audit.NotShown})
	} else {
		p.printFindings(findings, counts)
	}
	switch {
	case counts[audit.Error] > 0:
		return exitNo, err
	case slices.ContainsFunc(findings, func(f audit.Finding) bool { return f.Rule == audit.NotJudged }):
		return exitFailed, err
	}
	return exitOK, err
}

func writeSARIF(name string, findings []audit.Finding, fallback string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return err
	}
	if err := audit.SARIF(file, findings, fallback); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}

// fromPolicy takes options from the app's policy document.
func fromPolicy(o *audit.Options, name string) error {
	doc, err := policyfile.Load(name, certauth.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = doc.Close() }() // no longer used to judge
	for _, exclusion := range doc.Config.Exclusions {
		if exclusion.Method == "" || exclusion.Method == http.MethodGet {
			o.Exempt = append(o.Exempt, exclusion.Path)
		}
		o.HealthToken = o.HealthToken || exclusion.AppServiceHealth
		if _, ok := o.Justified[exclusion.Path]; !ok {
			o.Justified[exclusion.Path] = exclusion.Reason + "; " + exclusion.Control
		}
	}
	switch doc.Config.Source.(type) {
	case forwarded.ApplicationGateway:
		o.FrontEnd = audit.ApplicationGateway
	case forwarded.FrontDoor:
		o.FrontEnd = audit.FrontDoor
	}
	if doc.Config.Optional && o.Mode == "Required" {
		o.Mode = "Optional"
	}
	return nil
}

func (p *program) printFindings(findings []audit.Finding, counts map[string]int) {
	colours := map[string]string{audit.Error: red, audit.Warning: yellow, audit.Information: dim}
	for _, f := range findings {
		site := ""
		if f.Site != "" {
			site = f.Site + ": "
		}
		fmt.Fprintf(p.out, "%s %d %s%s\n", p.paint(colours[f.Severity], f.Severity), f.Rule, visible(site), visible(f.Message))
		fmt.Fprintf(p.out, "    why   %s\n    where %s:%d\n", f.Why, f.File, f.Line)
		if f.Az != "" {
			fmt.Fprintf(p.out, "    az    %s\n", f.Az)
		}
		if f.Terraform != "" {
			fmt.Fprintf(p.out, "    tf    %s\n", strings.ReplaceAll(f.Terraform, "\n", "\n          "))
		}
		if len(f.Others) > 0 {
			fmt.Fprintf(p.out, "    also  %s\n", strings.Join(f.Others, "; "))
		}
	}
	fmt.Fprintf(p.out, "%d errors, %d warnings, %d notes. A clean audit is no authentication. No JSON shows:\n", counts[audit.Error], counts[audit.Warning], counts[audit.Information])
	for _, text := range audit.NotShown {
		fmt.Fprintf(p.out, "  - %s\n", text)
	}
}
