package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Reasons why evidence was not used, for errors.Is. Each leaves the status Unavailable.
var (
	// ErrArgument: a nil certificate or issuer, or no time.
	ErrArgument = errors.New("revocation: wrong argument")
	// ErrIssuerMismatch: the issuer given is not the certificate's issuer.
	ErrIssuerMismatch = errors.New("revocation: not the issuer of the certificate")
	// ErrMalformed: the evidence is not strict DER of the expected structure.
	ErrMalformed = errors.New("revocation: malformed")
	// ErrLimits: there are more answers, certificates, or extensions than allowed.
	ErrLimits = errors.New("revocation: over the limits")
	// ErrResponderStatus: the responder refused; see ResponderStatusError.
	ErrResponderStatus = errors.New("revocation: responder refused")
	// ErrResponseType: the response is not a basic OCSP response.
	ErrResponseType = errors.New("revocation: not a basic response")
	// ErrCriticalExtension: there is an unknown critical extension.
	ErrCriticalExtension = errors.New("revocation: critical extension")
	// ErrWeakAlgorithm: the signature algorithm or key is not accepted.
	ErrWeakAlgorithm = errors.New("revocation: algorithm not accepted")
	// ErrNoSigner: no known certificate has the responder's name or key.
	ErrNoSigner = errors.New("revocation: signer not found")
	// ErrResponderNotAuthorized: the signer is not authorized by the issuer.
	ErrResponderNotAuthorized = errors.New("revocation: signer not authorized")
	// ErrDelegateRevocation: the revocation status of the delegate is not known.
	ErrDelegateRevocation = errors.New("revocation: delegate not checked")
	// ErrBadSignature: the signature does not verify.
	ErrBadSignature = errors.New("revocation: bad signature")
	// ErrNonce: the nonce differs, is missing, or is malformed.
	ErrNonce = errors.New("revocation: nonce")
	// ErrProducedAt: the response was signed at an impossible time.
	ErrProducedAt = errors.New("revocation: produced at an impossible time")
	// ErrNoMatch: no answer is about this certificate.
	ErrNoMatch = errors.New("revocation: no answer about this certificate")
	// ErrNotFresh: the evidence is too old or not yet valid.
	ErrNotFresh = errors.New("revocation: not fresh")
	// ErrFuture: thisUpdate is in the future. errors.Is also finds ErrNotFresh.
	ErrFuture = fmt.Errorf("%w: from the future", ErrNotFresh)
	// ErrRollback: the evidence is older than evidence that was seen before.
	ErrRollback = errors.New("revocation: older than what is known")
	// ErrCRLIssuer: the CRL was issued by another issuer.
	ErrCRLIssuer = errors.New("revocation: CRL of another issuer")
	// ErrCRLScope: the CRL does not cover this certificate.
	ErrCRLScope = errors.New("revocation: CRL does not cover the certificate")
	// ErrIndirectCRL: the CRL lists certificates of several issuers, which is not supported.
	// errors.Is also finds ErrCRLScope.
	ErrIndirectCRL = fmt.Errorf("%w: indirect CRL", ErrCRLScope)
	// ErrDeltaMismatch: the delta CRL does not continue this complete CRL.
	ErrDeltaMismatch = errors.New("revocation: delta CRL of another list")
	// ErrCRLIncomplete: not all revocation reasons are covered.
	ErrCRLIncomplete = errors.New("revocation: CRL does not cover all reasons")
)

// ResponderStatusError is returned if the responder refused the request (RFC 6960, section
// 4.2.1). errors.Is finds ErrResponderStatus.
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

// Retryable reports whether a second request may succeed: after internalError and tryLater.
func (e ResponderStatusError) Retryable() bool { return e.Status == 2 || e.Status == 3 }

// What the operator can do.
const (
	helpNoNext     = "ask the CA for answers with a nextUpdate, or raise Verify.NoNextUpdateMaxAge"
	helpSHA1       = "ask the CA to sign with SHA-256; until then Verify.AllowSHA1 accepts SHA-1"
	helpRSA        = "ask the CA for a larger key; Verify.MinRSABits is the least that is accepted"
	helpV1         = "ask the CA for CRLs of version 2; until then Verify.AllowV1CRL accepts these"
	helpEmpty      = "ask the CA to leave an empty revokedCertificates out; until then Verify.AllowEmptyRevokedList accepts it"
	helpNextUpdate = "ask the CA for CRLs with a nextUpdate; until then Verify.AllowNoNextUpdate accepts these within MaxAge"
	helpClock      = "check this host's clock, then the CA's"
	helpOver       = "ask the CA, or whoever copies its evidence, for a newer one: this one has expired"
	helpScope      = "configure the CRL of this CA that is not limited to a distribution point, or have the CA write the distribution point into its certificates"
	helpAge        = "if the CA issues evidence no more often, raise Verify." // MaxAge or MaxAgeCA
)

func ageField(isCA bool) string {
	if isCA {
		return "MaxAgeCA"
	}
	return "MaxAge"
}

// span formats a duration, from two days on in days.
func span(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days >= 2 {
		return fmt.Sprintf("%d days", days)
	}
	return d.Round(time.Second).String()
}

func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }
