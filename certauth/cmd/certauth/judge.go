package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// judge evaluates single rules of a policy for one caller, to show their answers. The whole policy is
// evaluated elsewhere.
type judge struct {
	ctx      context.Context
	doc      *policyfile.Document
	certs    []*x509.Certificate
	now      time.Time
	verifies bool // the document treats the front end's verification as an anchor
	checkers map[string]certauth.RevocationChecker
}

// Verdicts of a rule.
const (
	verdictAccepts = "accepts"
	verdictRefuses = "refuses"
	verdictUnknown = "not judged"
)

// verdict is the answer of one rule, with those of its members.
type verdict struct {
	// Rule is the path of the rule, as in a certauth.Error.
	Rule string `json:"rule"`
	// Text is the rule as it is written in the document.
	Text string `json:"text"`
	Line int    `json:"line,omitempty"`
	// Verdict is "accepts", "refuses" or "not judged".
	Verdict  string        `json:"verdict"`
	Reason   string        `json:"reason,omitempty"`
	Detail   string        `json:"detail,omitempty"`
	Took     time.Duration `json:"took_ns,omitempty"`
	Decides  bool          `json:"decides,omitempty"` // the whole policy refuses because of this rule
	Children []*verdict    `json:"children,omitempty"`
}

// beside holds the policies that a rule needs around it to be evaluated alone.
type beside struct {
	anchors    []certauth.Policy
	validities []certauth.Policy
	before     []certauth.Policy // everything, for Matched
	serverAuth []certauth.AcceptServerAuth
}

const (
	judgeHeader = "X-Explain-Certificate"
	judgeFlag   = "X-Explain-Verified"
)

// tree evaluates every rule.
func (j *judge) tree(policy certauth.Policy) *verdict {
	root := &verdict{Rule: "Always on", Text: "validity, usage, key and form of the certificate"}
	var always []certauth.Policy
	if all, ok := policy.(certauth.All); ok {
		for _, member := range all {
			if v, ok := member.(certauth.Validity); ok {
				always = append(always, certauth.Validity{ClockSkew: v.ClockSkew})
			}
		}
	}
	always = append(always, certauth.PolicyFunc{Name: "always on", Func: func(context.Context, *certauth.Identity) error { return nil }})
	j.ask(root, certauth.All(always), "", true, j.now)
	top := &verdict{Rule: "Policy", Text: "the whole policy"}
	top.Children = []*verdict{root, j.walk(policy, "Policy", beside{})}
	top.Verdict = combine(top.Children, true)
	return top
}

func (j *judge) walk(policy certauth.Policy, path string, around beside) *verdict {
	v := &verdict{}
	v.Line, _ = j.doc.Position(path)
	switch p := policy.(type) {
	case certauth.All:
		v.Rule, v.Text = path+".All", "all of"
		for i, member := range p {
			inner := around
			inner.anchors, inner.validities = append([]certauth.Policy(nil), around.anchors...), append([]certauth.Policy(nil), around.validities...)
			for k, sibling := range p {
				switch {
				case k == i:
				case holdsAnchor(sibling):
					inner.anchors = append(inner.anchors, sibling)
				case isValidity(sibling):
					inner.validities = append(inner.validities, sibling)
				}
			}
			inner.before = append(append([]certauth.Policy(nil), around.before...), p[:i]...)
			v.Children = append(v.Children, j.walk(member, fmt.Sprintf("%s.All[%d]", path, i), inner))
		}
		v.Verdict = combine(v.Children, true)
	case certauth.Any:
		v.Rule, v.Text = path+".Any", "any of"
		for i, member := range p {
			v.Children = append(v.Children, j.walk(member, fmt.Sprintf("%s.Any[%d]", path, i), around))
		}
		v.Verdict = combine(v.Children, false)
	case certauth.Named:
		v.Rule, v.Text = fmt.Sprintf("%s.Named(%q)", path, p.Name), fmt.Sprintf("named %q", p.Name)
		v.Children = []*verdict{j.walk(p.Policy, v.Rule, around)}
		v.Verdict = v.Children[0].Verdict
	case certauth.AcceptServerAuth:
		v.Rule, v.Text = path+".AcceptServerAuth", fmt.Sprintf("serverAuth accepted for clientAuth, because: %q", p.Reason)
		around.serverAuth = append(append([]certauth.AcceptServerAuth(nil), around.serverAuth...), p)
		v.Children = []*verdict{j.walk(p.Policy, v.Rule, around)}
		v.Verdict = v.Children[0].Verdict
	case certauth.Not:
		v.Rule, v.Text = path+".Not", "not"
		v.Children = []*verdict{j.walk(p.Policy, v.Rule, around)}
		j.single(v, policy, around)
	default:
		v.Rule, v.Text = path+"."+kindName(policy), j.text(policy)
		j.single(v, policy, around)
	}
	return v
}

func kindName(policy certauth.Policy) string {
	if from, ok := policy.(interface {
		Reference() (string, certauth.PinSource)
	}); ok {
		name, _ := from.Reference()
		return name
	}
	if reflect.TypeOf(policy) == reflect.TypeOf(certauth.Certificates()) {
		return "Certificates"
	}
	return reflect.Indirect(reflect.ValueOf(policy)).Type().Name()
}

func isAnchor(policy certauth.Policy) bool {
	switch policy.(type) {
	case certauth.Chain, certauth.Thumbprints, certauth.ThumbprintsSHA1, certauth.PublicKeys:
		return true
	}
	name := kindName(policy)
	return name == "Certificates" || strings.HasSuffix(name, "From")
}

// holdsAnchor reports whether the policy is an anchor, or has one in a branch.
func holdsAnchor(policy certauth.Policy) bool {
	switch p := policy.(type) {
	case certauth.All:
		return slices.ContainsFunc(p, holdsAnchor)
	case certauth.Any:
		return slices.ContainsFunc(p, holdsAnchor)
	case certauth.Named:
		return holdsAnchor(p.Policy)
	case certauth.AcceptServerAuth:
		return holdsAnchor(p.Policy)
	}
	return isAnchor(policy)
}

func isValidity(policy certauth.Policy) bool {
	_, ok := policy.(certauth.Validity)
	return ok
}

// needsChain reports whether the rule depends on a verified chain.
func needsChain(policy certauth.Policy) bool {
	switch p := policy.(type) {
	case certauth.IssuedBy, certauth.IssuerName, certauth.NotRevoked, certauth.Denied:
		return true
	case certauth.Not:
		return needsChain(p.Policy)
	case certauth.All:
		for _, member := range p {
			if needsChain(member) {
				return true
			}
		}
	case certauth.Any:
		return needsChain(certauth.All(p))
	}
	return false
}

// single evaluates one rule with the policies that it needs around it.
func (j *judge) single(v *verdict, policy certauth.Policy, around beside) {
	parts := append([]certauth.Policy(nil), around.validities...)
	verifies, at := false, j.now
	switch {
	case isAnchor(policy):
	case needsChain(policy):
		parts = append(parts, around.anchors...)
		verifies = j.verifies && len(around.anchors) == 0
	default:
		if _, ok := policy.(certauth.Matched); ok {
			parts = append(append([]certauth.Policy(nil), around.before...), parts...)
			verifies = j.verifies
			break
		}
		// Names do not depend on the time, so they can be judged even if the certificate has
		// expired.
		verifies = true
		if !isValidity(policy) {
			at = within(j.now, j.certs)
		}
	}
	rule := fmt.Sprintf("Policy.All[%d]", len(parts))
	combined := certauth.Policy(certauth.All(append(append([]certauth.Policy(nil), parts...), policy)))
	for i := len(around.serverAuth) - 1; i >= 0; i-- {
		if !verifies {
			combined = certauth.AcceptServerAuth{Reason: around.serverAuth[i].Reason, Policy: combined}
			rule = strings.Replace(rule, "Policy.", "Policy.AcceptServerAuth.", 1)
		}
	}
	j.ask(v, combined, rule, verifies, at)
}

// within returns now, or a moment at which the leaf is valid.
func within(now time.Time, certs []*x509.Certificate) time.Time {
	if len(certs) == 0 || !now.Before(certs[0].NotBefore) && !now.After(certs[0].NotAfter) {
		return now
	}
	return certs[0].NotBefore.Add(certs[0].NotAfter.Sub(certs[0].NotBefore) / 2)
}

// ask evaluates a policy. A refusal by another rule is not an answer of the rule in question.
func (j *judge) ask(v *verdict, policy certauth.Policy, rule string, verifies bool, at time.Time) {
	v.Verdict = verdictUnknown
	if len(j.certs) == 0 {
		v.Detail = "no certificate"
		return
	}
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Header{
			From: forwarded.InsecureAnyPeer(), Name: judgeHeader, Format: forwarded.FormatBase64DERList,
			Require: []forwarded.Flag{{Header: judgeFlag, Value: "1"}}, FrontEndVerifies: verifies,
		},
		Policy: policy, CacheSize: -1, Now: func() time.Time { return at },
	})
	if err != nil {
		v.Detail = oneLine(err.Error())
		return
	}
	r, err := http.NewRequestWithContext(j.ctx, http.MethodGet, "/", http.NoBody)
	if err != nil {
		v.Detail = err.Error()
		return
	}
	r.Header.Set(judgeHeader, base64List(j.certs))
	r.Header.Set(judgeFlag, "1")
	begin := time.Now()
	_, err = auth.Check(r)
	v.Took = time.Since(begin)
	refused, ok := errors.AsType[*certauth.Error](err)
	switch {
	case err == nil:
		v.Verdict = verdictAccepts
	case !ok:
		v.Detail = err.Error()
	case rule == "" || under(refused.Rule, rule):
		v.Verdict, v.Reason, v.Detail = verdictRefuses, string(refused.Reason), detailOf(refused)
	default:
		v.Detail = "it is not reached: " + string(refused.Reason)
	}
}

// under reports whether the path is that of the rule or below it.
func under(path, rule string) bool {
	rest, ok := strings.CutPrefix(path, rule)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[("))
}

func detailOf(refused *certauth.Error) string {
	if refused.Err == nil {
		return ""
	}
	return refused.Err.Error()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func base64List(certs []*x509.Certificate) string {
	var texts []string
	for _, cert := range certs {
		texts = append(texts, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return strings.Join(texts, ",")
}

// combine returns the answer of an All or an Any with these members.
func combine(children []*verdict, all bool) string {
	decisive, other := verdictRefuses, verdictAccepts
	if !all {
		decisive, other = other, decisive
	}
	result := other
	for _, child := range children {
		switch child.Verdict {
		case decisive:
			return decisive
		case verdictUnknown:
			result = verdictUnknown
		}
	}
	return result
}

// text returns the rule as it is written in the document, on one line.
func (j *judge) text(policy certauth.Policy) string {
	written, err := policyfile.MarshalPolicy(policy, j.checkers)
	if err != nil {
		return kindName(policy)
	}
	var b bytes.Buffer
	if json.Compact(&b, written) != nil {
		return kindName(policy)
	}
	text := strings.TrimSuffix(strings.TrimPrefix(b.String(), "{"), "}")
	const most = 100
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// mark marks the rule that decided, and returns it.
func mark(v *verdict, rule string) *verdict {
	best := (*verdict)(nil)
	var visit func(v *verdict)
	visit = func(v *verdict) {
		if under(rule, v.Rule) && (best == nil || len(v.Rule) >= len(best.Rule)) {
			best = v
		}
		for _, child := range v.Children {
			visit(child)
		}
	}
	visit(v)
	if best != nil {
		best.Decides = true
	}
	return best
}
