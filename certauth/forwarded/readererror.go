package forwarded

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/parsefault"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

func (s *reader) rule() string { return s.rulePath }

func (s *reader) none(r *http.Request) *certauth.Error {
	hint := s.missing
	if s.traffic != nil {
		hint = cmp.Or(s.traffic(r), hint)
	}
	return &certauth.Error{
		Reason: certauth.ReasonCertificateMissing, Rule: s.rule(),
		Hint: hint, Err: errors.New("no " + s.header),
	}
}

// notAdmitted is the refusal of a certificate that an unknown sender may have written.
func (s *reader) notAdmitted(err error) *certauth.Error {
	refused := &certauth.Error{Reason: certauth.ReasonSourceUntrusted, Rule: s.rule(), Hint: s.untrusted, Err: err}
	if unknown := (*socket.Error)(nil); errors.As(err, &unknown) {
		refused.Hint = unknown.Hint
	}
	return refused
}

// warn tells once that the server is not set up for the gate: it refuses every request, and
// where no certificate is sent, nothing else says why the gate is shut.
func (s *reader) warn(err error) {
	if s.logger == nil || !errors.Is(err, socket.ErrNotKept) {
		return
	}
	s.warned.Do(func() {
		s.logger.Warn("forwarded: the gate of "+s.preset+".From cannot tell who sends requests and refuses every certificate",
			"detail", err.Error(), "hint", socket.ErrNotKept.Hint)
	})
}

// lost is none where the front end says that it verified a certificate. This gives the
// client no advantage: a client that has its certificate dropped on the way, as Connection
// makes Apache do, could as well have sent none.
func (s *reader) lost(flag string) *certauth.Error {
	return &certauth.Error{
		Reason: certauth.ReasonCertificateMissing, Rule: s.rule(),
		Hint: "the front end left it out: was it larger than the front end forwards, is it set on this route, or does Connection name it?",
		Err:  fmt.Errorf("no %s, although %s says that one was verified", s.header, flag),
	}
}

func (s *reader) malformed(detail error, hint string) *certauth.Error {
	return &certauth.Error{Reason: certauth.ReasonCertificateMalformed, Rule: s.rule(), Hint: hint, Err: wordsError{detail}}
}

// wordsError is an error as text alone: what is wrong with a header must not be taken for
// something else that it is made of.
type wordsError struct{ detail error }

func (e wordsError) Error() string { return e.detail.Error() }

// tooLong is formatted only when it is read: it is the cheapest refusal.
func (s *reader) tooLong(n int) *certauth.Error {
	return &certauth.Error{Reason: certauth.ReasonCertificateMalformed, Rule: s.rulePath, Hint: s.formHint, Err: lengthError{s.header, n, s.codec.limit}}
}

// headerError says in which header the mistake is, when it is read.
type headerError struct {
	header string
	err    error
}

func (e headerError) Error() string { return e.header + ": " + e.err.Error() }
func (e headerError) Unwrap() error { return e.err }

type lengthError struct {
	header   string
	n, limit int
}

func (e lengthError) Error() string {
	return fmt.Sprintf("%s: %d bytes, want at most %d", e.header, e.n, e.limit)
}

// hint is the next step where the value could not be read. Where it holds a certificate in
// the right form, the front end is set up well and the certificate is at fault.
func (s *reader) hint(value string, err error) string {
	if unread, ok := errors.AsType[parseError](err); ok {
		if help := parsefault.Help(unread.err); help != "" {
			return "the header is fine, the certificate in it has to be issued anew: " + help
		}
	}
	hint := s.formHint
	form := resembles(value)
	if form == "" && !strings.Contains(s.form, "base64") && isBase64Certificate(value) {
		form = "it looks like base64 of DER, as App Service, HAProxy and Traefik send it"
	}
	if form != "" {
		hint += "; " + form
	}
	return hint
}

// isBase64Certificate reports whether the value is base64 of DER that is framed as a certificate.
func isBase64Certificate(value string) bool {
	der, err := base64DER(value)
	return err == nil && beginsAsCertificate(der)
}
