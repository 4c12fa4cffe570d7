package forwarded

import (
	"crypto/x509"
	"errors"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// byteSequence reads the Client-Cert field of RFC 9440, section 2.2: one Structured
// Fields byte sequence (a colon, base64, a colon). RFC 9651, section 4.2.7, lets parsers
// tolerate missing padding and surplus bits. No known front end writes them, and refusing
// them leaves one spelling per certificate. Parameters are refused, because the RFC defines
// none.
func byteSequence(value string) ([]byte, error) {
	if len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
		return nil, errors.New("not a byte sequence between two colons")
	}
	inner := value[1 : len(value)-1]
	if inner == "" {
		return nil, errors.New("empty byte sequence")
	}
	return base64DER(inner)
}

// decodeByteSequenceList reads the Client-Cert-Chain field of RFC 9440, section 2.3: a list
// of byte sequences. The caller has joined the field lines with commas.
func decodeByteSequenceList(value string) ([]*x509.Certificate, error) {
	return splitList(value, func(_ int, item string) (*x509.Certificate, error) {
		return decodeAlong(strings.Trim(item, " \t"), byteSequence, parseBase64DER)
	})
}

// RFC9440 reads Client-Cert and, if Chain is set, Client-Cert-Chain as RFC 9440 defines
// them: a byte sequence, and a list of byte sequences without the leaf.
//
// Verified: the RFC leaves it to the front end, and no field says whether the chain was
// verified. The policy needs an anchor. Cloudflare fills its fields cert_rfc9440 and
// cert_chain_rfc9440 whatever the result of its verification, and leaves them empty for a
// certificate that is too large; [Cloudflare] with RFC9440 checks the flags as well.
//
// Overwritten: section 2.4 demands that the front end remove or overwrite both fields on
// every request. Not all do: a rule that sets them only when there is a certificate leaves
// the client's own.
//
// Required configuration: the front end must set the fields unconditionally.
//
// Refused: bare base64, parameters, an empty byte sequence, base64url, missing padding, two
// Client-Cert lines, a chain without Client-Cert, an empty list member. Client-Cert-Chain
// may occupy several lines.
//
// To verify before going live: the probes of the package documentation.
//
// Source: RFC 9440 and RFC 9651, section 4.2.7; the published example of Appendix A.
type RFC9440 struct {
	// From identifies the front end. Required.
	From Gate
	// Chain reads Client-Cert-Chain as well. If it is false, that header is not read, but
	// it is removed from the request.
	Chain bool
}

// Prepare implements [certauth.Source].
func (s RFC9440) Prepare(env source.Environment) (*source.Reader, error) {
	l := layout{
		preset: "RFC9440", from: s.From, header: "Client-Cert", codec: sequenceCodec(),
		form: "a Structured Fields byte sequence (:base64:)",
	}
	if !s.Chain {
		l.unread = []string{"Client-Cert-Chain"}
	} else {
		l.chain = chainReader{format: ChainByteSequenceList, name: "Client-Cert-Chain"}
	}
	return l.prepare(env)
}
