package policyfile

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// Case is a test in a document: what a caller presents, and the expected outcome.
type Case struct {
	// Name describes the case. Names are unique.
	Name string
	// Certificate holds the certificates that the caller presents: its own first, then those it sends
	// along. With neither Certificate nor Headers the caller has none.
	Certificate certauth.CertSource
	// Headers are header lines of the request as the front end sends it, such as "X-ARR-ClientCert:
	// MII...". The document's source reads them. Its gate accepts every sender, because a case has no
	// socket, and for App Service the platform's evidence is added.
	Headers []string
	// Method and Path are those of the request. The defaults are GET and "/".
	Method, Path string
	// At is the time of the request, "2026-12-01T00:00:00Z", or "now", which is nil. A case at "now"
	// begins to fail when its certificate expires, and a service that starts after that refuses the
	// document.
	At *time.Time
	// Revocation is the status that every revocation check finds. The default is good. Nothing is
	// fetched. A check with SoftFail accepts what it would accept in operation.
	Revocation certauth.RevocationStatus
	// Expect is "accepted", "anonymous", "excluded", or the reason of the refusal.
	Expect certauth.Outcome
	// Rule, if set, is the path of the rule that must refuse.
	Rule string
	// Roles, if set, are the names of all Named policies that must have accepted, in any order.
	Roles []string
}

// CaseResult is the result of one case.
type CaseResult struct {
	Case Case
	// Got is the outcome, or the reason of the refusal. It is empty if the certificates of the case
	// cannot be read.
	Got certauth.Outcome
	// Refusal is set if the caller was refused.
	Refusal *certauth.Error
	// Roles are the roles of an accepted caller.
	Roles []string
	// Failure describes the difference from the expectation. It is empty if there is none.
	Failure string
}

// checkCases finds mistakes in the cases themselves.
func checkCases(doc *Document, root *node) Mistakes {
	var mistakes Mistakes
	seen := map[string]bool{}
	for i, c := range doc.Cases {
		if len(mistakes) >= maxMistakes {
			break
		}
		n := root.member("cases").items[i]
		wrong := func(format string, args ...any) {
			m := mistakeAt(doc.text, n.at, n.path(), fmt.Sprintf(format, args...))
			m.value = true
			mistakes = append(mistakes, m)
		}
		if strings.TrimSpace(c.Name) == "" || seen[c.Name] {
			wrong("name: %s, want a name that no other case has", quoted(c.Name))
		}
		seen[c.Name] = true
		if c.Certificate != nil && len(c.Headers) > 0 {
			wrong("certificate and headers: only one of them")
		}
		if c.Expect != certauth.OutcomeAccepted && n.member("roles") != nil {
			wrong("roles: only an accepted caller has any")
		}
		if c.Path != "" && !strings.HasPrefix(c.Path, "/") {
			wrong("path: %s, want a path that begins with /", quoted(c.Path))
		}
		for _, line := range c.Headers {
			if name, _, ok := strings.Cut(line, ":"); !ok || strings.TrimSpace(name) != name || name == "" {
				wrong(`headers: %s, want "Name: value"`, quoted(line))
			}
		}
	}
	return mistakes
}

type caseKey struct{}

// caseChecker answers with the status in the case.
type caseChecker struct{}

func (*caseChecker) CheckChain(ctx context.Context, _ []*x509.Certificate) (certauth.Revocation, error) {
	c, ok := ctx.Value(caseKey{}).(Case)
	if !ok {
		return certauth.Revocation{}, errors.New("no case")
	}
	return certauth.Revocation{Status: c.Revocation, Source: "case " + quoted(c.Name)}, nil
}

// standIn answers with the status of another checker, under the settings of the document's own.
type standIn struct {
	certauth.RevocationChecker
	name     string
	settings revocation.Config
}

func (s *standIn) CheckChain(ctx context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	found, err := s.RevocationChecker.CheckChain(ctx, chain)
	soft := s.settings.Mode == revocation.SoftFail
	if err == nil && soft && (found.Status == certauth.RevocationUnavailable || found.Status == certauth.RevocationUnknown && s.settings.AllowUnknown) {
		found.Status, found.Why = certauth.RevocationWaived, "no evidence"
	}
	return found, err
}

const (
	caseHeader = "X-Case-Certificate"
	caseFlag   = "X-Case-Verified"
)

// RunCases runs the cases in their order. They are judged by a copy of the policy whose revocation
// checks answer with the status in the case and whose gate accepts every sender, at the time that the
// case names. RunCases therefore opens no socket and does not test the gate. It returns an error if
// the cases could not be run.
func (doc *Document) RunCases(ctx context.Context) ([]CaseResult, error) {
	if len(doc.Cases) == 0 {
		return nil, nil
	}
	r := &caseRunner{}
	for _, direct := range []bool{false, true} {
		config, err := doc.caseConfig(direct)
		if err != nil {
			return nil, err
		}
		config.Now = func() time.Time { return *r.now.Load() }
		config.Observe = func(_ context.Context, event certauth.Event) {
			if event.Method != "" {
				r.event = event
			}
		}
		r.setClock(doc.clock())
		auth, err := certauth.New(config)
		if err != nil {
			return nil, fmt.Errorf("policyfile: cases: %w", err)
		}
		if direct {
			r.direct = auth
		} else {
			r.whole = auth
		}
	}
	var results []CaseResult
	for _, c := range doc.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		result, err := r.run(ctx, doc, c)
		if err != nil {
			return nil, fmt.Errorf("policyfile: case %s: %w", quoted(c.Name), err)
		}
		results = append(results, result)
	}
	return results, nil
}

func (doc *Document) clock() time.Time {
	if doc.Config.Now != nil {
		return doc.Config.Now()
	}
	return time.Now() //nolint:forbidigo // the default of the injected clock
}

// WithoutGate returns the Config of the document without code, for tools that have no socket and do
// not run on the platform: its gate accepts every sender, and it assumes that this process runs on App
// Service. Never serve requests with it. If checker is not nil, it replaces every revocation check: it
// returns the status of the certificate, and the settings of the original check determine whether that
// is sufficient (SoftFail, AllowUnknown).
func (doc *Document) WithoutGate(checker certauth.RevocationChecker) (certauth.Config, error) {
	d := &decoder{text: doc.text, dir: filepath.Dir(doc.name), material: &material{}, open: true, checkers: map[string]certauth.RevocationChecker{}}
	for name, own := range doc.Checkers {
		if d.checkers[name] = own; checker != nil {
			d.checkers[name] = &standIn{checker, name, doc.Revocation[name]}
		}
	}
	c := d.content(doc.root)
	if len(d.mistakes) > 0 { // a file has changed since
		return certauth.Config{}, d.mistakes
	}
	var config certauth.Config
	c.into(&config)
	return config, nil
}

// caseConfig returns the configuration for cases. If direct, the certificate itself is the source.
func (doc *Document) caseConfig(direct bool) (certauth.Config, error) {
	config, err := doc.WithoutGate(&caseChecker{})
	if err != nil {
		return config, err
	}
	config.CacheSize, config.InsecureReportOnly, config.LogRepeats = -1, false, true
	if direct {
		config.Source = forwarded.Header{
			From: forwarded.InsecureAnyPeer(), Name: caseHeader, Format: forwarded.FormatBase64DERList,
			Require: []forwarded.Flag{{Header: caseFlag, Value: "1"}}, FrontEndVerifies: frontEndVerifies(config.Source),
		}
	}
	return config, nil
}

// frontEndVerifies reports whether the source treats the front end's verification as an anchor.
func frontEndVerifies(source certauth.Source) bool {
	v := reflect.Indirect(reflect.ValueOf(source))
	if v.Kind() != reflect.Struct {
		return false
	}
	field := v.FieldByName("FrontEndVerifies")
	return field.IsValid() && field.Kind() == reflect.Bool && field.Bool()
}

// maxPresented bounds how many certificates of a case are presented. No source accepts so many.
const maxPresented = 100

type caseRunner struct {
	whole, direct *certauth.Authenticator
	material      material
	now           atomic.Pointer[time.Time] // also used when material is reloaded while the cases run
	event         certauth.Event
}

func (r *caseRunner) setClock(now time.Time) { r.now.Store(&now) }

func (r *caseRunner) run(ctx context.Context, doc *Document, c Case) (CaseResult, error) {
	result := CaseResult{Case: c}
	request, err := c.request(context.WithValue(ctx, caseKey{}, c), doc.Config.Source)
	if err != nil {
		return result, err
	}
	auth := r.whole
	if c.Certificate != nil {
		list, err := r.material.certificates(c.Certificate)
		if err != nil {
			result.Failure = err.Error()
			return result, nil //nolint:nilerr // the case fails, and the others are run
		}
		var texts []string
		for _, cert := range list[:min(len(list), maxPresented)] {
			texts = append(texts, base64.StdEncoding.EncodeToString(cert.Raw))
		}
		request.Header.Set(caseHeader, strings.Join(texts, ","))
		request.Header.Set(caseFlag, "1")
		auth = r.direct
	}
	r.event = certauth.Event{}
	if c.At != nil {
		r.setClock(*c.At)
	} else {
		r.setClock(doc.clock())
	}
	_, err = auth.Admit(request)
	result.Got = r.event.Outcome
	if refused, ok := errors.AsType[*certauth.Error](err); ok {
		result.Refusal, result.Got = refused, certauth.Outcome(refused.Reason)
	} else if err != nil {
		return result, err
	}
	if r.event.Identity != nil {
		result.Roles = slices.Clone(r.event.Identity.Matched)
	}
	result.Failure = result.compare()
	return result, nil
}

func (r *CaseResult) compare() string {
	switch {
	case r.Got != r.Case.Expect && r.Refusal != nil:
		return fmt.Sprintf("expected %s, got %s by %s: %v (%s)", r.Case.Expect, r.Got, r.Refusal.Rule, r.Refusal.Err, r.Refusal.Hint)
	case r.Got != r.Case.Expect:
		return fmt.Sprintf("expected %s, got %s", r.Case.Expect, r.Got)
	case r.Case.Rule != "" && (r.Refusal == nil || r.Refusal.Rule != r.Case.Rule):
		rule := "no rule"
		if r.Refusal != nil {
			rule = r.Refusal.Rule
		}
		return fmt.Sprintf("expected the rule %s, got %s", r.Case.Rule, rule)
	case r.Case.Roles != nil && !sameSet(r.Case.Roles, r.Roles):
		return fmt.Sprintf("expected the roles %q, got %q", r.Case.Roles, r.Roles)
	}
	return ""
}

func sameSet(a, b []string) bool {
	x, y := slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

// request makes the request of a case.
func (c Case) request(ctx context.Context, source certauth.Source) (*http.Request, error) {
	method, path := c.Method, c.Path
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = "/"
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://case.invalid"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = path, "", "" // as in a request that a server received
	if _, ok := source.(forwarded.AppService); ok && len(c.Headers) > 0 {
		r.Header.Set("X-ARR-LOG-ID", "00000000-0000-0000-0000-000000000000")
		r.Header.Set("X-ARR-SSL", "2048|256|CN=issuer|CN=server")
	}
	for _, line := range c.Headers {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r, nil
}
