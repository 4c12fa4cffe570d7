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

func (s *reader) refusal(reason certauth.Reason, detail error, hint string) *certauth.Error {
	return &certauth.Error{Reason: reason, Rule: s.rulePath, Hint: hint, Err: detail}
}

func (s *reader) none(r *http.Request) *certauth.Error {
	hint := s.missing
	if s.traffic != nil {
		hint = cmp.Or(s.traffic(r), hint)
	}
	return s.refusal(certauth.ReasonCertificateMissing, errors.New("no "+s.header), hint)
}

// notAdmitted is the refusal of a certificate from an unknown sender.
func (s *reader) notAdmitted(err error) *certauth.Error {
	refused := s.refusal(certauth.ReasonSourceUntrusted, err, s.untrusted)
	if unknown, ok := errors.AsType[*socket.Error](err); ok {
		refused.Hint = unknown.Hint
	} else if sender, ok := errors.AsType[*senderError](err); ok {
		refused.Hint = sender.hint
	}
	return refused
}

// warn logs once that the server is not set up for the gate. The gate then refuses every
// request, and requests without a certificate would give no sign of it.
func (s *reader) warn(err error) {
	if s.logger == nil || !errors.Is(err, socket.ErrNotKept) {
		return
	}
	s.warned.Do(func() {
		s.logger.Warn("forwarded: the gate of "+s.preset+".From cannot determine the sender of a request and refuses every certificate",
			"detail", err.Error(), "hint", socket.ErrNotKept.Hint)
	})
}

// lost is the refusal if there is no certificate although the flags say that one was
// verified. The client gains nothing by having its certificate dropped on the way, as
// Connection makes Apache do: it could as well have sent none.
func (s *reader) lost(flag string) *certauth.Error {
	return s.refusal(certauth.ReasonCertificateMissing, fmt.Errorf("no %s, although %s reports a verified certificate", s.header, flag),
		"the front end omitted it; check its size limit, the configuration of this route, and whether Connection names the header")
}

// early is the refusal of a request that came before the end of the TLS handshake. Every value
// of Early-Data means that (RFC 8470, section 5.1).
func (s *reader) early() *certauth.Error {
	return s.refusal(certauth.ReasonFrontEndUnverified, errors.New("Early-Data: the request came in TLS 1.3 early data, which anyone who recorded it can send again without the key"),
		"switch early data (0-RTT) off in the front end")
}

func (s *reader) malformed(detail error, hint string) *certauth.Error {
	return s.refusal(certauth.ReasonCertificateMalformed, wordsError{detail}, hint)
}

// wordsError reduces an error to its text, so that errors.Is and errors.As do not find the
// causes inside it.
type wordsError struct{ detail error }

func (e wordsError) Error() string { return e.detail.Error() }

// headerError adds the name of the header when the error is read.
type headerError struct {
	header string
	err    error
}

func (e headerError) Error() string { return e.header + ": " + e.err.Error() }
func (e headerError) Unwrap() error { return e.err }

// lengthError is formatted only when it is read, because it must be the cheapest refusal.
type lengthError struct {
	header   string
	n, limit int
}

func (e lengthError) Error() string {
	return fmt.Sprintf("%s: %d bytes, want at most %d", e.header, e.n, e.limit)
}

// hint returns the next step for a value that could not be read. If the value holds a
// certificate in the right form, the front end is configured well and the certificate is at
// fault.
func (s *reader) hint(value string, err error) string {
	if unread, ok := errors.AsType[parseError](err); ok {
		if help := parsefault.Help(unread.err); help != "" {
			return "the header is correct; ask the CA for a new certificate: " + help
		}
	}
	hint := s.formHint
	form := resembles(value)
	if kind, _, _ := strings.Cut(strings.TrimPrefix(form, "it looks like "), ","); kind != "PEM" && strings.Contains(s.form, kind) {
		form = "" // as it should be, with a mistake in it
	}
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
