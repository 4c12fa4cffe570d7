package certauth

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Error is the type of every refusal. It is meant for logs and metrics and contains nothing that
// a client should see: the response is the same for every reason.
//
// errors.As finds it in the error of [Authenticator.Check]; errors.Is finds its Reason, for
// example errors.Is(err, [ReasonCertificateRevoked]). Its texts are bounded, client text in them
// is quoted and cut, and they never contain the value of the header. The text of Error is one line,
// also if Err is an error of your own.
type Error struct {
	// Reason is the class of the refusal.
	Reason Reason

	// Rule is the path of the rule or source that refused: "Policy.All[1].DNSNames" or
	// "Source.AppService".
	Rule string

	// Hint is the operator's next step.
	Hint string

	// Err is the detail: what was found and what was expected.
	Err error

	// absent: the source found no certificate. Only this lets Config.Optional accept the request,
	// whatever Reason a user's rule returns.
	absent bool

	// leaf is the certificate, for the log record, if it could be read.
	leaf *refusedLeaf
	// deniedCA: a CA of the chain is on a deny list, or excluded by a Not.
	deniedCA bool
	// revocation is the checker's result, if that is the cause.
	revocation *Revocation
}

// Error implements error.
func (e *Error) Error() string {
	if e == nil {
		return "certauth: no error"
	}
	var b strings.Builder
	b.WriteString("certauth: ")
	if e.Rule != "" {
		b.WriteString(e.Rule + ": ")
	}
	b.WriteString(string(e.Reason))
	if e.Err != nil {
		b.WriteString(": " + clip(logtext.Visible(clip(e.Err.Error(), maxDetail)), maxDetail)) // escapes make it longer
	}
	return b.String()
}

// Unwrap returns the detail.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is reports whether target is the Reason.
func (e *Error) Is(target error) bool { return e != nil && target == e.Reason }

// refusal returns an Error with the hint of the reason. The detail is usually formatted when it is
// read ([logtext.Errorf]): unknown callers are refused often, and formatting can cost more than the
// refusal. The arguments must not change.
func refusal(reason Reason, rule, format string, args ...any) *Error {
	return &Error{Reason: reason, Rule: rule, Hint: reason.info().hint, Err: logtext.Errorf(format, args...)}
}

// refusalOf is the refusal of a certificate or a chain, by the rule at that path.
func refusalOf(rule string, refused *certcheck.Refusal) *Error {
	reason := refusalReasons[refused.Kind]
	return &Error{Reason: reason, Rule: rule, Hint: cmp.Or(refused.Hint, reason.info().hint), Err: refused.Err}
}

// refusalReasons are the reasons of the kinds of refusals.
var refusalReasons = [...]Reason{
	certcheck.Internal: ReasonInternalError, certcheck.Untrusted: ReasonChainUntrusted, certcheck.IsCA: ReasonCertificateIsCA,
	certcheck.WrongUsage: ReasonUsageNotAllowed, certcheck.UnknownExtension: ReasonChainUntrusted,
	certcheck.Expired: ReasonCertificateExpired, certcheck.NotYetValid: ReasonCertificateNotYetValid,
}

// lazyText is a text that is made when it is read.
type lazyText func() string

func (text lazyText) String() string { return text() }

// texts and listOf are lists of a rule of which the first few are formatted when they are read.
type texts []string

func (list texts) String() string { return quoteList(list) }

func stringsOf[T fmt.Stringer](list []T) []string {
	var all []string
	for _, one := range list {
		all = append(all, one.String())
	}
	return all
}

type listOf[T fmt.Stringer] []T

func (list listOf[T]) String() string {
	few := texts(stringsOf(list[:min(len(list), logtext.MaxListed)]))
	if more := len(list) - len(few); more > 0 {
		return fmt.Sprintf("%s and %d more", few, more)
	}
	return few.String()
}

// final reports whether the refusal ends the request regardless of the other members of an Any,
// because it says nothing about the certificate.
func (e *Error) final() bool {
	return e.Reason == ReasonRequestCanceled || e.Reason == ReasonInternalError || e.Reason == ReasonOverloaded
}

// about returns a copy that records which certificate was refused, and how much of it the policy
// had vouched for. A rule may return the same refusal for many requests.
func (e *Error) about(f *facts, reached vouching) *Error {
	if e.ofCA() {
		reached = vouchedNothing
	}
	known := *e
	known.leaf = &refusedLeaf{facts: f, vouched: reached}
	return &known
}

// ofCA reports whether the refusal means that a CA of the chain is no longer trusted. Nothing
// that it signed can then be relied on.
func (e *Error) ofCA() bool {
	return e.deniedCA || e.revocation != nil && e.revocation.Status == RevocationRevoked && e.revocation.Depth > 0
}

// withHint replaces the reason's hint with a more precise one.
func (e *Error) withHint(hint string) *Error {
	e.Hint = hint
	return e
}

// asError turns an error of a source or of a user's rule into an *Error. An error of an unknown
// type gets the given reason, so that it can never count as "no certificate". The result may be
// err itself: copy it before you change it.
func asError(err error, otherwise Reason, rule string) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		if e.Reason != ReasonNone && e.Rule != "" && e.Hint != "" && !e.absent {
			return e
		}
		filled := *e
		filled.Reason, filled.Rule = cmp.Or(e.Reason, otherwise), cmp.Or(e.Rule, rule)
		filled.Hint = cmp.Or(e.Hint, filled.Reason.info().hint)
		filled.absent = false
		return &filled
	}
	return &Error{Reason: otherwise, Rule: rule, Hint: otherwise.info().hint, Err: err}
}

// maxDetail bounds the detail of a refusal, in bytes.
const maxDetail = 512

// Client text in errors and logs must pass through these functions.
func quote(s string) string           { return logtext.Quote(s) }
func quoteList(list []string) string  { return logtext.List(list) }
func clip(s string, limit int) string { return logtext.Clip(s, limit) }
