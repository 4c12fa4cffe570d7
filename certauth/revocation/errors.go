package revocation

import (
	"errors"
	"slices"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// Reasons why the Checker has no answer, for errors.Is; see also those of packages evidence and fetch.
var (
	ErrNoSource    = errors.New("revocation: no source to ask")                  // neither the certificate nor the Config names a source
	ErrClosed      = errors.New("revocation: checker closed")                    // after Close
	ErrNotReady    = errors.New("revocation: not ready")                         // a list of Config.Lists or Preload is missing
	ErrOverloaded  = errors.New("revocation: too many fetches")                  // too many fetches are running or waiting
	ErrBreakerOpen = errors.New("revocation: host not contacted after failures") // the responder failed too often and is not contacted for a while
	ErrBudget      = errors.New("revocation: memory for CRLs used up")           // the CRLs in memory, or being read, would exceed their memory limit
)

// The steps for the operator if there is no source, or no room for a list.
const (
	helpNobody   = "name the CA's responder in revocation.Config.Responders or its CRL in revocation.Config.Lists, or set revocation.Config.AllowNoSource to accept certificates that name no source"
	helpCA       = "name the CRL of the CA above this one in revocation.Config.Lists or its responder in revocation.Config.Responders, or set revocation.Config.Scope to LeafOnly, which checks no CA"
	helpPointers = "name the CA's CRL in revocation.Config.Lists or its responder in revocation.Config.Responders"
	helpLists    = "put the CRL of the CA that issued the certificate into revocation.Config.Lists, or repair the file that the detail names"
	helpSigner   = "ask the CA for a CRL that it has signed with another key, whose certificate is not revoked"
	helpSize     = "raise revocation.Config.MaxListBytes if the CA's CRL really is that large"
	helpMemory   = "raise revocation.Config.MaxListMemory: the CRLs in use do not fit"
)

func isAny(err error, of ...error) bool {
	return slices.ContainsFunc(of, func(one error) bool { return errors.Is(err, one) })
}

// withAdvice returns the error with the hint that it carries, if there is one.
func withAdvice(err error) error {
	if hint := advice.In(err); hint != "" {
		return &certauth.Error{Reason: certauth.ReasonRevocationUnavailable, Hint: hint, Err: err}
	}
	return err
}
