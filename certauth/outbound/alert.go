package outbound

import (
	"crypto/tls"
	"errors"
	"net"
)

// Explain determines whether a connection failed because of the certificate, for connections made through a TLSConfig.
// It returns an [*Error] that wraps err if err is an alert of the server about the certificate. It returns any other
// error, an *Error included, unchanged, and nil for nil. With TLS 1.3 the alert arrives after the handshake, so it is
// the error of the first read. A write that fails before that read gives no reason; read once more to obtain the alert.
func Explain(err error) error {
	if _, ok := errors.AsType[*Error](err); ok || err == nil {
		return err
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Error{Reason: ReasonServerUntrusted, Rule: "connection", Hint: serverHint(err), Err: err}
	}
	if reason := reasonOfAlert(err); reason != "" {
		return &Error{Reason: reason, Rule: "connection", Hint: reason.hint(), Err: err}
	}
	return err
}

// Alerts of RFC 8446, section 6.2, that concern the client's certificate.
var alertReasons = map[tls.AlertError]Reason{
	40:  ReasonRefused, // handshake_failure: TLS 1.2 servers send it if there is no certificate, and in many other cases
	42:  ReasonRefused, // bad_certificate
	43:  ReasonRefused, // unsupported_certificate
	44:  ReasonRefusedRevoked,
	45:  ReasonRefusedExpired,
	46:  ReasonRefused, // certificate_unknown
	48:  ReasonRefusedUnknownCA,
	49:  ReasonRefused, // access_denied
	51:  ReasonRefused, // decrypt_error: the signature did not verify
	116: ReasonRefusedRequired,
}

// reasonOfAlert looks for an alert sent by the peer. crypto/tls does not export the type that wraps it, so the text is
// compared.
func reasonOfAlert(err error) Reason {
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return alertReasons[alert]
	}
	// net/http wraps an alert of a proxy in another such error.
	for remote, ok := errors.AsType[*net.OpError](err); ok && remote.Err != nil; remote, ok = errors.AsType[*net.OpError](remote.Err) {
		if remote.Op != "remote error" {
			continue
		}
		text := remote.Err.Error()
		for alert, reason := range alertReasons {
			if alert.Error() == text {
				return reason
			}
		}
	}
	return ""
}
