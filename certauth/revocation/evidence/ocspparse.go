package evidence

import (
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidBasicResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
)

// basicResponse is a BasicOCSPResponse (RFC 6960, section 4.2.1) taken apart; nothing in
// it is verified.
type basicResponse struct {
	tbs        []byte
	byName     []byte // DER of the responder's name, or
	byKey      []byte // SHA-1 of its key bits
	producedAt time.Time
	answers    []answer
	extensions []extension
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
	validity
	extensions []extension
}

// parseResponse reads strict DER. Answers, certificates and extensions are counted before
// any of them costs anything.
func parseResponse(der []byte) (*basicResponse, error) {
	s := cryptobyte.String(der)
	var outer cryptobyte.String
	var status int
	if !s.ReadASN1(&outer, cbasn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1Enum(&status) {
		return nil, malformed("OCSPResponse")
	}
	if status != 0 {
		return nil, ResponderStatusError{Status: status}
	}
	var explicit, bytes, content cryptobyte.String
	if !outer.ReadASN1(&explicit, tagExplicit0) || !outer.Empty() || !explicit.ReadASN1(&bytes, cbasn1.SEQUENCE) || !explicit.Empty() {
		return nil, malformed("successful without responseBytes")
	}
	var kind asn1.ObjectIdentifier
	if !readOID(&bytes, &kind) {
		return nil, malformed("responseType")
	}
	if !kind.Equal(oidBasicResponse) {
		return nil, fmt.Errorf("%w: %s", ErrResponseType, kind)
	}
	if !bytes.ReadASN1(&content, cbasn1.OCTET_STRING) || !bytes.Empty() {
		return nil, malformed("response")
	}
	return parseBasic(content)
}

func parseBasic(content cryptobyte.String) (*basicResponse, error) {
	r := &basicResponse{}
	var basic, tbs cryptobyte.String
	var signature asn1.BitString
	if !content.ReadASN1(&basic, cbasn1.SEQUENCE) || !content.Empty() || !basic.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return nil, malformed("BasicOCSPResponse")
	}
	r.tbs = tbs
	var ok bool
	if r.algorithm, ok = readAlgorithm(&basic); !ok {
		return nil, malformed("signatureAlgorithm")
	}
	if !basic.ReadASN1BitString(&signature) || signature.BitLength%8 != 0 {
		return nil, malformed("signature")
	}
	r.signature = signature.Bytes
	if err := r.parseCertificates(&basic); err != nil {
		return nil, err
	}
	if !basic.Empty() {
		return nil, malformed("bytes behind BasicOCSPResponse")
	}
	if err := r.parseData(tbs); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *basicResponse) parseCertificates(basic *cryptobyte.String) error {
	var explicit, list cryptobyte.String
	var present bool
	if !basic.ReadOptionalASN1(&explicit, &present, tagExplicit0) {
		return malformed("certs")
	}
	if !present {
		return nil
	}
	if !explicit.ReadASN1(&list, cbasn1.SEQUENCE) || !explicit.Empty() {
		return malformed("certs")
	}
	for !list.Empty() {
		var cert cryptobyte.String
		if len(r.embedded) == maxCertificates {
			return fmt.Errorf("%w: more than %d certificates", ErrLimits, maxCertificates)
		}
		if !list.ReadASN1Element(&cert, cbasn1.SEQUENCE) {
			return malformed("certificate")
		}
		r.embedded = append(r.embedded, cert)
	}
	return nil
}

func (r *basicResponse) parseData(element cryptobyte.String) error {
	var data, explicit, answers cryptobyte.String
	var present bool
	if !element.ReadASN1(&data, cbasn1.SEQUENCE) || !data.ReadOptionalASN1(&explicit, &present, tagExplicit0) {
		return malformed("ResponseData")
	}
	if present {
		var version int
		if !explicit.ReadASN1Integer(&version) || !explicit.Empty() {
			return malformed("version")
		}
		if version != 0 {
			return fmt.Errorf("%w: version %d", ErrResponseType, version+1)
		}
	}
	if err := r.parseResponder(&data); err != nil {
		return err
	}
	var ok bool
	if r.producedAt, ok = readGeneralizedTime(&data); !ok {
		return malformed("producedAt")
	}
	if !data.ReadASN1(&answers, cbasn1.SEQUENCE) {
		return malformed("responses")
	}
	for !answers.Empty() {
		if len(r.answers) == maxAnswers {
			return fmt.Errorf("%w: more than %d answers", ErrLimits, maxAnswers)
		}
		one, err := parseAnswer(&answers)
		if err != nil {
			return err
		}
		r.answers = append(r.answers, one)
	}
	var err error
	if r.extensions, err = optionalExtensions(&data, tagExplicit1); err != nil {
		return err
	}
	if !data.Empty() {
		return malformed("bytes behind ResponseData")
	}
	return nil
}

func (r *basicResponse) parseResponder(data *cryptobyte.String) error {
	var explicit cryptobyte.String
	switch {
	case data.PeekASN1Tag(tagExplicit1):
		var name cryptobyte.String
		if !data.ReadASN1(&explicit, tagExplicit1) || !explicit.ReadASN1Element(&name, cbasn1.SEQUENCE) || !explicit.Empty() {
			return malformed("responderID")
		}
		r.byName = name
	case data.PeekASN1Tag(tagExplicit2):
		var hash cryptobyte.String
		if !data.ReadASN1(&explicit, tagExplicit2) || !explicit.ReadASN1(&hash, cbasn1.OCTET_STRING) || !explicit.Empty() {
			return malformed("responderID")
		}
		r.byKey = hash
	default:
		return malformed("responderID")
	}
	return nil
}

func optionalExtensions(s *cryptobyte.String, tag cbasn1.Tag) ([]extension, error) {
	var explicit cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&explicit, &present, tag) {
		return nil, malformed("extensions")
	}
	if !present {
		return nil, nil
	}
	extensions, err := readExtensions(&explicit)
	if err == nil && !explicit.Empty() {
		err = malformed("extensions")
	}
	return extensions, err
}

func parseAnswer(answers *cryptobyte.String) (answer, error) {
	var a answer
	var single, id, name, key cryptobyte.String
	var ok bool
	if !answers.ReadASN1(&single, cbasn1.SEQUENCE) || !single.ReadASN1(&id, cbasn1.SEQUENCE) {
		return a, malformed("SingleResponse")
	}
	if a.hash, ok = readAlgorithm(&id); !ok || !id.ReadASN1(&name, cbasn1.OCTET_STRING) || !id.ReadASN1(&key, cbasn1.OCTET_STRING) {
		return a, malformed("CertID")
	}
	a.nameHash, a.keyHash = name, key
	if a.serial, ok = readInteger(&id); !ok || !id.Empty() {
		return a, malformed("serialNumber")
	}
	if err := a.parseStatus(&single); err != nil {
		return a, err
	}
	if a.thisUpdate, ok = readGeneralizedTime(&single); !ok {
		return a, malformed("thisUpdate")
	}
	var explicit cryptobyte.String
	var present bool
	if !single.ReadOptionalASN1(&explicit, &present, tagExplicit0) {
		return a, malformed("nextUpdate")
	}
	if present {
		if a.nextUpdate, ok = readGeneralizedTime(&explicit); !ok || !explicit.Empty() {
			return a, malformed("nextUpdate")
		}
		a.hasNextUpdate = true
	}
	var err error
	if a.extensions, err = optionalExtensions(&single, tagExplicit1); err != nil {
		return a, err
	}
	if !single.Empty() {
		return a, malformed("bytes behind SingleResponse")
	}
	return a, nil
}

// parseStatus reads exactly one of good, revoked and unknown.
func (a *answer) parseStatus(single *cryptobyte.String) error {
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !single.ReadAnyASN1(&content, &tag) {
		return malformed("certStatus")
	}
	a.reason = ReasonUnspecified
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
		a.status = Good
	case cbasn1.Tag(2).ContextSpecific():
		a.status = Unknown
	case tagExplicit1:
		a.status = Revoked
		return a.parseRevoked(&content)
	default:
		return malformed("certStatus")
	}
	if !content.Empty() {
		return malformed("certStatus")
	}
	return nil
}

func (a *answer) parseRevoked(info *cryptobyte.String) error {
	var ok, present bool
	if a.revokedAt, ok = readGeneralizedTime(info); !ok {
		return malformed("revocationTime")
	}
	var explicit cryptobyte.String
	if !info.ReadOptionalASN1(&explicit, &present, tagExplicit0) {
		return malformed("revocationReason")
	}
	if present && (!explicit.ReadASN1Enum(&a.reason) || !explicit.Empty()) {
		return malformed("revocationReason")
	}
	if !info.Empty() {
		return malformed("RevokedInfo")
	}
	return nil
}
