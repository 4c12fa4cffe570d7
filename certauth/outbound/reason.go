package outbound

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Reason says in one stable word why a certificate could not be loaded, presented or used. Reasons are few, hold no
// text from outside, and are safe as metric labels. New ones may be added; the meaning of one does not change.
type Reason string

// The reasons. The first group belongs to loading, the second to connections.
const (
	ReasonSourceUnavailable      Reason = "source_unavailable"        // a file, variable or Fetch gave nothing
	ReasonReferenceUnresolved    Reason = "reference_unresolved"      // the variable holds a Key Vault reference instead of the secret
	ReasonMalformed              Reason = "malformed"                 // neither PEM nor PKCS#12 that can be read, or too large
	ReasonPasswordWrong          Reason = "password_wrong"            // PKCS#12 that this password does not open, or an encrypted PEM key
	ReasonKeyMissing             Reason = "key_missing"               // no key at all, or none that belongs to the certificate
	ReasonNotSelected            Reason = "not_selected"              // no certificate is what Config.Select asks for
	ReasonAmbiguous              Reason = "ambiguous"                 // several identities and no Config.Select
	ReasonCertificateExpired     Reason = "certificate_expired"       // also of a connection, once the loaded one has expired
	ReasonCertificateNotYetValid Reason = "certificate_not_yet_valid" // NotBefore is in the future
	ReasonCertificateIsCA        Reason = "certificate_is_ca"         // a CA certificate is no client
	ReasonUsageNotAllowed        Reason = "usage_not_allowed"         // not for client authentication, or not for signatures
	ReasonKeyNotAllowed          Reason = "key_not_allowed"           // RSA below 2048 bits, a curve below 256
	ReasonKeyExposed             Reason = "key_exposed"               // only a warning: every user of the machine may read the key's file
	ReasonExpiring               Reason = "expiring"                  // only a warning

	ReasonNotConfigured     Reason = "not_configured"     // a Certificate that Open did not return, or a URL that is not https
	ReasonClosed            Reason = "closed"             // after Close
	ReasonAlgorithmMismatch Reason = "algorithm_mismatch" // the server accepts no signature that this key can make
	ReasonCAHintMismatch    Reason = "ca_hint_mismatch"   // only a warning: the server names other CAs; the certificate is presented all the same
	ReasonServerUntrusted   Reason = "server_untrusted"   // the server's certificate: chain, name, dates or pin
	ReasonRefused           Reason = "refused"            // the server refused the certificate and did not say more
	ReasonRefusedUnknownCA  Reason = "refused_unknown_ca" // the server does not trust the issuer
	ReasonRefusedExpired    Reason = "refused_expired"    // the server holds the certificate for expired
	ReasonRefusedRevoked    Reason = "refused_revoked"    // the server holds the certificate for revoked
	ReasonRefusedRequired   Reason = "refused_required"   // the server says that it got no certificate
)

// hint tells an operator where to look first.
func (r Reason) hint() string {
	switch r {
	case ReasonSourceUnavailable:
		return "does the file, variable or secret exist, and may this process read it?"
	case ReasonReferenceUnresolved:
		return "App Service did not resolve the Key Vault reference: look at the setting's status in the portal, the app's identity and its right to read the secret"
	case ReasonMalformed:
		return "compare with openssl x509 -text or openssl pkcs12 -info; is the file still being written?"
	case ReasonPasswordWrong:
		return "set Config.Password, or leave it out for a file without one; an encrypted PEM key must be decrypted or packed as PKCS#12"
	case ReasonKeyMissing:
		return "the private key must be in the same source: export it with the certificate; a Key Vault certificate needs an exportable key"
	case ReasonNotSelected:
		return "compare Config.Select with the certificate; a renewed one has a new thumbprint"
	case ReasonAmbiguous:
		return "say in Config.Select which certificate is meant"
	case ReasonCertificateExpired:
		return "renew the certificate; check this host's clock too"
	case ReasonCertificateNotYetValid:
		return "check this host's clock"
	case ReasonCertificateIsCA:
		return "the application needs a certificate that a CA issued to it (openssl req -x509 makes CA:TRUE)"
	case ReasonUsageNotAllowed:
		return "ask the CA for the extended key usage clientAuth and the key usage digitalSignature; Config.AllowServerAuth takes a server's certificate"
	case ReasonKeyNotAllowed:
		return "issue the certificate for a key of RSA 2048, P-256, Ed25519 or better"
	case ReasonKeyExposed:
		return "take the right to read the key file from all other users: chmod o-r"
	case ReasonExpiring:
		return "why was it not renewed yet?"
	case ReasonNotConfigured:
		return "use what Open returned without an error, and https URLs"
	case ReasonClosed:
		return "the connection was started after Close"
	case ReasonAlgorithmMismatch:
		return "the server must accept signatures of this kind of key, or the certificate needs another kind"
	case ReasonCAHintMismatch:
		return "if the server refuses it, ask whether it knows the issuer of this certificate"
	case ReasonServerUntrusted:
		return "is this the right server, and is its CA in Config.ServerRoots?"
	case ReasonRefusedUnknownCA:
		return "the server needs the issuer among its client CAs, or the intermediates must be in the source"
	case ReasonRefusedExpired:
		return "compare the dates of the certificate with the server's clock"
	case ReasonRefusedRevoked:
		return "ask the CA; the certificate must be replaced"
	case ReasonRefusedRequired:
		return "a proxy between here and there may have ended TLS"
	case ReasonRefused:
	}
	return "the server's log says why"
}

// Error is every failure of this package. It is meant for logs and metrics; it never holds key material.
type Error struct {
	// Reason is the failure in one word.
	Reason Reason
	// Rule is the path of the failed part: "Source.File", "ServerRoots.File", or "connection".
	Rule string
	// Hint is the operator's next step.
	Hint string
	// Err is the detail.
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

// at returns the error with the path of the failed part.
func (e *Error) at(rule string) *Error {
	placed := *e
	placed.Rule = rule
	return &placed
}

func fail(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Hint: reason.hint(), Err: fmt.Errorf(format, args...)}
}

// asError gives an error of any kind a reason.
func asError(err error, otherwise Reason) *Error {
	if e, ok := errors.AsType[*Error](err); ok && e != nil {
		return e
	}
	return &Error{Reason: otherwise, Hint: otherwise.hint(), Err: err}
}

// maxDetail bounds the detail of an error, in bytes.
const maxDetail = 512

// withoutKeys cuts a text that may come from a function of the user. One that quotes a PEM key is withheld.
func withoutKeys(text string) string {
	if strings.Contains(text, "PRIVATE KEY") && strings.Contains(text, "-----BEGIN") {
		return "(text withheld, it quotes a private key)"
	}
	return logtext.Clip(text, maxDetail)
}
