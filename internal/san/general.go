package san

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

// Numbers of the forms of GeneralName, RFC 5280, section 4.2.1.6.
const (
	OtherName     = 0
	RFC822Name    = 1
	DNSName       = 2
	X400Address   = 3
	DirectoryName = 4
	EDIPartyName  = 5
	URI           = 6
	IPAddress     = 7
	RegisteredID  = 8
)

// IsForm reports whether the tag of an element is that of a GeneralName: one of the nine numbers,
// and constructed if the form requires it.
func IsForm(element der.Element) bool {
	switch element.Tag {
	case der.Context | RFC822Name, der.Context | DNSName, der.Context | URI, der.Context | IPAddress, der.Context | RegisteredID,
		der.Context | der.Constructed | OtherName, der.Context | der.Constructed | X400Address,
		der.Context | der.Constructed | DirectoryName, der.Context | der.Constructed | EDIPartyName:
		return true
	}
	return false
}

// General reads the DER of a SubjectAltName extension and returns its names unparsed, whether or
// not their tag is that of a form. Anything but a list of context-specific elements, and a list
// of more than [MaxNames], is an error.
func General(input []byte) ([]der.Element, error) {
	outer, rest, ok := der.Read(input)
	if !ok || len(rest) > 0 || outer.Tag != der.Sequence {
		return nil, errors.New("subject alternative name: not a sequence")
	}
	var names []der.Element
	for rest = outer.Content; len(rest) > 0; {
		var name der.Element
		if name, rest, ok = der.Read(rest); !ok || name.Tag&der.ClassMask != der.Context {
			return nil, errors.New("subject alternative name: not a GeneralName")
		}
		if len(names) == MaxNames {
			return nil, fmt.Errorf("subject alternative name: more than %d names", MaxNames)
		}
		names = append(names, name)
	}
	return names, nil
}

// OtherNameType returns the type of an otherName in dotted form, and its value. ok is false for
// an element that does not begin with a type.
func OtherNameType(name der.Element) (oid string, value []byte, ok bool) {
	kind, rest, ok := der.Read(name.Content)
	if !ok || kind.Tag != der.OID {
		return "", nil, false
	}
	var parsed x509.OID
	if parsed.UnmarshalBinary(kind.Content) != nil {
		return "", nil, false
	}
	return parsed.String(), rest, true
}
