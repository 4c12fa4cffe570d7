package main

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// side is one of the two documents, for one worker.
type side struct {
	doc    *policyfile.Document
	config certauth.Config
	auth   *certauth.Authenticator
	now    time.Time
}

// again returns a side for another worker.
func (s *side) again() (*side, error) {
	own := &side{doc: s.doc, config: s.config}
	config := s.config
	config.Now = func() time.Time { return own.now }
	var err error
	own.auth, err = certauth.New(config)
	return own, err
}

func newSide(name string, assume certauth.RevocationStatus) (*side, error) {
	doc, err := policyfile.Load(name, certauth.Config{})
	if err != nil {
		return nil, err
	}
	config, err := doc.WithoutGate(&assumed{assume})
	if err != nil {
		return nil, errors.Join(err, doc.Close())
	}
	s := &side{doc: doc, config: certauth.Config{
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
	if len(id.Matched) == 0 {
		return "accepted", nil, true
	}
	return "accepted as " + strings.Join(id.Matched, ", "), id.Matched, true
}
