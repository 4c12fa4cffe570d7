package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
)

// SARIF writes the findings for code scanning. GitHub refuses the whole file if one result has no
// physical location, so each has one: the place in the input, or, if the input was not a file,
// fallback, which is a file of the repository.
func SARIF(w io.Writer, findings []Finding, fallback string) error {
	run := sarif.NewRunWithInformationURI("certauth audit", "https://pkg.go.dev/github.com/seed2886b8ae/go-certauth/certauth/cmd/certauth")
	levels := map[string]string{Error: "error", Warning: "warning", Information: "note"}
	for _, r := range Rules {
		help := r.Why
		if r.Az != "" {
			help += "\n\n" + r.Az
		}
		if r.Terraform != "" {
			help += "\n\n" + r.Terraform
		}
		if len(r.Others) > 0 {
			help += "\n\nSee also: " + strings.Join(r.Others, "; ")
		}
		run.AddRule(r.ID()).WithName(r.ID()).WithShortDescription(sarif.NewMultiformatMessageString().WithText(r.Title)).
			WithFullDescription(sarif.NewMultiformatMessageString().WithText(r.Why)).
			WithHelp(sarif.NewMultiformatMessageString().WithText(help)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(levels[r.Severity]))
	}
	for _, f := range findings {
		file, line := f.File, f.Line
		if file == "" || file == "-" {
			file, line = fallback, 1
		}
		if file == "" {
			return fmt.Errorf("finding %s has no file; name one for what was read from stdin", f.ID)
		}
		// The position changes when the file is edited; the fingerprint must not.
		sum := sha256.Sum256([]byte(f.ID + "\x00" + f.Site + "\x00" + f.Field + "\x00" + f.Message))
		run.CreateResultForRule(f.ID).WithLevel(levels[f.Severity]).
			WithMessage(sarif.NewTextMessage(f.Message + ": " + f.Why)).
			WithPartialFingerprints(map[string]string{"certauthFinding/v1": hex.EncodeToString(sum[:])}).
			AddLocation(sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().
				WithArtifactLocation(sarif.NewSimpleArtifactLocation(strings.ReplaceAll(file, `\`, "/"))).
				WithRegion(sarif.NewSimpleRegion(max(line, 1), max(line, 1)))))
	}
	all := report.NewV210Report()
	all.AddRun(run)
	if err := all.Validate(); err != nil {
		return err
	}
	return all.PrettyWrite(w)
}
