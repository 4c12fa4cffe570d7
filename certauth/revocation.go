package certauth

import (
	"context"
	"crypto/x509"
	"time"
)

// RevocationStatus is what is known about a certificate's revocation. The zero value is
// RevocationUnavailable: nothing known, which denies.
type RevocationStatus int

const (
	// RevocationUnavailable says that there is no usable evidence.
	RevocationUnavailable RevocationStatus = iota
	// RevocationGood says that verified, fresh evidence finds nothing revoked.
	RevocationGood
	// RevocationRevoked says that verified evidence finds a certificate revoked.
	RevocationRevoked
	// RevocationUnknown says that the authority answered that it does not know the certificate.
	RevocationUnknown
)

// String returns the status in one word.
func (s RevocationStatus) String() string {
	switch s {
	case RevocationGood:
		return "good"
	case RevocationRevoked:
		return "revoked"
	case RevocationUnknown:
		return "unknown"
	case RevocationUnavailable:
	}
	return "unavailable"
}

// Revocation is a checker's answer for one verified chain: the worst status of its
// certificates and where that comes from.
type Revocation struct {
	Status RevocationStatus
	// Source says in a word or an address who answered; for logs.
	Source string
	// ThisUpdate and NextUpdate bound the evidence; zero where it has no such time.
	ThisUpdate, NextUpdate time.Time
	// RevokedAt is the time of the revocation, for RevocationRevoked.
	RevokedAt time.Time
}

// RevocationChecker says whether certificates of a verified chain are revoked.
// Implementations must be safe for concurrent use, must return when ctx ends, and are
// never called for a chain that has not verified.
type RevocationChecker interface {
	// CheckChain judges every certificate of the chain but its root. An error counts as
	// RevocationUnavailable unless the status is RevocationRevoked, which always counts.
	CheckChain(ctx context.Context, chain []*x509.Certificate) (Revocation, error)
}

// NotRevoked accepts a certificate if the Checker finds a verified chain good and none
// revoked. It stands after a [Chain] in the same path of the policy. Unknown status,
// missing evidence, an error, a panic: all deny, each with its own Reason. Chains that a
// later rule verifies are judged as well. How an
// outage is treated is the Checker's business and its word is final.
//
// A nil Checker is an error of [New].
type NotRevoked struct {
	Checker RevocationChecker
}

func (p NotRevoked) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".NotRevoked"
	if isNil(p.Checker) {
		c.mistake(path+".Checker", "nil")
	}
	if !at.standing.chain {
		c.mistake(path, "stands before any Chain; only a verified chain can be checked for revocation")
	}
	c.forbidUnderNot(path, at)
	r := &notRevokedRule{path: path, checker: p.Checker}
	r.tracker, _ = p.Checker.(RevocationTracker)
	return r, at.standing
}

type notRevokedRule struct {
	path    string
	checker RevocationChecker
	tracker RevocationTracker // the checker, if it is one
}

func (r *notRevokedRule) judge(e *evaluation) *Error {
	if refused := r.check(e); refused != nil {
		return refused
	}
	e.last = append(e.last, pending{r, len(e.chains)})
	return nil
}

// look judges once more if chains were added to those seen where the rule stands.
func (r *notRevokedRule) look(e *evaluation, seen int) *Error {
	if len(e.chains) <= seen {
		return nil
	}
	return r.check(e)
}

func (r *notRevokedRule) check(e *evaluation) *Error {
	if len(e.chains) == 0 {
		return refusal(ReasonRevocationUnavailable, r.path, "no verified chain to check")
	}
	var good Revocation
	var refused *Error
	for _, chain := range e.chains {
		found, err := r.ask(e, chain)
		switch {
		case found.Status == RevocationRevoked:
			return refusal(ReasonCertificateRevoked, r.path, "source %s", quote(found.Source))
		case err != nil:
			refused = refusal(ReasonRevocationUnavailable, r.path, "%w", err)
		case found.Status == RevocationGood:
			good = found
		case found.Status == RevocationUnknown:
			refused = refusal(ReasonRevocationUnknown, r.path, "source %s", quote(found.Source))
		default:
			refused = refusal(ReasonRevocationUnavailable, r.path, "no evidence")
		}
	}
	if good.Status != RevocationGood {
		return refused
	}
	e.revocation = good
	return nil
}

func (r *notRevokedRule) describe(p *printer) { p.line("not revoked") }
