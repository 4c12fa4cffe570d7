package ocsptest

import (
	"crypto"
	"encoding/asn1"
	"math/big"
	"slices"
)

// Object identifiers of CRLs.
var (
	OIDCRLNumber          = asn1.ObjectIdentifier{2, 5, 29, 20}
	OIDReasonCode         = asn1.ObjectIdentifier{2, 5, 29, 21}
	OIDInvalidityDate     = asn1.ObjectIdentifier{2, 5, 29, 24}
	OIDDeltaIndicator     = asn1.ObjectIdentifier{2, 5, 29, 27}
	OIDIssuingPoint       = asn1.ObjectIdentifier{2, 5, 29, 28}
	OIDCertificateIssuer  = asn1.ObjectIdentifier{2, 5, 29, 29}
	OIDDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
	OIDAuthorityKeyID     = asn1.ObjectIdentifier{2, 5, 29, 35}
	OIDFreshestCRL        = asn1.ObjectIdentifier{2, 5, 29, 46}
)

// Entry is an element of revokedCertificates; Serial and RevokedAt are whole elements.
type Entry struct {
	Serial     []byte
	RevokedAt  []byte
	Extensions []Extension
	Behind     []byte
}

// DER writes the entry.
func (e Entry) DER() []byte {
	var extensions []byte
	if e.Extensions != nil {
		extensions = Extensions(e.Extensions)
	}
	return Element(TagSequence, e.Serial, e.RevokedAt, extensions, e.Behind)
}

// ReasonCode is the CRL entry extension.
func ReasonCode(reason byte) Extension {
	return Extension{OID: OIDReasonCode, Value: Element(TagEnumerated, []byte{reason})}
}

// CRLNumber returns the extension of that name.
func CRLNumber(n int64) Extension {
	return Extension{OID: OIDCRLNumber, Value: Integer(big.NewInt(n))}
}

// DeltaIndicator returns the critical extension that makes a list a delta for lists from number
// base on.
func DeltaIndicator(base int64) Extension {
	return Extension{OID: OIDDeltaIndicator, Critical: true, Value: Integer(big.NewInt(base))}
}

// FreshestCRL returns the extension of that name, for a list or a certificate.
func FreshestCRL(points ...[]byte) Extension {
	return Extension{OID: OIDFreshestCRL, Value: Element(TagSequence, points...)}
}

// AuthorityKeyID is the extension with a keyIdentifier.
func AuthorityKeyID(id []byte) Extension {
	return Extension{OID: OIDAuthorityKeyID, Value: Element(TagSequence, Element(Context(0), id))}
}

// List is a CertificateList. Issuer and the times are whole elements.
type List struct {
	Version    []byte // INTEGER; nil is v2
	NoVersion  bool   // version 1
	Inner      []byte // AlgorithmIdentifier inside, if it differs from the one outside
	Issuer     []byte
	ThisUpdate []byte
	NextUpdate []byte // nil: absent
	Entries    []Entry
	RawEntries []byte // written before Entries, unchanged; for lists of a million entries
	WithEmpty  bool   // write revokedCertificates even if it is empty
	Extensions []Extension

	Key       crypto.Signer
	Algorithm Algorithm // if empty, the usual one of the key
	Behind    map[Place][]byte
	Forge     func(tbs []byte) []byte
	TBS       []byte
}

// Data writes the TBSCertList, which is what is signed.
func (l List) Data() []byte {
	if l.TBS != nil {
		return l.TBS
	}
	version := l.Version
	switch {
	case l.NoVersion:
		version = nil
	case version == nil:
		version = Integer(big.NewInt(1))
	}
	inner := l.Inner
	if inner == nil {
		inner = l.algorithm().Identifier
	}
	var extensions []byte
	entries := slices.Clip(l.RawEntries)
	for _, e := range l.Entries {
		entries = append(entries, e.DER()...)
	}
	if len(entries) > 0 || l.WithEmpty {
		entries = Element(TagSequence, entries, l.Behind[InAnswers])
	}
	if l.Extensions != nil {
		extensions = Element(Explicit(0), Extensions(l.Extensions), l.Behind[InExtensions])
	}
	return Element(TagSequence, version, inner, l.Issuer, l.ThisUpdate, l.NextUpdate, entries, extensions, l.Behind[InData])
}

func (l List) algorithm() Algorithm {
	if l.Algorithm.Identifier == nil {
		return AlgorithmFor(l.Key)
	}
	return l.Algorithm
}

// Encode signs and writes the list.
func (l List) Encode() ([]byte, error) {
	tbs := l.Data()
	signature, err := l.algorithm().sign(l.Key, tbs)
	if err != nil {
		return nil, err
	}
	if l.Forge != nil {
		tbs = l.Forge(tbs)
	}
	identifier := behind(l.algorithm().Identifier, l.Behind[InAlgorithm])
	outer := Element(TagSequence, tbs, identifier, bitString(signature), l.Behind[InOuter])
	return append(outer, l.Behind[AfterAll]...), nil
}

// Reasons encodes ReasonFlags under the tag, with the given bits set.
func Reasons(tag uint8, reasons ...int) []byte {
	var bits [2]byte
	last := 0
	for _, n := range reasons {
		bits[n/8] |= 0x80 >> (n % 8)
		last = max(last, n)
	}
	return Element(tag, []byte{byte(7 - last%8)}, bits[:last/8+1])
}

// URI writes a GeneralName.
func URI(uri string) []byte { return Element(Context(6), []byte(uri)) }

// FullName writes a DistributionPointName of general names.
func FullName(names ...[]byte) []byte {
	return Element(Explicit(0), Element(Explicit(0), names...))
}

// RelativeName writes a DistributionPointName relative to the CRL issuer.
func RelativeName(attribute []byte) []byte {
	return Element(Explicit(0), Element(Explicit(1), attribute))
}

// Point writes one DistributionPoint of the given fields.
func Point(fields ...[]byte) []byte { return Element(TagSequence, fields...) }

// DistributionPoints is the extension of a certificate.
func DistributionPoints(points ...[]byte) Extension {
	return Extension{OID: OIDDistributionPoints, Value: Element(TagSequence, points...)}
}

// Flag encodes BOOLEAN TRUE under [n], for an issuing distribution point: 1 users only, 2 CAs
// only, 4 indirect, 5 attribute certificates only.
func Flag(n uint8) []byte { return Element(Context(n), []byte{0xFF}) }

// IssuingPoint is the critical extension of a CRL with the given fields.
func IssuingPoint(fields ...[]byte) Extension {
	return Extension{OID: OIDIssuingPoint, Critical: true, Value: Element(TagSequence, fields...)}
}
