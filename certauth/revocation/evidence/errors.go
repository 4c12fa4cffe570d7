package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Reasons why evidence was not used, for errors.Is. Each leaves the status Unavailable.
var (
	ErrArgument               = errors.New("revocation: wrong argument")                     // a nil certificate or issuer, or no time
	ErrIssuerMismatch         = errors.New("revocation: not the issuer of the certificate")  // the issuer given is not the certificate's issuer
	ErrMalformed              = errors.New("revocation: malformed")                          // the evidence is not strict DER of the expected structure
	ErrLimits                 = errors.New("revocation: over the limits")                    // there are more answers, certificates, or extensions than allowed
	ErrResponderStatus        = errors.New("revocation: responder refused")                  // the responder refused; see ResponderStatusError
	ErrResponseType           = errors.New("revocation: not a basic response")               // the response is not a basic OCSP response
	ErrCriticalExtension      = errors.New("revocation: critical extension")                 // there is an unknown critical extension
	ErrWeakAlgorithm          = errors.New("revocation: algorithm not accepted")             // the signature algorithm or key is not accepted
	ErrNoSigner               = errors.New("revocation: signer not found")                   // no known certificate has the responder's name or key
	ErrResponderNotAuthorized = errors.New("revocation: signer not authorized")              // the signer is not authorized by the issuer
	ErrDelegateRevocation     = errors.New("revocation: delegate not checked")               // the revocation status of the delegate is not known
	ErrBadSignature           = errors.New("revocation: bad signature")                      // the signature does not verify
	ErrNonce                  = errors.New("revocation: nonce")                              // the nonce differs, is missing, or is malformed
	ErrProducedAt             = errors.New("revocation: produced at an impossible time")     // the response was signed at an impossible time
	ErrNoMatch                = errors.New("revocation: no answer about this certificate")   // no answer is about this certificate
	ErrNotFresh               = errors.New("revocation: not fresh")                          // the evidence is too old or not yet valid
	ErrFuture                 = fmt.Errorf("%w: from the future", ErrNotFresh)               // thisUpdate is in the future; errors.Is also finds ErrNotFresh
	ErrRollback               = errors.New("revocation: older than what is known")           // the evidence is older than evidence that was seen before
	ErrCRLIssuer              = errors.New("revocation: CRL of another issuer")              // the CRL was issued by another issuer
	ErrCRLScope               = errors.New("revocation: CRL does not cover the certificate") // the CRL does not cover this certificate
	ErrIndirectCRL            = fmt.Errorf("%w: indirect CRL", ErrCRLScope)                  // the CRL lists certificates of several issuers, which is not supported; errors.Is also finds ErrCRLScope
	ErrDeltaMismatch          = errors.New("revocation: delta CRL of another list")          // the delta CRL does not continue this complete CRL
	ErrCRLIncomplete          = errors.New("revocation: CRL does not cover all reasons")     // not all revocation reasons are covered
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
