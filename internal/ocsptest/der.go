// Package ocsptest writes valid and invalid OCSP responses and CRLs. Every part can be replaced
// by arbitrary bytes, omitted, or followed by extra bytes; the signature covers the result.
package ocsptest

import (
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Tags for elements that callers write themselves.
const (
	TagBoolean     = uint8(cbasn1.BOOLEAN)
	TagInteger     = uint8(cbasn1.INTEGER)
	TagBitString   = uint8(cbasn1.BIT_STRING)
	TagOctetString = uint8(cbasn1.OCTET_STRING)
	TagNull        = uint8(cbasn1.NULL)
	TagOID         = uint8(cbasn1.OBJECT_IDENTIFIER)
	TagEnumerated  = uint8(cbasn1.ENUM)
	TagSequence    = uint8(cbasn1.SEQUENCE)
	TagUTCTime     = uint8(cbasn1.UTCTime)
	TagTime        = uint8(cbasn1.GeneralizedTime)
)

// Context returns the tag [n] of a primitive element.
func Context(n uint8) uint8 { return 0x80 | n }

// Explicit returns the tag [n] of a constructed element.
func Explicit(n uint8) uint8 { return 0xA0 | n }

// Element encodes tag, length, and the concatenated content.
func Element(tag uint8, content ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.Tag(tag), func(b *cryptobyte.Builder) {
		for _, one := range content {
			b.AddBytes(one)
		}
	})
	return b.BytesOrPanic()
}

// OID writes an OBJECT IDENTIFIER.
func OID(oid asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1ObjectIdentifier(oid)
	return b.BytesOrPanic()
}

// Integer writes an INTEGER in its shortest form.
func Integer(n *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	return b.BytesOrPanic()
}

// At writes a GeneralizedTime, YYYYMMDDHHMMSSZ.
func At(t time.Time) []byte {
	return Element(TagTime, []byte(t.UTC().Format("20060102150405Z")))
}

// UTCAt writes a UTCTime, YYMMDDHHMMSSZ.
func UTCAt(t time.Time) []byte {
	return Element(TagUTCTime, []byte(t.UTC().Format("060102150405Z")))
}

// Text encodes a GeneralizedTime with arbitrary text.
func Text(text string) []byte { return Element(TagTime, []byte(text)) }

// Extension is an Extension of RFC 5280, section 4.1.
type Extension struct {
	OID      asn1.ObjectIdentifier
	Critical bool
	Value    []byte
	// Boolean, if not nil, replaces the encoding of Critical.
	Boolean []byte
	// Behind is appended inside the SEQUENCE.
	Behind []byte
}

// DER writes the extension.
func (e Extension) DER() []byte {
	critical := e.Boolean
	if critical == nil && e.Critical {
		critical = Element(TagBoolean, []byte{0xFF})
	}
	return Element(TagSequence, OID(e.OID), critical, Element(TagOctetString, e.Value), e.Behind)
}

// Extensions writes the SEQUENCE OF Extension.
func Extensions(list []Extension) []byte {
	var all []byte
	for _, e := range list {
		all = append(all, e.DER()...)
	}
	return Element(TagSequence, all)
}

// KeyBits returns the content of the BIT STRING in a SubjectPublicKeyInfo without its first
// octet: the input for issuerKeyHash and for a responder's key hash.
func KeyBits(spki []byte) []byte {
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		return nil
	}
	return info.Key.Bytes
}
