package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var explainCommand = &command{
	name: "explain", args: "[VALUE]", short: "why a policy lets a caller in, or does not",
	long: `
It judges one request by a policy document and shows the tree of rules with what each of them says,
the rule that decided, and the next step.

The request is exactly one of:

  VALUE      the certificate header's value as it stands in a log or capture, or a certificate in any
             form that "certauth inspect" reads; the request is the one that the document's front end
             would send with it
  -header    a header of the request, with all others given in the same way
  -request   a file with a whole HTTP request
  -record    a file with the service's log records in JSON, also as Log Analytics, Loki or Docker export
             them. The last refusal counts. It names the rule but holds no certificate, so the other
             rules are not judged. Where nobody was refused, the last reload that failed counts. Without
             -policy, the place in the document is not shown.

The gate is not judged: that needs the real connection. Each rule is asked by itself, with the
anchors that stand beside it, so that one look shows everything that is wrong. A rule whose anchor
refuses cannot be asked. The decision itself is that of the whole policy.

With -revocation ask, the document's revocation checks fetch evidence from the network.

  certauth explain -policy policy.json client.pem
  certauth explain -policy policy.json -revocation good 'MIIC...'
  certauth explain -policy policy.json -record service.log

Exit status: 0 accepted; 1 refused, or a reload that failed; 2 it could not be judged.`,
	run: runExplain,
}

// explanation is the answer of the command.
type explanation struct {
	Decision string   `json:"decision"` // "accepted", "anonymous", "excluded", "refused", or "kept" for a failed reload
	Reason   string   `json:"reason,omitempty"`
	Rule     string   `json:"rule,omitempty"`
	Where    string   `json:"where,omitempty"` // "policy.json:12:7"
	Detail   string   `json:"detail,omitempty"`
	Next     string   `json:"next,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	NotAfter string   `json:"not_after,omitempty"`
	At       string   `json:"at"`
	Notes    []string `json:"notes,omitempty"`
	Tree     *verdict `json:"tree,omitempty"`
}

// assumed is a revocation check with a fixed answer.
type assumed struct{ status certauth.RevocationStatus }

func (a *assumed) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{Status: a.status, Source: "assumed"}, nil
}

var statuses = map[string]certauth.RevocationStatus{
	"good": certauth.RevocationGood, "revoked": certauth.RevocationRevoked,
	"unknown": certauth.RevocationUnknown, "unavailable": certauth.RevocationUnavailable,
}

func runExplain(p *program, c *command, args []string) (int, error) {
	fs := p.flags(c)
	policy := fs.String("policy", "", "`FILE` of the policy document (required, except for -record)")
	var headers list
	fs.Var(&headers, "header", "`\"Name: value\"` of the request; may be given several times")
	requestFile := fs.String("request", "", "`FILE` with a whole HTTP/1.1 request, - for stdin")
	recordFile := fs.String("record", "", "`FILE` with log records in JSON, of which the last refusal or else failed reload counts, - for stdin")
	password := fs.String("password", "", "`PASSWORD` of a PFX")
	at := fs.String("at", "", "judge at this `TIME` (RFC 3339) instead of now, except that revocation is asked about now")
	revocation := fs.String("revocation", "ask", "`WORD`: ask, or assume good, revoked, unknown, unavailable")
	asJSON := fs.Bool("json", false, "write JSON")
	page := fs.String("html", "", "write one self-contained page to `FILE` as well")
	rest, err := p.parse(c, fs, args, 0, 1)
	if err != nil {
		return 0, err
	}
	if *policy == "" && *recordFile == "" {
		return 0, usageError{"-policy is missing"}
	}
	now := p.now()
	if *at != "" {
		if now, err = time.Parse(time.RFC3339, *at); err != nil {
			return 0, usageError{"-at: want a moment such as 2026-12-01T00:00:00Z"}
		}
	}
	var checker certauth.RevocationChecker
	if status, ok := statuses[*revocation]; ok {
		checker = &assumed{status}
	} else if *revocation != "ask" {
		return 0, usageError{"-revocation: want ask, good, revoked, unknown or unavailable"}
	}
	e := &explainer{p: p, path: *policy, name: filepath.Base(*policy), now: now, checker: checker}
	if *policy != "" {
		if e.doc, err = policyfile.Load(*policy, certauth.Config{}); err != nil {
			return 0, err
		}
		defer func() { _ = e.doc.Close() }() // no longer used to judge
		if e.config, err = e.doc.WithoutGate(checker); err != nil {
			return 0, err
		}
	}
	var answer *explanation
	switch {
	case *recordFile != "" && len(headers) == 0 && *requestFile == "" && len(rest) == 0:
		answer, err = e.record(*recordFile)
	case *requestFile != "" && len(headers) == 0 && len(rest) == 0:
		answer, err = e.request(*requestFile)
	case len(headers) > 0 && len(rest) == 0:
		answer, err = e.headers(headers)
	case len(rest) == 1 && len(headers) == 0:
		answer, err = e.value(rest[0], *password)
	default:
		return 0, usageError{"exactly one of VALUE, -header, -request and -record is wanted"}
	}
	if err != nil {
		return 0, err
	}
	if *page != "" {
		if err := writePage(*page, answer); err != nil {
			return 0, err
		}
	}
	if *asJSON {
		err = p.json(answer)
	} else {
		p.printExplanation(answer)
	}
	if answer.Decision == "refused" || answer.Decision == decisionKept {
		return exitNo, err
	}
	return exitOK, err
}

type explainer struct {
	p       *program
	doc     *policyfile.Document // nil if only a record is explained
	config  certauth.Config
	path    string // of the document
	name    string
	now     time.Time
	checker certauth.RevocationChecker
	notes   []string
	given   []*x509.Certificate // if no header carries them
}

// checkersOf returns the revocation checks of the document by name, or another one in the place of each.
func checkersOf(doc *policyfile.Document, instead certauth.RevocationChecker) map[string]certauth.RevocationChecker {
	all := map[string]certauth.RevocationChecker{}
	for name, own := range doc.Checkers {
		if all[name] = own; instead != nil {
			all[name] = instead
		}
	}
	return all
}

// judge evaluates the whole policy and then each rule.
func (e *explainer) judge(r *http.Request) (*explanation, error) {
	config := e.config
	var event certauth.Event
	config.Now = func() time.Time { return e.now }
	config.InsecureReportOnly, config.CacheSize = false, -1
	config.Observe = func(_ context.Context, happened certauth.Event) {
		if happened.Method != "" {
			event = happened
		}
	}
	certs := e.presented(r)
	auth, err := certauth.New(config)
	if err != nil {
		return nil, err
	}
	_, err = auth.Admit(r)
	answer := &explanation{Decision: string(event.Outcome), At: e.now.UTC().Format(time.RFC3339), Notes: e.notes}
	if len(certs) > 0 {
		answer.Subject, answer.NotAfter = nameOf(certs[0].RawSubject), certs[0].NotAfter.UTC().Format(time.RFC3339)
	}
	if event.Identity != nil {
		answer.Roles = event.Identity.Matched
	}
	if refused, ok := errors.AsType[*certauth.Error](err); ok {
		e.refusal(answer, refused)
	} else if err != nil {
		return nil, err
	}
	j := &judge{ctx: e.p.ctx, doc: e.doc, certs: certs, now: e.now, verifies: sourceVerifies(config.Source), checkers: checkersOf(e.doc, e.checker)}
	answer.Tree = j.tree(config.Policy)
	if answer.Decision == "refused" {
		mark(answer.Tree, answer.Rule)
	}
	return answer, nil
}

func (e *explainer) refusal(answer *explanation, refused *certauth.Error) {
	answer.Decision, answer.Reason, answer.Rule = "refused", string(refused.Reason), refused.Rule
	answer.Detail, answer.Next = detailOf(refused), refused.Hint
	if e.doc != nil {
		line, column := e.doc.Position(refused.Rule)
		answer.Where = fmt.Sprintf("%s:%d:%d", e.name, line, column)
	}
}
