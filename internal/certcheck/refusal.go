// Package certcheck checks a certificate by itself, without its issuer and without a policy: its
// extensions, its purposes, its dates and the algorithm of its signature.
package certcheck

import "github.com/seed2886b8ae/go-certauth/internal/logtext"

// Kind is the kind of a [Refusal].
type Kind uint8

// The kinds.
const (
	Internal         Kind = iota // a bug
	Untrusted                    // no chain to a root
	IsCA                         // a CA certificate in place of a client's
	WrongUsage                   // the certificate has another purpose
	UnknownExtension             // an extension that must be understood is not
	Expired                      // its validity has ended
	NotYetValid                  // its validity has not begun
)

// Refusal says why a certificate, or its chain, is refused.
type Refusal struct {
	Kind Kind
	Hint string // the operator's next step; empty if that follows from the kind
	Err  error  // what was found and what was expected
}

// Refuse returns a refusal whose text is formatted when it is read, as [logtext.Errorf] does.
func Refuse(kind Kind, format string, args ...any) *Refusal {
	return &Refusal{Kind: kind, Err: logtext.Errorf(format, args...)}
}

// WithHint sets the hint.
func (r *Refusal) WithHint(hint string) *Refusal {
	r.Hint = hint
	return r
}
