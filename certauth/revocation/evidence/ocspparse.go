package evidence

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"time"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidBasicResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
)

// basicResponse is a parsed BasicOCSPResponse (RFC 6960, section 4.2.1), not verified.
type basicResponse struct {
	tbs        []byte
	byName     []byte // DER of the responder's name, or
	byKey      []byte // SHA-1 of its key bits
	producedAt time.Time
	answers    []answer
	extensions []pkix.Extension
	algorithm  algorithmIdentifier
	signature  []byte
	embedded   [][]byte
}

// answer is a SingleResponse.
type answer struct {
	hash              algorithmIdentifier
	nameHash, keyHash []byte
	serial            []byte
	status            Status
	reason            int
	revokedAt         time.Time
	Edition           // without what only lists have
	extensions        []pkix.Extension
}

// parseResponse reads strict DER. It limits the number of answers, certificates and extensions
// before they cost anything.
func parseResponse(der []byte) (*basicResponse, error) {
	outer := readSequence(der, "OCSPResponse")
	status := outer.enum("OCSPResponse")
	switch {
	case *outer.err != nil:
		return nil, *outer.err
	case status != 0:
		return nil, ResponderStatusError{Status: status}
	}
	const noBytes = "successful without responseBytes"
	explicit := outer.inside(tagExplicit0, noBytes)
	outer.end(noBytes)
	bytes := explicit.inside(cbasn1.SEQUENCE, noBytes)
	explicit.end(noBytes)
	kind := bytes.oid("responseType")
	if *outer.err == nil && !kind.Equal(oidBasicResponse) {
		return nil, fmt.Errorf("%w: %s", ErrResponseType, kind)
	}
	content := bytes.inside(cbasn1.OCTET_STRING, "response")
	bytes.end("response")
	r := content.basicResponse()
	if *outer.err != nil {
		return nil, *outer.err
	}
	return r, nil
}

func (r *reader) basicResponse() *basicResponse {
	basic := r.inside(cbasn1.SEQUENCE, "BasicOCSPResponse")
	r.end("BasicOCSPResponse")
	b := &basicResponse{tbs: basic.sequence("BasicOCSPResponse")}
	b.algorithm = basic.algorithm("signatureAlgorithm")
	b.signature = basic.octetsOfBits("signature")
	if explicit, present := basic.optional(tagExplicit0, "certs"); present {
		list := explicit.inside(cbasn1.SEQUENCE, "certs")
		explicit.end("certs")
		for list.more() {
			if len(b.embedded) == maxCertificates {
				r.fail(fmt.Errorf("%w: more than %d certificates", ErrLimits, maxCertificates))
			}
			b.embedded = append(b.embedded, list.sequence("certificate"))
		}
	}
	basic.end("bytes after BasicOCSPResponse")
	b.readData(r.of(b.tbs))
	return b
}

func (r *basicResponse) readData(in *reader) {
	data := in.inside(cbasn1.SEQUENCE, "ResponseData")
	if explicit, present := data.optional(tagExplicit0, "ResponseData"); present {
		version := explicit.number("version")
		explicit.end("version")
		if version != 0 {
			in.fail(fmt.Errorf("%w: version %d", ErrResponseType, version+1))
		}
	}
	r.readResponder(data)
	r.producedAt = data.generalizedTime("producedAt")
	answers := data.inside(cbasn1.SEQUENCE, "responses")
	for answers.more() {
		if len(r.answers) == maxAnswers {
			in.fail(fmt.Errorf("%w: more than %d answers", ErrLimits, maxAnswers))
		}
		r.answers = append(r.answers, answers.answer())
	}
	if string(data.rest) != "\xA1\x02\x30\x00" { // an empty list, as SK of Estonia encodes it, says nothing
		r.extensions = data.optionalExtensions(tagExplicit1)
		data.end("bytes after ResponseData")
	}
}

func (r *basicResponse) readResponder(data *reader) {
	explicit, tag := data.anyInside("responderID")
	switch tag {
	case tagExplicit1:
		r.byName = explicit.sequence("responderID")
	case tagExplicit2:
		r.byKey = explicit.content(cbasn1.OCTET_STRING, "responderID")
	default:
		data.want(false, "responderID")
	}
	explicit.end("responderID")
}

func (r *reader) answer() (a answer) {
	single := r.inside(cbasn1.SEQUENCE, "SingleResponse")
	id := single.inside(cbasn1.SEQUENCE, "SingleResponse")
	a.hash = id.algorithm("CertID")
	a.nameHash, a.keyHash = id.content(cbasn1.OCTET_STRING, "CertID"), id.content(cbasn1.OCTET_STRING, "CertID")
	a.serial = id.integer("serialNumber")
	id.end("serialNumber")
	a.readStatus(single)
	a.ThisUpdate = single.generalizedTime("thisUpdate")
	if explicit, present := single.optional(tagExplicit0, "nextUpdate"); present {
		a.NextUpdate = notZero(explicit.generalizedTime("nextUpdate"))
		explicit.end("nextUpdate")
	}
	a.extensions = single.optionalExtensions(tagExplicit1)
	single.end("bytes after SingleResponse")
	return a
}

// readStatus reads exactly one of good, revoked and unknown.
func (a *answer) readStatus(single *reader) {
	in, tag := single.anyInside("certStatus")
	a.reason = ReasonUnspecified
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
		a.status = Good
	case cbasn1.Tag(2).ContextSpecific():
		a.status = Unknown
	case tagExplicit1:
		a.status = Revoked
		a.revokedAt = in.generalizedTime("revocationTime")
		if explicit, present := in.optional(tagExplicit0, "revocationReason"); present {
			a.reason = explicit.enum("revocationReason")
			explicit.end("revocationReason")
		}
	default:
		single.want(false, "certStatus")
	}
	in.end("certStatus")
}
