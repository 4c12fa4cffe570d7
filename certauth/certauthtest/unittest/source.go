package unittest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// TestSource checks a certauth.Source of your own. genuine is a request of your front end that
// carries a certificate and everything else that the source requires: certauthtest.WithPeer,
// secrets, flags. If it yields no certificate, the test fails. TestSource checks that
//
//   - the answer is the same each time, for a copy of the request, and for concurrent requests
//     (run the test with -race);
//   - the request is not changed;
//   - the source returns when the context of the request ends, and at once if it has ended;
//   - it never returns certificates together with an error, nor nil as a certificate;
//   - it never reads a header that it needs for a certificate from the first or the last of
//     two lines: a second line is an error;
//   - it does not treat a certificate header that it cannot read as absent;
//   - a request without headers, TLS and context yields no certificate;
//   - SourceFunc.Headers lists that header, which would otherwise reach the handler;
//   - nothing makes it panic: no headers at all, empty, repeated, huge and binary ones, no
//     address, TLS without a certificate.
//
// The test fails at the first violation. Body, URL and Method of the request must not matter to
// the source. TestSource does not check whether the source trusts only the front end;
// certauthtest.TestHandler does that for a service.
func TestSource(tb certauthtest.TB, from certauth.Source, genuine *http.Request) {
	tb.Helper()
	if err := checkSource(from, genuine); err != nil {
		tb.Fatalf("unittest: TestSource: %v", err)
	}
}

func checkSource(from certauth.Source, genuine *http.Request) error {
	if from == nil || genuine == nil || genuine.Header == nil {
		return errors.New("the source, the request or its headers are nil")
	}
	s := &sourceCheck{asked: from, genuine: genuine}
	if err := s.prepare(); err != nil {
		return err
	}
	first, err := s.answer(genuine)
	if err != nil {
		return err
	}
	if first.err != nil || len(first.leaf) == 0 {
		return fmt.Errorf("the request yields no certificate, so the check proves nothing: %w", errors.Join(first.err, errors.New("want one")))
	}
	s.first = first
	return errors.Join(s.steady(), s.headers(), s.nothing(), s.hostile())
}

// sourceCheck is one run.
type sourceCheck struct {
	asked   certauth.Source // as the service configures it
	source  *source.Reader  // as an Authenticator uses it
	genuine *http.Request
	first   sourceAnswer
}

// sourceAnswer is the part of a source's answer that must not vary.
type sourceAnswer struct {
	leaf []byte
	all  int
	err  error
}

func (a sourceAnswer) reason() certauth.Reason {
	var refused *certauth.Error
	switch {
	case a.err == nil && a.all == 0:
		return certauth.ReasonCertificateMissing
	case a.err == nil:
		return certauth.ReasonNone
	case errors.As(a.err, &refused):
		return refused.Reason
	}
	return certauth.ReasonCertificateMalformed
}

func (a sourceAnswer) same(as sourceAnswer) bool {
	return bytes.Equal(a.leaf, as.leaf) && a.all == as.all && a.reason() == as.reason()
}

// prepare passes the source to certauth.New for validation, and prepares it as New does.
func (s *sourceCheck) prepare() error {
	nobody := certauth.ThumbprintsSHA1{strings.Repeat("01", 20)} // New requires a policy; this one is never used
	if _, err := certauth.New(certauth.Config{Source: s.asked, Policy: nobody}); err != nil {
		return err
	}
	prepared, err := s.asked.Prepare(source.Environment{Now: time.Now, Logger: slog.New(slog.DiscardHandler), NewHop: newHop})
	s.source = prepared
	return err
}

// hop checks the sender's certificate, as an Authenticator does for its source.
type hop struct{ *certauth.Authenticator }

func newHop(from source.Source, policy any) (source.Hop, error) {
	judged, _ := policy.(certauth.Policy)
	auth, err := certauth.New(certauth.Config{Source: from, Policy: judged})
	return hop{auth}, err
}

// Admit implements [source.Hop].
func (h hop) Admit(r *http.Request) error {
	_, err := h.Check(r)
	return err
}

// answer asks once. A panic is an error, and so is an answer that no source may give.
func (s *sourceCheck) answer(r *http.Request) (sourceAnswer, error) {
	var a sourceAnswer
	err := inTime(func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("it panics: %v", p)
			}
		}()
		before := r.Header.Clone()
		a, err = s.read(r)
		if err == nil && !reflect.DeepEqual(before, r.Header) {
			err = errors.New("it changes the headers of the request")
		}
		return err
	})
	if err != nil {
		return sourceAnswer{}, err
	}
	return a, nil
}

func (s *sourceCheck) read(r *http.Request) (sourceAnswer, error) {
	var offer source.Offer
	err := s.source.Offer(r, &offer)
	certs := offer.Certificates
	if err == nil && certs == nil && offer.Len() > 0 {
		certs, err = s.source.Decode(offer, nil)
	}
	return answerOf(certs, err)
}

func answerOf(certs []*x509.Certificate, err error) (sourceAnswer, error) {
	if err != nil && len(certs) > 0 {
		return sourceAnswer{}, errors.New("it returns certificates together with an error")
	}
	if err != nil && reflect.ValueOf(err).Kind() == reflect.Pointer && reflect.ValueOf(err).IsNil() {
		return sourceAnswer{}, fmt.Errorf("its error is a nil %T, which is not nil", err)
	}
	for _, cert := range certs {
		if cert == nil || len(cert.Raw) == 0 {
			return sourceAnswer{}, errors.New("it returns nil or no certificate")
		}
	}
	a := sourceAnswer{all: len(certs), err: err}
	if len(certs) > 0 {
		a.leaf = certs[0].Raw
	}
	return a, nil
}

// steady asks the same again.
func (s *sourceCheck) steady() error {
	const callers = 16
	var group sync.WaitGroup
	var wrong [callers]error
	for i := range callers {
		r := s.genuine
		if i%2 == 1 {
			r = r.Clone(r.Context())
		}
		group.Go(func() {
			again, err := s.answer(r)
			if err == nil && !again.same(s.first) {
				err = fmt.Errorf("the answer was a certificate and is %q for the same request or a copy of it", string(again.reason()))
			}
			wrong[i] = err
		})
	}
	group.Wait()
	soon, cancel := context.WithTimeout(s.genuine.Context(), soonOver)
	defer cancel()
	_, err := s.answer(s.genuine.Clone(soon))
	cancel()
	_, errEnded := s.answer(s.genuine.Clone(soon))
	return errors.Join(errors.Join(wrong[:]...), err, errEnded)
}

// headers finds the headers on which the answer depends.
func (s *sourceCheck) headers() error {
	var found []error
	for _, name := range slices.Sorted(maps.Keys(s.genuine.Header)) {
		values := s.genuine.Header[name]
		without, err := s.with(name)
		if err != nil || without.reason() == certauth.ReasonNone {
			found = append(found, err)
			continue // no certificate depends on this header
		}
		if !slices.ContainsFunc(s.source.Headers, func(known string) bool { return strings.EqualFold(known, name) }) && without.reason() == certauth.ReasonCertificateMissing {
			found = append(found, fmt.Errorf("the certificate is in %s, which Headers does not list: it would reach the handler", name))
		}
		for _, lines := range [][]string{{values[0], values[0]}, {values[0], "x"}, {"x", values[0]}} {
			doubled, err := s.with(name, lines...)
			if err == nil && (doubled.reason() == certauth.ReasonNone || doubled.reason() == certauth.ReasonCertificateMissing) {
				err = fmt.Errorf("%s occurs twice, and the answer is %q instead of a refusal", name, string(doubled.reason()))
			}
			found = append(found, err)
		}
		if without.reason() != certauth.ReasonCertificateMissing {
			continue
		}
		for _, value := range []string{values[0][:len(values[0])/2], values[0] + "x", values[0] + strings.Repeat("A", 1<<20), values[0] + "," + values[0], "x", "(null)x"} {
			damaged, err := s.with(name, value)
			if err == nil && damaged.reason() == certauth.ReasonCertificateMissing {
				err = fmt.Errorf("%s cannot be read and is treated as absent: with Config.Optional a client that damages it is let through", name)
			}
			found = append(found, err)
		}
	}
	return errors.Join(found...)
}

// with asks with other lines of one header. No lines removes the header.
func (s *sourceCheck) with(name string, lines ...string) (sourceAnswer, error) {
	r := s.genuine.Clone(s.genuine.Context())
	if r.Header[name] = lines; len(lines) == 0 {
		delete(r.Header, name)
	}
	a, err := s.answer(r)
	if err != nil {
		err = fmt.Errorf("with other lines of %s: %w", name, err)
	}
	return a, err
}

// nothing asks with a request that carries no certificate anywhere.
func (s *sourceCheck) nothing() error {
	a, err := s.answer(&http.Request{Method: s.genuine.Method, URL: s.genuine.URL, Header: http.Header{}})
	if err == nil && a.reason() == certauth.ReasonNone {
		err = errors.New("a request without headers, TLS and context yields a certificate too: every caller would be that client")
	}
	return err
}

// hostile asks with values that no honest front end sends. Any answer that returns is acceptable.
func (s *sourceCheck) hostile() error {
	var found []error
	try := func(what string, change func(r *http.Request)) {
		r := s.genuine.Clone(s.genuine.Context())
		change(r)
		if _, err := s.answer(r); err != nil {
			found = append(found, fmt.Errorf("%s: %w", what, err))
		}
	}
	try("no headers", func(r *http.Request) { r.Header = http.Header{} })
	try("nil headers", func(r *http.Request) { r.Header = nil })
	try("no address", func(r *http.Request) { r.RemoteAddr = "" })
	try("an address of a unix socket", func(r *http.Request) { r.RemoteAddr = "@" })
	try("no TLS", func(r *http.Request) { r.TLS = nil })
	try("TLS without a certificate", func(r *http.Request) { r.TLS = &tls.ConnectionState{} })
	try("no context of a server", func(r *http.Request) { *r = *r.WithContext(context.Background()) })
	for _, name := range slices.Sorted(maps.Keys(s.genuine.Header)) {
		for what, lines := range map[string][]string{
			"no line": {}, "an empty line": {""}, "a thousand lines": make([]string, 1000), "a megabyte": {strings.Repeat("A", 1<<20)}, "every byte": {everyByte()},
			"commas": {strings.Repeat(",", 10_000)}, "percent signs": {strings.Repeat("%", 10_000)}, "quotes": {strings.Repeat(`";`, 10_000)}, "a long list": {strings.Repeat("a=b,", 10_000)},
			"a DER bomb": {strings.Repeat("MIAwgDCA", 2000)}, "markers of PEM": {strings.Repeat("-----BEGIN CERTIFICATE-----", 1000)},
		} {
			try(name+" with "+what, func(r *http.Request) { r.Header[name] = lines })
		}
	}
	return errors.Join(found...)
}

func everyByte() string {
	var b strings.Builder
	for i := range 256 {
		b.WriteByte(byte(i))
	}
	return b.String()
}
