package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

var explainCommand = &command{
	name: "explain", args: "[VALUE]", short: "why a policy lets a caller in, or does not",
	long: `
It judges one request by a policy document and shows the tree of rules with what each of them says,
the rule that decided, and the next step.

The request is one of: VALUE, the certificate header's value as it stands in a log or capture (or a
certificate in any form that "certauth inspect" reads, for which a request of the document's front
end is made); -header, once for each header of the request; -request, a whole HTTP request in a file;
-record, a log record of a refusal in JSON, which names the rule but holds no certificate. Without one,
the last record of a reload that failed counts, for which nobody was refused.

The gate is not judged: that needs the real connection. Each rule is asked by itself, with the
anchors that stand beside it, so that one look shows everything that is wrong. A rule whose anchor
refuses cannot be asked. The decision itself is that of the whole policy.

With -revocation ask, the document's revocation checks fetch evidence from the network.`,
	run: runExplain,
}

// explanation is the answer.
type explanation struct {
	Decision string   `json:"decision"` // "accepted", "anonymous", "excluded" or "refused", or "kept" of a failed reload
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

// assumed is a revocation check whose answer is given.
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
	policy := fs.String("policy", "", "`FILE` of the policy document (required)")
	var headers list
	fs.Var(&headers, "header", "`\"Name: value\"` of the request; may be given several times")
	requestFile := fs.String("request", "", "`FILE` with a whole HTTP/1.1 request, - for stdin")
	recordFile := fs.String("record", "", "`FILE` with log records in JSON, of which the last refusal or else failed reload counts, - for stdin")
	password := fs.String("password", "", "of a PFX")
	at := fs.String("at", "", "judge at this `TIME` (RFC 3339) instead of now")
	revocation := fs.String("revocation", "ask", "`WORD`: ask, or assume good, revoked, unknown, unavailable")
	asJSON := fs.Bool("json", false, "write JSON")
	page := fs.String("html", "", "write one self-contained page to `FILE` as well")
	rest, err := p.parse(c, fs, args, 0, 1)
	if err != nil {
		return 0, err
	}
	if *policy == "" {
		return 0, usageError{"-policy is missing"}
	}
	now := p.now()
	if *at != "" {
		if now, err = time.Parse(time.RFC3339, *at); err != nil {
			return 0, usageError{"-at: want a moment such as 2026-12-01T00:00:00Z"}
		}
	}
	doc, err := policyfile.Load(*policy, certauth.Config{})
	if err != nil {
		return 0, err
	}
	defer func() { _ = doc.Close() }() // nothing is judged any more
	var checker certauth.RevocationChecker
	if status, ok := statuses[*revocation]; ok {
		checker = &assumed{status}
	} else if *revocation != "ask" {
		return 0, usageError{"-revocation: want ask, good, revoked, unknown or unavailable"}
	}
	config, err := doc.WithoutGate(checker)
	if err != nil {
		return 0, err
	}
	e := &explainer{p: p, doc: doc, config: config, name: filepath.Base(*policy), now: now, checker: checker}
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
	doc     *policyfile.Document
	config  certauth.Config
	name    string
	now     time.Time
	checker certauth.RevocationChecker
	notes   []string
	given   []*x509.Certificate // where no header carries them
}

func (e *explainer) blank() (*http.Request, error) {
	r, err := http.NewRequestWithContext(e.p.ctx, http.MethodGet, "http://explain.invalid/", http.NoBody)
	if err == nil {
		r.RequestURI, r.URL.Scheme, r.URL.Host = "/", "", ""
	}
	return r, err
}

func (e *explainer) headers(lines []string) (*explanation, error) {
	r, err := e.blank()
	if err != nil {
		return nil, err
	}
	e.evidence(r)
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t=%") {
			return nil, usageError{fmt.Sprintf("-header %.40q: want \"Name: value\"", line)}
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return e.judge(r)
}

// evidence adds what App Service adds to each request.
func (e *explainer) evidence(r *http.Request) {
	if _, ok := e.config.Source.(forwarded.AppService); ok {
		r.Header.Set("X-ARR-LOG-ID", "00000000-0000-0000-0000-000000000000")
		r.Header.Set("X-ARR-SSL", "2048|256|CN=issuer|CN=server")
		e.notes = append(e.notes, "the platform's evidence headers are taken to be there")
	}
}

func (e *explainer) request(name string) (*explanation, error) {
	content, err := e.p.read(name)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimLeft(content, "\r\n")
	if !bytes.Contains(content, []byte("\r\n\r\n")) && !bytes.Contains(content, []byte("\n\n")) {
		content = append(bytes.TrimRight(content, "\r\n"), "\r\n\r\n"...)
	}
	r, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(content), 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s: not an HTTP/1.1 request: %w", name, err)
	}
	return e.judge(r.WithContext(e.p.ctx))
}

// value makes the request that the front end of the document sends with a certificate, and puts
// the value there as it was given if it is a header's.
func (e *explainer) value(what, password string) (*explanation, error) {
	r, err := e.blank()
	if err != nil {
		return nil, err
	}
	name, own, renamed := frontEndOf(e.config.Source)
	found, err := e.p.certificates(what, password)
	if err != nil {
		if own == "" || strings.ContainsAny(what, "\r\n") {
			return nil, err
		}
		// Then what the source says about the text is the answer.
		e.evidence(r)
		r.Header.Set(own, strings.TrimSpace(what))
		return e.judge(r)
	}
	if name == "" {
		return e.direct(found.certs)
	}
	client := &certauthtest.Certificate{Certificate: found.certs[0]}
	var with []*certauthtest.CA
	for _, cert := range found.certs[1:] {
		with = append(with, &certauthtest.CA{Certificate: cert})
	}
	if err := safely(func(tb certauthtest.TB) {
		certauthtest.FrontEnd{Name: name, Headers: renamed}.Forward(tb, r, client, with...)
	}); err != nil {
		return nil, err
	}
	if !strings.Contains(what, "\n") && own != "" && !exists(what) && !hostPort.MatchString(what) && what != "-" {
		if m := headerLine.FindStringSubmatch(what); m != nil {
			what = m[2]
		}
		r.Header.Set(own, strings.TrimSpace(what)) // in whatever form it is: that may be what is wrong
	}
	e.notes = append(e.notes, "the request is one that "+name+" would send with this certificate, having verified it")
	return e.judge(r)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// direct judges certificates where no front end writes a header: by TLS.
func (e *explainer) direct(certs []*x509.Certificate) (*explanation, error) {
	e.given = certs
	e.config.Source = certauth.SourceFunc{Name: "given certificate", Func: func(*http.Request) ([]*x509.Certificate, error) { return certs, nil }}
	e.notes = append(e.notes, "the certificate is judged as if the source had read it")
	r, err := e.blank()
	if err != nil {
		return nil, err
	}
	return e.judge(r)
}

// judge decides by the whole policy and then asks each rule.
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
		answer.Subject, answer.NotAfter = certs[0].Subject.String(), certs[0].NotAfter.UTC().Format(time.RFC3339)
	}
	if event.Identity != nil {
		answer.Roles = event.Identity.Matched
	}
	if refused, ok := errors.AsType[*certauth.Error](err); ok {
		e.refusal(answer, refused)
	} else if err != nil {
		return nil, err
	}
	j := &judge{ctx: e.p.ctx, doc: e.doc, certs: certs, now: e.now, verifies: sourceVerifies(config.Source), checkers: map[string]certauth.RevocationChecker{}}
	for name, checker := range e.doc.Checkers {
		if j.checkers[name] = checker; e.checker != nil {
			j.checkers[name] = e.checker
		}
	}
	answer.Tree = j.tree(config.Policy)
	if answer.Decision == "refused" {
		mark(answer.Tree, answer.Rule)
	}
	return answer, nil
}

func (e *explainer) refusal(answer *explanation, refused *certauth.Error) {
	answer.Decision, answer.Reason, answer.Rule = "refused", string(refused.Reason), refused.Rule
	answer.Detail, answer.Next = detailOf(refused), refused.Hint
	line, column := e.doc.Position(refused.Rule)
	answer.Where = fmt.Sprintf("%s:%d:%d", e.name, line, column)
}

// presented returns the certificates in the request: that of the source's header first, then what
// stands in others, as a chain does. The source itself may refuse the request; then this is what it
// is about.
func (e *explainer) presented(r *http.Request) []*x509.Certificate {
	_, own, _ := frontEndOf(e.config.Source)
	leaf, err := decodeText(strings.Join(r.Header.Values(own), ","))
	if own == "" || err != nil {
		return e.given
	}
	certs := leaf.certs
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if strings.EqualFold(name, own) {
			continue
		}
		if more, err := decodeText(strings.Join(r.Header.Values(name), ",")); err == nil {
			certs = append(certs, more.certs...)
		}
	}
	return certs
}

func sourceVerifies(source certauth.Source) bool {
	v := reflect.Indirect(reflect.ValueOf(source))
	if v.Kind() != reflect.Struct {
		return false
	}
	field := v.FieldByName("FrontEndVerifies")
	return field.IsValid() && field.Kind() == reflect.Bool && field.Bool()
}

// record explains a refusal from its log record. The tree is not judged, for want of a certificate.
func (e *explainer) record(name string) (*explanation, error) {
	content, err := e.p.read(name)
	if err != nil {
		return nil, err
	}
	var last, kept *logRecord
	first := map[[2]string]*logRecord{} // of each reason and rule, with the words that a summary leaves out
	decoder := json.NewDecoder(bytes.NewReader(content))
	for {
		one := &logRecord{}
		if err := decoder.Decode(one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		key := [2]string{one.Reason, one.Rule}
		switch {
		case one.Reason == "" && slices.Contains(keptMessages, one.Msg):
			kept = one
		case one.Reason == "":
		case one.Detail != "" || first[key] == nil:
			first[key], last = one, one
		default:
			last = first[key]
		}
	}
	if last == nil && kept != nil {
		return e.kept(kept), nil
	}
	if last == nil {
		return nil, fmt.Errorf("%s: no record of a refusal or of a failed reload: none has the attribute reason", name)
	}
	answer := &explanation{At: last.Time, Notes: []string{"a log record holds no certificate, so that the other rules are not judged"}}
	e.refusal(answer, &certauth.Error{Reason: certauth.Reason(last.Reason), Rule: last.Rule, Hint: last.Hint, Err: errors.New(last.Detail)})
	if answer.Next == "" {
		answer.Next = "this record only counts repeats; look for the first one with this reason and rule, whose hint is the next step"
	}
	if last.Msg == "certauth: "+string(certauth.OutcomeReported) {
		answer.Notes = append(answer.Notes, "the service let the request through all the same: InsecureReportOnly is set")
	}
	if strings.HasPrefix(last.Rule, "Require") {
		answer.Where = ""
		answer.Notes = append(answer.Notes, "the rule stands in the program, at the Require of this route, and not in the document")
	}
	if kept != nil {
		answer.Notes = append(answer.Notes, "a reload failed as well, so that the service may judge by older material: "+kept.Detail)
	}
	if answer.Subject = last.Subject; answer.Subject == "" {
		answer.Subject = last.Unverified
	}
	j := &judge{ctx: e.p.ctx, doc: e.doc, now: e.now, checkers: map[string]certauth.RevocationChecker{}}
	for name, checker := range e.doc.Checkers {
		j.checkers[name] = checker
	}
	answer.Tree = j.tree(e.doc.Config.Policy)
	if decided := mark(answer.Tree, last.Rule); decided != nil && (decided.Rule == last.Rule || len(decided.Children) == 0) {
		decided.Verdict, decided.Reason, decided.Detail = verdictRefuses, last.Reason, last.Detail
	} else if strings.HasPrefix(last.Rule, "Policy") {
		if decided != nil {
			decided.Decides = false
		}
		answer.Notes = append(answer.Notes, "this document has no rule "+last.Rule+"; is it another version than the service's?")
	}
	return answer, nil
}

// kept explains a reload that failed. Nobody was refused: the last good set stays in use.
func (e *explainer) kept(record *logRecord) *explanation {
	answer := &explanation{At: record.Time}
	e.refusal(answer, &certauth.Error{Reason: certauth.ReasonNotConfigured, Rule: record.Rule, Hint: record.Hint, Err: errors.New(record.Detail)})
	answer.Decision = decisionKept
	if answer.Next == "" {
		answer.Next = "mend the file or function that the rule names; until then the last good set is in use"
	}
	return answer
}

// decisionKept is that of a record of a reload that failed.
const decisionKept = "kept"

// keptMessages are those of records of a reload that failed: of a rule's material, and of a document.
var keptMessages = []string{"certauth: reload failed, last good set kept", "certauth: policy document kept"}

// logRecord is what slog.JSONHandler writes of a refusal or a failed reload.
type logRecord struct {
	Time, Msg, Reason, Rule, Detail, Hint, Subject string

	Unverified string `json:"subject_unverified"`
}

func (p *program) printExplanation(a *explanation) {
	head, colour := a.Decision, green
	if a.Reason != "" {
		head, colour = a.Decision+": "+a.Reason, red
	}
	fmt.Fprintln(p.out, p.paint(colour, head))
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(p.out, "  %-8s %s\n", name, value)
		}
	}
	row("rule", a.Rule)
	row("where", a.Where)
	row("found", a.Detail)
	row("next", a.Next)
	row("roles", strings.Join(a.Roles, ", "))
	row("subject", a.Subject)
	row("ends", a.NotAfter)
	row("at", a.At)
	for _, note := range a.Notes {
		row("note", note)
	}
	if a.Tree != nil {
		fmt.Fprintln(p.out)
		p.printVerdict(a.Tree, 0)
	}
}

func (p *program) printVerdict(v *verdict, depth int) {
	sign, colour := map[string]string{verdictAccepts: "yes", verdictRefuses: "NO ", verdictUnknown: " - "}[v.Verdict], green
	switch v.Verdict {
	case verdictRefuses:
		colour = red
	case verdictUnknown:
		colour = dim
	}
	line := strings.Repeat("  ", depth) + v.Text
	if v.Line > 0 {
		line += p.paint(dim, fmt.Sprintf("  (line %d)", v.Line))
	}
	if v.Took > 0 {
		line += p.paint(dim, "  "+v.Took.Round(time.Microsecond).String())
	}
	if v.Decides {
		line += p.paint(red, "  <- decides")
	}
	fmt.Fprintf(p.out, "%s %s\n", p.paint(colour, sign), line)
	if v.Reason != "" || v.Verdict == verdictUnknown && v.Detail != "" && len(v.Children) == 0 {
		text := v.Detail
		if v.Reason != "" {
			text = v.Reason + ": " + text
		}
		fmt.Fprintf(p.out, "    %s%s\n", strings.Repeat("  ", depth), text)
	}
	for _, child := range v.Children {
		p.printVerdict(child, depth+1)
	}
}
