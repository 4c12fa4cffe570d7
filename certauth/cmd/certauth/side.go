package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// side is one of the two documents, for one worker.
type side struct {
	doc    *policyfile.Document
	dir    string // of the document
	config certauth.Config
	auth   *certauth.Authenticator
	now    time.Time
}

// again returns a side for another worker.
func (s *side) again() (*side, error) {
	own := &side{doc: s.doc, dir: s.dir, config: s.config}
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
	s := &side{doc: doc, dir: filepath.Dir(name), config: certauth.Config{
		Source: forwarded.Header{
			From: forwarded.InsecureAnyPeer(), Name: judgeHeader, Format: forwarded.FormatBase64DERList,
			Require: []forwarded.Flag{{Header: judgeFlag, Value: "1"}}, FrontEndVerifies: sourceVerifies(config.Source),
		},
		Policy: config.Policy,
	}}
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

// differentChecks returns the names of the revocation checks whose settings differ. Names of files are
// compared as they are seen from the document.
func differentChecks(old, now *side) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(old.doc.Revocation)) {
		if !reflect.DeepEqual(old.settings(name), now.settings(name)) { //nolint:govet // deepequalerrors: settings in a document hold no error
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now.doc.Revocation)) {
		if _, both := old.doc.Revocation[name]; !both {
			names = append(names, name)
		}
	}
	return names
}

// settings returns those of a revocation check, or nil.
func (s *side) settings(name string) *revocation.Config {
	config, ok := s.doc.Revocation[name]
	if !ok {
		return nil
	}
	config.Lists = slices.Clone(config.Lists)
	for i := range config.Lists {
		for _, path := range []*string{&config.Lists[i].File, &config.Lists[i].Dir} {
			if relative, err := filepath.Rel(s.dir, *path); err == nil {
				*path = relative
			}
		}
	}
	return &config
}
