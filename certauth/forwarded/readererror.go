package forwarded

import (
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

func (s *reader) rule() string { return s.rulePath }

func (s *reader) none() *certauth.Error {
	return &certauth.Error{
		Reason: certauth.ReasonCertificateMissing, Rule: s.rule(),
		Hint: s.missing, Err: errors.New("no " + s.header),
	}
}

// notAdmitted is the refusal of a certificate that somebody else may have written.
func (s *reader) notAdmitted(err error) *certauth.Error {
	refused := &certauth.Error{Reason: certauth.ReasonSourceUntrusted, Rule: s.rule(), Hint: s.untrusted, Err: err}
	if unknown := (*socket.Error)(nil); errors.As(err, &unknown) {
		refused.Hint = unknown.Hint
	}
	return refused
}

// warn tells once that the server is not set up for the gate: it refuses everybody, and
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

// lost is none where the front end says that it verified a certificate. That grants nothing,
// and takes nothing: who has its certificate dropped on the way, as Connection makes Apache
// do, could as well have sent none.
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

// tooLong is put into words only when somebody reads it: it is the cheapest refusal.
func (s *reader) tooLong(n int) *certauth.Error {
	return &certauth.Error{Reason: certauth.ReasonCertificateMalformed, Rule: s.rulePath, Hint: s.formHint, Err: lengthError{s.header, n, s.codec.limit}}
}

// headerError says in which header the mistake is, when somebody reads it.
type headerError struct {
	header string
	err    error
}

func (e headerError) Error() string { return e.header + ": " + e.err.Error() }

type lengthError struct {
	header   string
	n, limit int
}

func (e lengthError) Error() string {
	return fmt.Sprintf("%s: %d bytes, want at most %d", e.header, e.n, e.limit)
}

func (s *reader) hint(value string) string {
	hint := s.formHint
	if form := resembles(value); form != "" {
		hint += "; " + form
	}
	return hint
}
