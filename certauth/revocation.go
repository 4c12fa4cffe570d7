package certauth

import (
	"context"
	"crypto/x509"
	"slices"
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
	// RevocationWaived says that the checker's configuration accepts the certificate
	// without evidence: failing softly, or exempting it. Revocation.Why says which.
	RevocationWaived
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
	case RevocationWaived:
		return "waived"
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
	// Responder names who signed the evidence, if that is known; for audit.
	Responder string
	// Depth is the place in the chain of the certificate that decided, 0 for the leaf.
	Depth int
	// Why says what RevocationWaived rests on.
	Why string
	// Stale says that the evidence has run out and the configuration still accepts it.
	Stale bool
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
	// RevocationUnavailable unless the status is RevocationRevoked, which always counts. If
	// it is an *Error, its Hint and its Err are those of the refusal.
	// RevocationWaived accepts as RevocationGood does.
	CheckChain(ctx context.Context, chain []*x509.Certificate) (Revocation, error)
}

// NotRevoked accepts a certificate if the Checker finds a verified chain good. If it finds
// the caller's own certificate revoked, by whatever chain, it refuses. A chain with a revoked
// CA in it, or with one that nothing is known about, does not count for any rule and is not
// in [Identity.Chains]; the caller needs another one. Of more than four chains the shortest
// four are asked about, and the others do not count. It stands after a [Chain] in the same
// path of the policy. Unknown status, missing evidence, an error, a panic: all deny, each
// with its own Reason. Chains that a later rule verifies are judged as well. How an outage is
// treated is the Checker's business and its word is final.
//
// Several NotRevoked in one policy must leave a chain together. A function ([PolicyFunc])
// that looks at Identity.Chains belongs behind them.
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
	chains := shortest(e.chains)
	for _, chain := range chains {
		found, err := r.ask(e, chain)
		accepted, denied := r.weigh(found, err)
		if !accepted { // should another chain carry the caller, nothing may hang by this one
			e.spoil(chain)
		}
		switch {
		case found.Status == RevocationRevoked && found.Depth == 0:
			return denied // the caller's own certificate, whatever else leads to it
		case accepted && !e.isSpoiled(chain): // what another rule has taken out carries nobody
			good = found
		case accepted:
		case refused == nil || found.Status == RevocationRevoked:
			refused = denied
		}
	}
	if good.Status == RevocationUnavailable && refused == nil {
		return refusal(ReasonRevocationUnavailable, r.path, "other revocation rules have taken out every chain that this one accepts")
	}
	if good.Status == RevocationUnavailable {
		return refused
	}
	if len(chains) < len(e.chains) {
		for _, chain := range e.chains {
			if !slices.Contains(chains, chain) {
				e.spoil(chain)
			}
		}
	}
	e.revocation = good
	return nil
}

// maxJudgedChains bounds how often one request waits for evidence, one chain after the other.
const maxJudgedChains = 4

// shortest returns the chains to ask about: all, or the shortest of too many.
func shortest(chains []*verifiedChain) []*verifiedChain {
	if len(chains) <= maxJudgedChains {
		return chains
	}
	sorted := slices.Clone(chains)
	slices.SortStableFunc(sorted, func(a, b *verifiedChain) int { return len(a.certs) - len(b.certs) })
	return sorted[:maxJudgedChains]
}

// weigh takes the checker's word on one chain.
func (r *notRevokedRule) weigh(found Revocation, err error) (accepted bool, denied *Error) {
	switch {
	case found.Status == RevocationRevoked:
		denied = refusal(ReasonCertificateRevoked, r.path, "certificate %d of the chain, source %s", found.Depth, quote(found.Source))
	case err != nil:
		denied = refusal(ReasonRevocationUnavailable, r.path, "%w", err)
		if known, ok := err.(*Error); ok && known != nil && known.Hint != "" && known.Err != nil { //nolint:errorlint // what wraps it says more
			denied.Hint, denied.Err = known.Hint, known.Err
		}
	case found.Status == RevocationGood, found.Status == RevocationWaived:
		return true, nil
	case found.Status == RevocationUnknown:
		denied = refusal(ReasonRevocationUnknown, r.path, "source %s", quote(found.Source))
	default:
		denied = refusal(ReasonRevocationUnavailable, r.path, "no evidence")
	}
	denied.revocation = clone(found)
	return false, denied
}

// clone keeps what is asked about on every request off the heap.
func clone(found Revocation) *Revocation { return &found }

func (r *notRevokedRule) describe(p *printer) { p.line("not revoked") }
