package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// side is one of the two documents, for one worker.
type side struct {
	doc     *policyfile.Document
	written map[string]any    // the members of the document that decide who is let in
	content map[string]string // digests of the files that these name
	config  certauth.Config
	auth    *certauth.Authenticator
	now     time.Time
}

// again returns a side for another worker.
func (s *side) again() (*side, error) {
	own := &side{doc: s.doc, written: s.written, content: s.content, config: s.config}
	config := s.config
	config.Now = func() time.Time { return own.now }
	var err error
	own.auth, err = certauth.New(config)
	return own, err
}

func newSide(p *program, name string, assume certauth.RevocationStatus) (*side, error) {
	doc, err := policyfile.Load(name, certauth.Config{Now: p.now})
	if err != nil {
		return nil, err
	}
	config, err := doc.WithoutGate(&assumed{assume})
	if err != nil {
		return nil, errors.Join(err, doc.Close())
	}
	written, err := p.written(name)
	if err != nil {
		return nil, errors.Join(err, doc.Close())
	}
	s := &side{doc: doc, written: written, content: map[string]string{}, config: certauth.Config{
		Source: forwarded.Header{
			From: forwarded.InsecureAnyPeer(), Name: judgeHeader, Format: forwarded.FormatBase64DERList,
			Require: []forwarded.Flag{{Header: judgeFlag, Value: "1"}}, FrontEndVerifies: sourceVerifies(config.Source),
		},
		Policy: config.Policy,
	}}
	contents(written, filepath.Dir(name), s.content)
	if s, err = s.again(); err != nil {
		return nil, errors.Join(err, doc.Close())
	}
	return s, nil
}

// decide returns the decision about the certificates in a few words, and the roles of a caller that is let
// in.
func (s *side) decide(r *http.Request, at time.Time) (decision string, roles []string, in bool) {
	s.now = at
	id, err := s.auth.Check(r)
	if refused, ok := errors.AsType[*certauth.Error](err); ok {
		return string(refused.Reason) + " by " + refused.Rule, nil, false
	}
	if err != nil {
		return err.Error(), nil, false
	}
	return acceptedAs(id.Matched), id.Matched, true
}

func acceptedAs(roles []string) string {
	if len(roles) == 0 {
		return "accepted"
	}
	return "accepted as " + strings.Join(roles, ", ")
}

// judge returns the decisions about the cases of any document, in the words of decide. Each case is judged
// with the revocation status that it names.
func (s *side) judge(ctx context.Context, cases []policyfile.Case) ([]string, error) {
	doc := *s.doc
	doc.Cases = cases
	results, err := doc.RunCases(ctx)
	if err != nil {
		return nil, err
	}
	var decisions []string
	for _, result := range results {
		switch {
		case result.Got == "":
			return nil, fmt.Errorf("case %q: %s", result.Case.Name, result.Failure)
		case result.Refusal != nil:
			decisions = append(decisions, string(result.Refusal.Reason)+" by "+result.Refusal.Rule)
		case result.Got == certauth.OutcomeAccepted:
			decisions = append(decisions, acceptedAs(result.Roles))
		default:
			decisions = append(decisions, string(result.Got))
		}
	}
	return decisions, nil
}

// beside returns the names of the members that differ, beside the policy: source with its gate, mode,
// exclusions, and each revocation check. They are compared as they are written, because what is printed of
// them is not everything, and secrets are never printed.
func (s *side) beside(other *side) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.written)) {
		if name != "policy" && !reflect.DeepEqual(s.written[name], other.written[name]) {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(other.written)) {
		if _, both := s.written[name]; !both {
			names = append(names, name)
		}
	}
	return names
}

// written reads the members of a document that decide who is let in. The document is known to be valid.
func (p *program) written(name string) (map[string]any, error) {
	content, err := p.read(name)
	if err != nil {
		return nil, err
	}
	var all map[string]any
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, err
	}
	found := map[string]any{}
	for _, member := range []string{"policy", "source", "optional", "exclusions", "insecureReportOnly", "reloadInterval"} {
		if value, ok := all[member]; ok && value != any(false) {
			found[member] = value
		}
	}
	checks, _ := all["revocation"].(map[string]any)
	for check, settings := range checks {
		found["revocation."+check] = settings
	}
	return found, nil
}

// contents adds the digest of each file and directory that a part of a document names.
func contents(part any, dir string, digests map[string]string) {
	switch part := part.(type) {
	case []any:
		for _, item := range part {
			contents(item, dir, digests)
		}
	case map[string]any:
		for member, value := range part {
			name, ok := value.(string)
			if ok && slices.Contains([]string{"pemFile", "certFile", "certDir", "file", "dir"}, member) {
				digests[name] = contentOf(name, dir)
			}
			contents(value, dir, digests)
		}
	}
}

// contentOf returns the digest of a file, or of all files in a directory.
func contentOf(name, dir string) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	files := []string{name}
	if entries, err := os.ReadDir(name); err == nil {
		files = nil
		for _, entry := range entries {
			if !strings.HasPrefix(entry.Name(), ".") {
				files = append(files, filepath.Join(name, entry.Name()))
			}
		}
	}
	h := sha256.New()
	for _, file := range files {
		own := sha256.New()
		if isFile(file) == nil { // a pipe has no end
			if content, err := os.Open(file); err == nil { //nolint:gosec // the operator's document names it
				_, _ = io.Copy(own, content)
				_ = content.Close()
			}
		}
		fmt.Fprintf(h, "%q %x\n", filepath.Base(file), own.Sum(nil))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// otherContents returns the names behind which both documents have different contents.
func (s *side) otherContents(other *side) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(s.content)) {
		if digest, both := other.content[name]; both && digest != s.content[name] {
			names = append(names, name)
		}
	}
	return names
}
