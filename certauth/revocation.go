package certauth

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/presented"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// RevocationStatus is the revocation status of a certificate. The zero value is
// RevocationUnavailable, and the caller is refused.
type RevocationStatus int

const (
	// RevocationUnavailable says that there is no usable evidence.
	RevocationUnavailable RevocationStatus = iota
	// RevocationGood says that verified evidence finds no certificate revoked. The evidence is
	// current unless Revocation.Stale is set.
	RevocationGood
	// RevocationRevoked says that verified evidence finds a certificate revoked.
	RevocationRevoked
	// RevocationUnknown says that the authority does not know the certificate.
	RevocationUnknown
	// RevocationWaived says that the checker's configuration accepts the certificate without
	// evidence, because of an exemption or of SoftFail (package revocation). Revocation.Why gives
	// the reason.
	RevocationWaived
)

// String returns the status in one word.
func (s RevocationStatus) String() string {
	names := [...]string{RevocationGood: "good", RevocationRevoked: "revoked", RevocationUnknown: "unknown", RevocationWaived: "waived"}
	if s <= RevocationUnavailable || int(s) >= len(names) {
		return "unavailable"
	}
	return names[s]
}

// Revocation is a checker's answer for one verified chain: the worst status of its certificates
// and the source of that status.
type Revocation struct {
	Status RevocationStatus
	// Source describes the source of the answer in a word or an address; for logs.
	Source string
	// Responder is the name of the signer of the evidence, if it is known; for audit.
	Responder string
	// Depth is the position in the chain of the certificate that decided; 0 is the leaf.
	Depth int
	// Why is the reason for RevocationWaived.
	Why string
	// Stale says that the evidence has expired and the configuration still accepts it.
	Stale bool
	// ThisUpdate and NextUpdate are those of the evidence; zero if it does not have them.
	ThisUpdate, NextUpdate time.Time
	// RevokedAt is the time of the revocation, for RevocationRevoked.
	RevokedAt time.Time
}

// RevocationChecker determines whether certificates of a verified chain are revoked. The Checker
// of package revocation does so by OCSP and CRLs. Implementations must be safe for concurrent use
// and must return when ctx ends. They are never called for a chain that was not verified.
type RevocationChecker interface {
	// CheckChain checks every certificate of the chain except its root. An error counts as
	// RevocationUnavailable unless the status is RevocationRevoked, which always counts. If the
	// error is an *Error, its Hint and its Err become those of the refusal. RevocationWaived
	// accepts as RevocationGood does. CheckChain is called on every request, so known answers
	// should come from memory. It must not change the chain.
	CheckChain(ctx context.Context, chain []*x509.Certificate) (Revocation, error)
}

// NotRevoked excludes every verified chain that the Checker does not find good. No rule uses such
// a chain, wherever the rule is, and it is not in [Identity.Chains]: each [Chain] and each
// [IssuedBy] needs another one. If the Checker finds the caller's own certificate revoked, on any
// chain, the caller is refused. Unknown status, missing evidence and an error count as not good,
// each with its own Reason; a panic refuses the request. The Checker decides how to treat an
// outage.
//
// NotRevoked must follow a [Chain]. It applies to all chains of its path through the policy (see
// [Any]), including those that a later rule verifies. The Checker is asked after all other rules
// about the certificate have accepted, so that nothing is fetched for a caller that a rule on
// names refuses. If there are more than four chains, the shortest four are checked and the others
// excluded. If there are several NotRevoked on one path, a chain that any of them refuses is
// excluded.
//
// If the Checker has a String method, it should describe how the Checker treats missing evidence;
// the text becomes part of the policy that is logged at start.
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
		c.mistake(path, "comes before any Chain; put a Chain before it, because only a verified chain can be checked for revocation")
	}
	c.forbidUnderNot(path, at)
	return &notRevokedRule{path: path, checker: p.Checker}, at.standing
}

type notRevokedRule struct {
	path    string
	checker RevocationChecker
}

func (r *notRevokedRule) judge(e *evaluation) *Error {
	e.path.note(r)
	return nil
}

func (r *notRevokedRule) stage() stage { return stageStatus }

// settle is never called, because askStatus asks all rules of this stage together.
func (r *notRevokedRule) settle(*evaluation, *policyPath) *Error {
	return refusal(ReasonInternalError, r.path, "the revocation rule was evaluated outside its stage")
}

// ask asks the checker about the chain, on every request. The certificates that the caller sent
// along are in the context for the Checker of package revocation, if they include another
// certificate of a CA of the chain: a CA may sign its CRLs with a separate key (RFC 5280, section
// 6.3.3 (f)), and callers may send the certificate of that key along.
func (r *notRevokedRule) ask(e *evaluation, chain *verifiedChain) (Revocation, error) {
	ctx := e.ctx
	if beside := e.facts.sent().certs[1:]; hasNamesake(chain.certs, beside) {
		ctx = presented.With(ctx, beside)
	}
	return r.checker.CheckChain(ctx, chain.certs)
}

// hasNamesake reports whether one of the others is not in the chain and has the name of one of its
// CAs, in any spelling.
func hasNamesake(chain, others []*x509.Certificate) bool {
	for _, other := range others {
		if !slices.ContainsFunc(chain, other.Equal) &&
			slices.ContainsFunc(chain[1:], func(ca *x509.Certificate) bool { return dn.Match(ca.RawSubject, other.RawSubject) }) {
			return true
		}
	}
	return false
}

// statusOf is the answer of one rule about one chain. denied is nil if the rule accepts it.
type statusOf struct {
	rule   *notRevokedRule
	chain  *verifiedChain
	found  Revocation
	denied *Error
}

// status asks the rule's checker about the chain, once for each request.
func (e *evaluation) status(r *notRevokedRule, chain *verifiedChain) (*Revocation, *Error) {
	for i := range e.answers {
		if known := &e.answers[i]; known.rule == r && known.chain.equal(chain) {
			return &known.found, known.denied
		}
	}
	n := len(e.answers)
	e.answers = slices.Grow(e.answers, 1)[:n+1]
	answer := &e.answers[n] // written in place: it is large
	answer.rule, answer.chain = r, chain
	var err error
	e.waited = true
	answer.found, err = r.ask(e, chain)
	answer.denied = r.weigh(&answer.found, err)
	return &answer.found, answer.denied
}

// askStatus returns the chains that every revocation rule of the path accepts, and the worst
// refusal of the others; worst is nil if there is none, for example if no checker was asked about
// the others. It refuses the path if no chain is left, or if the caller's own certificate is
// revoked on any chain.
func (e *evaluation) askStatus(p *policyPath) (left []*verifiedChain, worst, refused *Error) {
	if p.stages&stageStatus == 0 {
		return p.chains, nil, nil
	}
	left = e.left[:0]
	for _, chain := range shortest(p.chains) {
		found, denied := e.chainStatus(p, chain)
		switch {
		case denied == nil:
			left = append(left, chain)
			if p.revocation == nil || p.revocation.Status != RevocationGood {
				p.revocation = found
			}
		case denied.ofLeaf():
			return nil, nil, denied
		case worst == nil || worst.Reason != ReasonCertificateRevoked:
			worst = denied
		}
	}
	e.left = left
	if len(left) == 0 {
		return nil, nil, worst
	}
	return left, worst, nil
}

// chainStatus asks every revocation rule of the path about one chain. It returns the weakest of
// the accepting answers, or the worst refusal.
func (e *evaluation) chainStatus(p *policyPath, chain *verifiedChain) (weakest *Revocation, denied *Error) {
	for _, late := range p.late {
		r, ok := late.(*notRevokedRule)
		if !ok {
			continue
		}
		switch found, refused := e.status(r, chain); {
		case refused == nil:
			if weakest == nil || weakest.Status != RevocationWaived {
				weakest = found
			}
		case denied == nil || refused.Reason == ReasonCertificateRevoked && !denied.ofLeaf():
			denied = refused
		}
	}
	return weakest, denied
}

// ofLeaf reports whether the refusal says that the caller's own certificate is revoked.
func (e *Error) ofLeaf() bool {
	return e.Reason == ReasonCertificateRevoked && e.revocation != nil && e.revocation.Depth == 0
}

// maxJudgedChains bounds how often one request waits for evidence, because chains are checked one
// after the other.
const maxJudgedChains = 4

// shortest returns the chains to ask about: all of them, or the shortest if there are too many.
func shortest(chains []*verifiedChain) []*verifiedChain {
	if len(chains) <= maxJudgedChains {
		return chains
	}
	return slices.SortedFunc(slices.Values(chains), (*verifiedChain).compare)[:maxJudgedChains]
}

// weigh turns the checker's answer about one chain into a refusal, or nil if it accepts.
func (r *notRevokedRule) weigh(found *Revocation, err error) *Error {
	var denied *Error
	switch {
	case found.Status == RevocationRevoked:
		denied = refusal(ReasonCertificateRevoked, r.path, "certificate %d of the chain, source %s", found.Depth, quote(found.Source))
	case err != nil:
		denied = refusal(ReasonRevocationUnavailable, r.path, "%w", err)
		if known, ok := err.(*Error); ok && known != nil && known.Hint != "" && known.Err != nil { //nolint:errorlint // an error that wraps it says more
			denied.Hint, denied.Err = known.Hint, known.Err
		}
	case found.Status == RevocationGood, found.Status == RevocationWaived:
		return nil
	case found.Status == RevocationUnknown:
		denied = refusal(ReasonRevocationUnknown, r.path, "source %s", quote(found.Source))
	default:
		denied = refusal(ReasonRevocationUnavailable, r.path, "no evidence")
	}
	own := *found
	denied.revocation = &own
	return denied
}

// describe includes the checker's own description, because a soft failure must be visible.
func (r *notRevokedRule) describe(p *printer) {
	if named, ok := r.checker.(fmt.Stringer); ok {
		if words, err := safely.Do(func() (string, error) { return named.String(), nil }); err == nil {
			p.line("not revoked (%s)", logtext.Line(words, maxDetail))
			return
		}
	}
	p.line("not revoked")
}
