package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// lists adds a warning about lists in files that cannot be read or have ended. It fetches nothing.
func (w *weak) lists(path string, check revocation.Config) {
	check.Lists = slices.DeleteFunc(slices.Clone(check.Lists), func(l revocation.List) bool { return l.URL != "" })
	check.Logger, check.Now = nil, func() time.Time { return w.now }
	check.HTTP, check.Fetcher = revocation.HTTPOptions{}, noFetcher{}
	checker, err := revocation.New(check)
	if err != nil {
		return // without a list in a file
	}
	defer func() { _ = checker.Close() }()
	if err = checker.Preload(w.ctx); err == nil || errors.Is(err, errNotFetched) { // a delta of a list in a file
		err = checker.Ready()
	}
	if err != nil {
		w.warn(path, "%s: callers whose status is in no other place are refused", strings.Join(strings.Split(err.Error(), "\n"), "; "))
	}
}

type noFetcher struct{}

var errNotFetched = errors.New("nothing is fetched")

// Fetch implements [revocation.Fetcher].
func (noFetcher) Fetch(context.Context, revocation.Request) (revocation.Response, error) {
	return revocation.Response{}, errNotFetched
}

// soon is how long before an end there is a warning.
const soon = 90 * 24 * time.Hour

// cases adds warnings about cases that pass today and will not at "now", so that no service starts with the document, and
// about those that pass only with certificates which the front end does not forward.
func (w *weak) cases(today []policyfile.CaseResult) error {
	later := w.now.Add(soon)
	err := w.without(today, "case %q fails in 90 days or before, and then no service starts with this document: %s; give it a moment as \"at\", or a newer certificate", func(c *policyfile.Case) {
		if c.At == nil {
			c.At = &later
		}
	})
	frontEnd, _, _ := frontEndOf(w.doc.Config.Source)
	return errors.Join(err, w.without(today, "case %q passes only with the CA certificates behind the client's, and the front end forwards the client's alone: %s", func(c *policyfile.Case) {
		certs := materialOf(c.Certificate)
		if len(certs) < 2 || frontEnd == "" {
			return
		}
		whole, err := headersOf(frontEnd, certs)
		leaf, failed := headersOf(frontEnd, certs[:1])
		if err != nil || failed != nil {
			return
		}
		// The first two have a name only if the source reads no chain of theirs.
		if frontEnd == "HAProxy" || frontEnd == "Apache" || reflect.DeepEqual(whole, leaf) {
			c.Certificate = certauth.Certificates(certs[0])
		}
	}))
}

// without adds a warning about each case that passes today and fails after the change.
func (w *weak) without(today []policyfile.CaseResult, warning string, change func(*policyfile.Case)) error {
	doc := *w.doc
	doc.Cases = slices.Clone(doc.Cases)
	for i := range doc.Cases {
		if today[i].Failure == "" {
			change(&doc.Cases[i])
		}
	}
	results, err := doc.RunCases(w.ctx)
	for i, result := range results {
		if result.Failure != "" && today[i].Failure == "" {
			w.warn(fmt.Sprintf("Cases[%d]", i), warning, result.Case.Name, result.Failure)
		}
	}
	return err
}

// ends adds warnings about certificates of the configuration that expire soon or have expired.
func (w *weak) ends(path string, certs []*x509.Certificate) {
	for _, cert := range certs {
		name := nameOf(cert.RawSubject)
		switch {
		case cert.NotAfter.Before(w.now):
			w.warn(path, "%s has ended on %s", name, cert.NotAfter.UTC().Format(time.DateOnly))
		case cert.NotAfter.Before(w.now.Add(soon)):
			w.warn(path, "%s ends on %s", name, cert.NotAfter.UTC().Format(time.DateOnly))
		}
	}
}
