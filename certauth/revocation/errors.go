package revocation

import (
	"errors"
	"slices"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// Why the Checker has no answer, for errors.Is; see also the errors of evidence and fetch.
var (
	ErrNoSource = errors.New("revocation: no source to ask") // nothing in the certificate or the Config says where to ask
	ErrClosed   = errors.New("revocation: checker closed")   // after Close
	ErrNotReady = errors.New("revocation: not ready")        // a list that was asked for beforehand is not there
)

// The steps that help where nobody can be asked.
const (
	helpNobody   = "name the CA's responder in Config.Responders or its CRL in Config.Lists, or let Config.AllowNoSource accept certificates that name nobody"
	helpPointers = "name the CA's CRL in Config.Lists or its responder in Config.Responders"
)

func isAny(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(one error) bool { return errors.Is(err, one) })
}

// withAdvice gives the refusal its own hint, if there is one.
func withAdvice(err error) error {
	if hint := advice.In(err); hint != "" {
		return &certauth.Error{Reason: certauth.ReasonRevocationUnavailable, Hint: hint, Err: err}
	}
	return err
}
