package evidence

import (
	"cmp"
	"errors"
	"fmt"
)

// Why evidence was not used, for errors.Is. Each leaves the status Unavailable.
var (
	// ErrArgument: a nil certificate or issuer, or no time to verify at.
	ErrArgument = errors.New("revocation: wrong argument")
	// ErrIssuerMismatch: the issuer given is not the certificate's issuer.
	ErrIssuerMismatch = errors.New("revocation: not the issuer of the certificate")
	// ErrMalformed: not strict DER of the expected structure.
	ErrMalformed = errors.New("revocation: malformed")
	// ErrLimits: more answers, certificates, or extensions than are looked at.
	ErrLimits = errors.New("revocation: over the limits")
	// ErrResponderStatus: the responder refused; see ResponderStatusError.
	ErrResponderStatus = errors.New("revocation: responder refused")
	// ErrResponseType: not a basic OCSP response.
	ErrResponseType = errors.New("revocation: not a basic response")
	// ErrCriticalExtension: a critical extension that is not understood.
	ErrCriticalExtension = errors.New("revocation: critical extension")
	// ErrWeakAlgorithm: a signature algorithm or key that is not accepted.
	ErrWeakAlgorithm = errors.New("revocation: algorithm not accepted")
	// ErrNoSigner: no known certificate has the responder's name or key.
	ErrNoSigner = errors.New("revocation: signer not found")
	// ErrResponderNotAuthorized: the signer may not speak for the issuer.
	ErrResponderNotAuthorized = errors.New("revocation: signer not authorized")
	// ErrDelegateRevocation: the delegate's own revocation is not settled.
	ErrDelegateRevocation = errors.New("revocation: delegate not checked")
	// ErrBadSignature: the signature does not verify.
	ErrBadSignature = errors.New("revocation: bad signature")
	// ErrNonce: the nonce differs, is missing, or is not one.
	ErrNonce = errors.New("revocation: nonce")
	// ErrProducedAt: signed at a time that cannot be.
	ErrProducedAt = errors.New("revocation: produced at an impossible time")
	// ErrNoMatch: no answer is about this certificate.
	ErrNoMatch = errors.New("revocation: no answer about this certificate")
	// ErrNotFresh: too old, or not yet valid.
	ErrNotFresh = errors.New("revocation: not fresh")
	// ErrFuture: thisUpdate lies ahead of the clock. errors.Is finds ErrNotFresh as well.
	ErrFuture = fmt.Errorf("%w: from the future", ErrNotFresh)
	// ErrRollback: older than evidence that was seen before.
	ErrRollback = errors.New("revocation: older than what is known")
	// ErrCRLIssuer: the CRL is of another issuer.
	ErrCRLIssuer = errors.New("revocation: CRL of another issuer")
	// ErrCRLScope: the CRL does not cover this certificate.
	ErrCRLScope = errors.New("revocation: CRL does not cover the certificate")
	// ErrIndirectCRL: the CRL lists certificates of several issuers, which is not supported.
	// errors.Is finds ErrCRLScope as well.
	ErrIndirectCRL = fmt.Errorf("%w: indirect CRL", ErrCRLScope)
	// ErrDeltaMismatch: the delta CRL does not continue this complete CRL.
	ErrDeltaMismatch = errors.New("revocation: delta CRL of another list")
	// ErrCRLIncomplete: not all revocation reasons are covered.
	ErrCRLIncomplete = errors.New("revocation: CRL does not cover all reasons")
)

// ResponderStatusError is the refusal of a responder (RFC 6960, section 4.2.1). errors.Is
// finds ErrResponderStatus.
type ResponderStatusError struct {
	// Status is the OCSPResponseStatus.
	Status int
}

var refusals = map[int]string{1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}

// Error names the status.
func (e ResponderStatusError) Error() string {
	return "revocation: responder refused: " + cmp.Or(refusals[e.Status], "not defined")
}

// Is reports whether target is ErrResponderStatus.
func (e ResponderStatusError) Is(target error) bool { return target == ErrResponderStatus }

// Retryable reports whether asking again may help: internalError and tryLater.
func (e ResponderStatusError) Retryable() bool { return e.Status == 2 || e.Status == 3 }
