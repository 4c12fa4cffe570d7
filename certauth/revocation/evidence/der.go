package evidence

import (
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// cryptobyte demands minimal lengths and the definite form. Three things it does not
// demand are done here and in dertime.go: times of exactly one form, minimal INTEGERs, and
// that nothing stands behind a value.

const (
	maxExtensions   = 16
	maxCertificates = 8
	maxAnswers      = 64
	// MaxResponse bounds an OCSP response, in bytes.
	MaxResponse = 64 << 10
)

var (
	tagExplicit0 = cbasn1.Tag(0).Constructed().ContextSpecific()
	tagExplicit1 = cbasn1.Tag(1).Constructed().ContextSpecific()
	tagExplicit2 = cbasn1.Tag(2).Constructed().ContextSpecific()
)

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// readInteger returns the content of a minimally encoded INTEGER.
func readInteger(s *cryptobyte.String) ([]byte, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.INTEGER) || len(content) == 0 {
		return nil, false
	}
	if len(content) > 1 && (content[0] == 0 && content[1] < 0x80 || content[0] == 0xFF && content[1] >= 0x80) {
		return nil, false
	}
	return content, true
}

// extension is one Extension of RFC 5280, section 4.1.
type extension struct {
	oid      asn1.ObjectIdentifier
	critical bool
	value    []byte
}

// readExtensions reads a list of at least one and at most maxExtensions, none twice.
func readExtensions(s *cryptobyte.String) ([]extension, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return nil, malformed("extensions")
	}
	var extensions []extension
	for !list.Empty() {
		if len(extensions) == maxExtensions {
			return nil, fmt.Errorf("%w: more than %d extensions", ErrLimits, maxExtensions)
		}
		one, ok := readExtension(&list)
		if !ok {
			return nil, malformed("extension")
		}
		if _, twice := find(extensions, one.oid); twice {
			return nil, fmt.Errorf("%w: extension %s stands twice", ErrLimits, one.oid)
		}
		extensions = append(extensions, one)
	}
	return extensions, nil
}

func readExtension(list *cryptobyte.String) (extension, bool) {
	var one extension
	var inner, value cryptobyte.String
	if !list.ReadASN1(&inner, cbasn1.SEQUENCE) || !readOID(&inner, &one.oid) {
		return one, false
	}
	if inner.PeekASN1Tag(cbasn1.BOOLEAN) {
		// DER leaves a FALSE default out, and writes TRUE as 0xFF, which ReadASN1Boolean
		// demands.
		if !inner.ReadASN1Boolean(&one.critical) || !one.critical {
			return one, false
		}
	}
	if !inner.ReadASN1(&value, cbasn1.OCTET_STRING) || !inner.Empty() {
		return one, false
	}
	one.value = value
	return one, true
}

// maxOID is more octets than any algorithm or extension has. Read, an identifier takes eight
// times its length, and it stands in error texts.
const maxOID = 64

func readOID(s *cryptobyte.String, oid *asn1.ObjectIdentifier) bool {
	ahead := *s
	var content cryptobyte.String
	return ahead.ReadASN1(&content, cbasn1.OBJECT_IDENTIFIER) && len(content) <= maxOID && s.ReadASN1ObjectIdentifier(oid)
}

func find(extensions []extension, oid asn1.ObjectIdentifier) (extension, bool) {
	for _, one := range extensions {
		if one.oid.Equal(oid) {
			return one, true
		}
	}
	return extension{}, false
}

// serialBytes is the content of a certificate's serial number as DER has it.
func serialBytes(raw []byte) ([]byte, bool) {
	// TBSCertificate: the version, then the serial number. Taken from the DER because a
	// big.Int forgets how it was written.
	s := cryptobyte.String(raw)
	var cert, tbs cryptobyte.String
	if !s.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(tagExplicit0) {
		return nil, false
	}
	return readInteger(&tbs)
}

// keyBits is the content of the subjectPublicKey BIT STRING without its first octet: what
// issuerKeyHash and byKey are made of (RFC 6960, section 4.1.1).
func keyBits(spki []byte) ([]byte, bool) {
	s := cryptobyte.String(spki)
	var inner cryptobyte.String
	var bits asn1.BitString
	if !s.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.SkipASN1(cbasn1.SEQUENCE) || !inner.ReadASN1BitString(&bits) || bits.BitLength%8 != 0 {
		return nil, false
	}
	return bits.Bytes, true
}
