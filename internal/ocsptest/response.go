package ocsptest

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// Object identifiers of OCSP.
var (
	OIDBasic   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	OIDNonce   = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	OIDNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
)

// The statuses without content.
var (
	StatusGood    = []byte{0x80, 0}
	StatusUnknown = []byte{0x82, 0}
)

// StatusRevoked encodes revoked [1]; a negative reason is omitted.
func StatusRevoked(at []byte, reason int) []byte {
	if reason < 0 {
		return Element(Explicit(1), at)
	}
	return Element(Explicit(1), at, Element(Explicit(0), Element(TagEnumerated, []byte{byte(reason)}))) //nolint:gosec // the tags of the status are single digits
}

// CertID identifies a certificate by its issuer and serial number; Serial is a whole INTEGER.
type CertID struct {
	Hash              []byte // AlgorithmIdentifier
	NameHash, KeyHash []byte
	Serial            []byte
	Behind            []byte
}

// IDOf returns the CertID of a certificate.
func IDOf(hash crypto.Hash, issuer *x509.Certificate, serial *big.Int) CertID {
	return CertID{
		Hash: HashIdentifier(hash), NameHash: sum(hash, issuer.RawSubject),
		KeyHash: sum(hash, KeyBits(issuer.RawSubjectPublicKeyInfo)), Serial: Integer(serial),
	}
}

// DER writes the CertID.
func (id CertID) DER() []byte {
	return Element(TagSequence, id.Hash, Element(TagOctetString, id.NameHash), Element(TagOctetString, id.KeyHash), id.Serial, id.Behind)
}

// Answer is a SingleResponse. Times and the status are whole elements.
type Answer struct {
	ID         CertID
	Status     []byte
	ThisUpdate []byte
	NextUpdate []byte // nil: absent
	Extensions []Extension
	Behind     []byte
}

// DER writes the answer.
func (a Answer) DER() []byte {
	var next, extensions []byte
	if a.NextUpdate != nil {
		next = Element(Explicit(0), a.NextUpdate)
	}
	if a.Extensions != nil {
		extensions = Element(Explicit(1), Extensions(a.Extensions))
	}
	return Element(TagSequence, a.ID.DER(), a.Status, a.ThisUpdate, next, extensions, a.Behind)
}

// ByName encodes a ResponderID with a name.
func ByName(name []byte) []byte { return Element(Explicit(1), name) }

// ByKey encodes a ResponderID with the SHA-1 hash of the key's bits.
func ByKey(cert *x509.Certificate) []byte {
	return ByKeyHash(sum(crypto.SHA1, KeyBits(cert.RawSubjectPublicKeyInfo)))
}

// ByKeyHash encodes a ResponderID with an arbitrary hash.
func ByKeyHash(hash []byte) []byte { return Element(Explicit(2), Element(TagOctetString, hash)) }

// Place is a place where Response.Behind and List.Behind append bytes.
type Place string

// The places at whose end bytes can be appended. Those from InData on are signed.
const (
	AfterAll      Place = "after the outermost SEQUENCE"
	InOuter       Place = "at the end of the outermost SEQUENCE"
	InExplicit    Place = "at the end of responseBytes [0]"
	InBytes       Place = "at the end of ResponseBytes"
	AfterBasic    Place = "after BasicOCSPResponse"
	InBasic       Place = "at the end of BasicOCSPResponse"
	InCerts       Place = "at the end of certs [0]"
	InAlgorithm   Place = "at the end of the outer AlgorithmIdentifier"
	InData        Place = "at the end of the signed SEQUENCE"
	InVersion     Place = "at the end of version [0]"
	InExtensions  Place = "at the end of the extensions [0] or [1]"
	InAnswers     Place = "at the end of responses"
	InResponderID Place = "at the end of responderID"
)

// Response is an OCSPResponse.
type Response struct {
	Status       byte // OCSPResponseStatus
	WithoutBytes bool // omit responseBytes
	Type         asn1.ObjectIdentifier
	Version      []byte // the INTEGER inside [0]; nil: absent
	Responder    []byte
	ProducedAt   []byte
	Answers      []Answer
	Extensions   []Extension
	Certificates [][]byte

	Key       crypto.Signer
	Algorithm Algorithm // if empty, the usual one of the key

	// Behind appends bytes at the end of places.
	Behind map[Place][]byte
	// Forge changes the signed bytes after the signature was made.
	Forge func(tbs []byte) []byte
	// TBS, if not nil, is signed instead of the encoding of the fields.
	TBS []byte
}

// Data writes the ResponseData, which is what is signed.
func (r Response) Data() []byte {
	if r.TBS != nil {
		return r.TBS
	}
	var version, answers, extensions []byte
	if r.Version != nil {
		version = Element(Explicit(0), r.Version, r.Behind[InVersion])
	}
	for _, a := range r.Answers {
		answers = append(answers, a.DER()...)
	}
	if r.Extensions != nil {
		extensions = Element(Explicit(1), Extensions(r.Extensions), r.Behind[InExtensions])
	}
	responder := behind(r.Responder, r.Behind[InResponderID])
	return Element(TagSequence, version, responder, r.ProducedAt, Element(TagSequence, answers, r.Behind[InAnswers]), extensions, r.Behind[InData])
}

// Encode signs and writes the response.
func (r Response) Encode() ([]byte, error) {
	status := Element(TagEnumerated, []byte{r.Status})
	if r.WithoutBytes {
		return append(Element(TagSequence, status, r.Behind[InOuter]), r.Behind[AfterAll]...), nil
	}
	algorithm := r.Algorithm
	if algorithm.Identifier == nil {
		algorithm = AlgorithmFor(r.Key)
	}
	tbs := r.Data()
	signature, err := algorithm.sign(r.Key, tbs)
	if err != nil {
		return nil, err
	}
	if r.Forge != nil {
		tbs = r.Forge(tbs)
	}
	var certs []byte
	if r.Certificates != nil {
		var all []byte
		for _, cert := range r.Certificates {
			all = append(all, cert...)
		}
		certs = Element(Explicit(0), Element(TagSequence, all), r.Behind[InCerts])
	}
	identifier := behind(algorithm.Identifier, r.Behind[InAlgorithm])
	basic := Element(TagSequence, tbs, identifier, bitString(signature), certs, r.Behind[InBasic])
	kind := r.Type
	if kind == nil {
		kind = OIDBasic
	}
	content := Element(TagOctetString, basic, r.Behind[AfterBasic])
	bytes := Element(TagSequence, OID(kind), content, r.Behind[InBytes])
	outer := Element(TagSequence, status, Element(Explicit(0), bytes, r.Behind[InExplicit]), r.Behind[InOuter])
	return append(outer, r.Behind[AfterAll]...), nil
}

// behind appends bytes to the content of a constructed element.
func behind(element, extra []byte) []byte {
	var inner asn1.RawValue
	if extra == nil {
		return element
	}
	if _, err := asn1.Unmarshal(element, &inner); err != nil {
		return append(element, extra...)
	}
	return Element(element[0], inner.Bytes, extra)
}
