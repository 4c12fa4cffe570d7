package main

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"runtime"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

const (
	rowParse    = "x509.ParseRevocationList"
	rowParseCRL = "evidence.ParseCRL"
	rowLookup   = "CRL.LookupSubject"
	rowWhole    = "CRL.Lookup"
)

// bigList measures a CRL with many entries: reading it, including its signature, compared with the
// standard library's parser, which checks no signature; its memory; and a look-up.
func bigList(l *listener, entries, clients int, e effort) (section, error) {
	s := section{title: fmt.Sprintf("A CRL of %d entries", entries)}
	w, err := newWorld("p256", "Partner")
	if err != nil {
		return s, err
	}
	m, err := w.material()
	if err != nil {
		return s, err
	}
	der, err := w.list(w.issuing, entries, true)
	if err != nil {
		return s, err
	}
	o := evidence.VerifyOptions{Now: time.Now()}
	reading := &comparison{rounds: 7, contenders: []*contender{
		{name: rowParse, run: times(func() error { _, err := x509.ParseRevocationList(der); return err })},
		{name: rowParseCRL, run: times(func() error { _, err := evidence.ParseCRL(der, w.issuing, o); return err })},
	}, figures: []relation{{"reading it, to x509.ParseRevocationList, which checks no signature", to(rowParseCRL, rowParse), atMost(0.2)}}}
	read, err := reading.measure(l, e)
	if err != nil {
		return s, err
	}
	s.figures = append(s.figures, read.figures...)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list, err := evidence.ParseCRL(der, w.issuing, o)
	if err != nil {
		return s, err
	}
	runtime.ReadMemStats(&after)
	if list.Entries() != entries {
		return s, fmt.Errorf("the list has %d entries, want %d", list.Entries(), entries)
	}
	s.figures = append(s.figures, figure{"allocations of reading it", exactly(float64(after.Mallocs - before.Mallocs)), atMost(1000)})
	alive := heap()
	runtime.KeepAlive(list)
	list = nil //nolint:ineffassign,wastedassign // the next call measures the heap without it
	s.figures = append(s.figures, figure{"bytes kept of an entry of 16 octets", exactly((alive - heap()) / float64(entries)), atMost(24)})

	lookups, err := w.lookups(m, der, clients, o)
	if err != nil {
		return s, err
	}
	looked, err := lookups.measure(l, e)
	s.figures = append(s.figures, looked.figures...)
	return s, err
}

// lookups compares a look-up of certificates that are not on the list with WithContext.
func (w *world) lookups(m material, der []byte, clients int, o evidence.VerifyOptions) (*comparison, error) {
	list, err := evidence.ParseCRL(der, w.issuing, o)
	if err != nil {
		return nil, err
	}
	headers, err := w.issue(clients, w.leaf)
	if err != nil {
		return nil, err
	}
	certs := make([]*x509.Certificate, clients)
	subjects := make([]evidence.Subject, clients)
	for i, header := range headers {
		raw, err := base64.StdEncoding.DecodeString(header)
		if err != nil {
			return nil, err
		}
		if certs[i], err = x509.ParseCertificate(raw); err != nil {
			return nil, err
		}
		if subjects[i], err = evidence.NewSubject(certs[i]); err != nil {
			return nil, err
		}
	}
	at := 0
	next := func() int {
		at = (at + 1) % clients
		return at
	}
	good := func(result evidence.Result, err error) error {
		if err == nil && result.Status != evidence.Good {
			err = fmt.Errorf("status %s, want good", result.Status)
		}
		return err
	}
	return &comparison{contenders: []*contender{
		{name: rowBase, handler: fixed(withValue(m.leaf, endOf(leafKey{}))), headers: headers[:1], status: 200},
		{name: rowLookup, run: times(func() error { return good(list.LookupSubject(&subjects[next()], &o)) })},
		{name: rowWhole, run: times(func() error { return good(list.Lookup(certs[next()], o)) })},
	}, figures: []relation{
		{"a look-up as on every request (LookupSubject), to WithContext(WithValue)", to(rowLookup, rowBase), atMost(1.5)},
		{"CRL.Lookup of a parsed certificate, to WithContext(WithValue)", to(rowWhole, rowBase), atMost(1.5)},
	}}, nil
}

// times returns a function that calls do n times.
func times(do func() error) func(n int) error {
	return func(n int) error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}
