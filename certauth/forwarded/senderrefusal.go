package forwarded

import (
	"errors"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// senderError is the refusal of a sender with a hint of its own. If it is about the sender's own
// certificate, the fault is in that one, not in the client's, so its reason is only part of the text.
type senderError struct{ text, hint string }

func (e *senderError) Error() string { return e.text }

// refusedSender returns the senderError for a refusal of the hop. missing is the hint if the sender
// presented no certificate.
func refusedSender(whose string, err error, missing string) error {
	refused := &senderError{
		text: whose + " own certificate: " + err.Error(),
		hint: "the sender's own certificate is not one that From accepts; if the front end's own certificate was renewed, accept the new one in From; otherwise check what else can reach this port",
	}
	if hop, ok := errors.AsType[*certauth.Error](err); ok {
		switch hop.Reason { //nolint:exhaustive // the others do not say whether the sender is the front end
		case certauth.ReasonCertificateMissing:
			refused.hint = missing
		case certauth.ReasonCertificateExpired:
			refused.hint = "the sender's own certificate has expired; if the sender is the front end, renew it there; check this host's clock too"
		case certauth.ReasonCertificateNotYetValid:
			refused.hint = "check this host's clock: the sender's own certificate is not valid yet"
		case certauth.ReasonSourceUntrusted, certauth.ReasonCertificateMalformed:
			refused.hint = hop.Hint
		}
	}
	return refused
}
