package outbound

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Reason is a short stable string that says why a certificate could not be loaded, presented or used. Reasons are few,
// contain no text from outside, and are safe as metric labels. New ones may be added; the meaning of one does not
// change.
type Reason string

// The reasons. Those of the first group concern loading, those of the second connections.
const (
	ReasonSourceUnavailable      Reason = "source_unavailable"        // a file, variable or Fetch returned nothing
	ReasonReferenceUnresolved    Reason = "reference_unresolved"      // a variable holds an App Configuration or Key Vault reference instead of the secret
	ReasonMalformed              Reason = "malformed"                 // neither readable PEM nor readable PKCS#12, or too large
	ReasonPasswordWrong          Reason = "password_wrong"            // the password does not open the PKCS#12 data, or a PEM key is encrypted
	ReasonKeyMissing             Reason = "key_missing"               // there is no key, or none matches the certificate
	ReasonNotSelected            Reason = "not_selected"              // no certificate matches Config.Select
	ReasonAmbiguous              Reason = "ambiguous"                 // there are several identities and Config.Select is empty
	ReasonCertificateExpired     Reason = "certificate_expired"       // also for a connection, once the loaded certificate has expired
	ReasonCertificateNotYetValid Reason = "certificate_not_yet_valid" // NotBefore is in the future
	ReasonCertificateIsCA        Reason = "certificate_is_ca"         // a CA certificate cannot be a client certificate
	ReasonUsageNotAllowed        Reason = "usage_not_allowed"         // not for client authentication, or not for signatures
	ReasonKeyNotAllowed          Reason = "key_not_allowed"           // RSA below 2048 or above 8192 bits, a curve below 256
	ReasonKeyExposed             Reason = "key_exposed"               // warning only: every user of the machine can read the key file
	ReasonExpiring               Reason = "expiring"                  // warning only

	ReasonNotConfigured     Reason = "not_configured"     // the Certificate is not from Open, the URL is not https, or a redirect leads to another server
	ReasonClosed            Reason = "closed"             // after Close
	ReasonAlgorithmMismatch Reason = "algorithm_mismatch" // the server accepts no signature that this key can make
	ReasonCAHintMismatch    Reason = "ca_hint_mismatch"   // warning only: the server names other CAs; the certificate is presented nevertheless
	ReasonServerUntrusted   Reason = "server_untrusted"   // the server's certificate: chain, name, dates or pin
	ReasonRefused           Reason = "refused"            // the server refused the certificate without a specific reason
	ReasonRefusedUnknownCA  Reason = "refused_unknown_ca" // the server does not trust the issuer
	ReasonRefusedExpired    Reason = "refused_expired"    // the server considers the certificate expired
	ReasonRefusedRevoked    Reason = "refused_revoked"    // the server considers the certificate revoked
	ReasonRefusedRequired   Reason = "refused_required"   // the server reports that it received no certificate
)

// hint returns the first step for the operator.
func (r Reason) hint() string {
	switch r {
	case ReasonSourceUnavailable:
		return "does the file, variable or secret exist, and may this process read it?"
	case ReasonReferenceUnresolved:
		return "App Service did not resolve the reference: check the setting's status in the portal, the app's identity and its permission to read the secret"
	case ReasonMalformed:
		return "is the file still being written? openssl x509 -text or openssl pkcs12 -info shows what can be read of it"
	case ReasonPasswordWrong:
		return "set Config.Password, or leave it nil for a file without a password; an encrypted PEM key must be decrypted or converted to PKCS#12"
	case ReasonKeyMissing:
		return "the private key must be in the same source: export it with the certificate; a Key Vault certificate needs an exportable key"
	case ReasonNotSelected:
		return "compare Config.Select with the certificate; a renewed one has a new thumbprint"
	case ReasonAmbiguous:
		return "select one certificate with Config.Select"
	case ReasonCertificateExpired:
		return "renew the certificate; check this host's clock too"
	case ReasonCertificateNotYetValid:
		return "check this host's clock; until then the certificate in use now must stay in the source"
	case ReasonCertificateIsCA:
		return "the application needs a certificate issued by a CA (openssl req -x509 creates a CA certificate)"
	case ReasonUsageNotAllowed:
		return "ask the CA for the extended key usage clientAuth and the key usage digitalSignature; Config.AllowServerAuth accepts a server's certificate"
	case ReasonKeyNotAllowed:
		return "have the certificate issued for an RSA 2048, P-256, Ed25519 or stronger key"
	case ReasonKeyExposed:
		return "remove the permission of other users to read the key file: chmod o-r, or the defaultMode of a Kubernetes volume, which is 0644 if it is not set"
	case ReasonExpiring:
		return "renew it and put the new one into the source; servers that pin the certificate need the new one first"
	case ReasonNotConfigured:
		return "use what Open returned without an error, and https URLs"
	case ReasonClosed:
		return "the connection was started after Close"
	case ReasonAlgorithmMismatch:
		return "the server must accept signatures of this type of key, or the certificate needs another type"
	case ReasonCAHintMismatch:
		return "if the server refuses it, check that the server knows the issuer of this certificate"
	case ReasonServerUntrusted:
		return "is this the right server, and is its CA in Config.ServerRoots?"
	case ReasonRefusedUnknownCA:
		return "the server needs the issuer among its client CAs, or the intermediates must be in the source; an expired one is not presented"
	case ReasonRefusedExpired:
		return "compare the dates of the certificate with the server's clock"
	case ReasonRefusedRevoked:
		return "ask the CA; the certificate must be replaced"
	case ReasonRefusedRequired:
		return "a proxy on the way may have terminated TLS"
	case ReasonRefused:
	}
	return "look at the server's log"
}

// Error is the type of every failure that this package reports. It is meant for logs and metrics and never holds key
// material. errors.As finds it in the errors of an http.Client with a [Certificate.Transport]; for connections made
// through a TLSConfig see [Explain].
type Error struct {
	// Reason is the kind of failure.
	Reason Reason
	// Rule is the path of the failed part: "Source.File", "ServerRoots.File", or "connection".
	Rule string
	// Hint is the operator's next step.
	Hint string
	// Err is the detail. Its text may change.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e == nil {
		return "outbound: no error"
	}
	var b strings.Builder
	b.WriteString("outbound: ")
	if e.Rule != "" {
		b.WriteString(e.Rule + ": ")
	}
	b.WriteString(string(e.Reason))
	if e.Err != nil {
		b.WriteString(": " + withoutKeys(e.Err.Error()))
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

// at returns a copy of the error with the path of the failed part.
func (e *Error) at(rule string) *Error {
	placed := *e
	placed.Rule = rule
	return &placed
}

// withHint returns a copy of the error whose text ends with the hint, because most programs print only the text.
func (e *Error) withHint() *Error {
	full := *e
	switch {
	case e.Hint == "": // the error of a Fetch
	case e.Err == nil:
		full.Err = errors.New(e.Hint)
	default:
		full.Err = fmt.Errorf("%w (%s)", e.Err, e.Hint)
	}
	return &full
}

func fail(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Hint: reason.hint(), Err: fmt.Errorf(format, args...)}
}

// malformed returns an error with another step than the usual one.
func malformed(hint, format string, args ...any) *Error {
	return &Error{Reason: ReasonMalformed, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// exportAgain is the step for PKCS#12 that needs what is not supported.
const exportAgain = "export it again with the defaults of openssl pkcs12 -export, or use PEM"

// tooMuch is the step for what is larger than a source may be.
const tooMuch = "is this the right place? no certificate needs so much"

// asError returns the *Error in err, or wraps err in one with the given reason.
func asError(err error, otherwise Reason) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	return &Error{Reason: otherwise, Hint: otherwise.hint(), Err: err}
}

// maxDetail bounds the detail of an error, in bytes.
const maxDetail = 512

// withoutKeys makes a text one short line. It may come from a user's function, or hold names that the certificate of an
// unknown server claims. It withholds a text that quotes a key.
func withoutKeys(text string) string {
	if logtext.LooksSecret(text) {
		return "(text withheld, it quotes a key or a certificate)"
	}
	return logtext.Clip(logtext.Visible(text), maxDetail)
}
