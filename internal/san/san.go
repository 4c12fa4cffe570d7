// Package san reads the subject alternative names of a certificate as they were
// written. crypto/x509 drops otherName and hands URIs out parsed, so their exact text
// is lost; rules on names need both.
package san

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

// MaxNames bounds how many names one certificate may carry. Real client certificates
// have a handful; every rule walks all of them.
const MaxNames = 1000

// Names holds the alternative names by type. Types never mix.
type Names struct {
	DNS    []string
	Emails []string
	URIs   []string
	IPs    []netip.Addr
	UPNs   []string
}

// Tags of GeneralName, RFC 5280, section 4.2.1.6.
const (
	tagOtherName  = 0
	tagRFC822Name = 1
	tagDNSName    = 2
	tagURI        = 6
	tagIPAddress  = 7
)

var (
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidUPN            = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
)

// Of returns the names of the certificate, none if it has no such extension.
func Of(cert *x509.Certificate) (Names, error) {
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(oidSubjectAltName) {
			return Parse(extension.Value)
		}
	}
	return Names{}, nil
}

// Parse reads the DER of a SubjectAltName extension. An empty name, one outside the
// alphabet of its type, or more than [MaxNames] names are errors.
func Parse(input []byte) (Names, error) {
	outer, rest, ok := der.Read(input)
	if !ok || len(rest) > 0 || outer.Tag != der.Sequence {
		return Names{}, errors.New("subject alternative name: not a sequence")
	}
	var names Names
	rest = outer.Content
	for count := 1; len(rest) > 0; count++ {
		if count > MaxNames {
			return Names{}, fmt.Errorf("subject alternative name: more than %d names", MaxNames)
		}
		var name der.Element
		if name, rest, ok = der.Read(rest); !ok || name.Tag&der.ClassMask != der.Context {
			return Names{}, errors.New("subject alternative name: not a GeneralName")
		}
		if err := names.add(name); err != nil {
			return Names{}, fmt.Errorf("subject alternative name %d: %w", count-1, err)
		}
	}
	return names, nil
}

func (n *Names) add(name der.Element) error {
	switch name.Tag & der.NumberMask {
	case tagDNSName:
		return addText(&n.DNS, name)
	case tagRFC822Name:
		return addText(&n.Emails, name)
	case tagURI:
		return addText(&n.URIs, name)
	case tagIPAddress:
		address, ok := netip.AddrFromSlice(name.Content)
		if !ok || name.Tag&der.Constructed != 0 {
			return fmt.Errorf("IP address of %d bytes", len(name.Content))
		}
		if address.Is4In6() {
			// Name constraints would be applied to it as IPv6 and rules as IPv4.
			return errors.New("IPv4 address in IPv6 form")
		}
		n.IPs = append(n.IPs, address)
	case tagOtherName:
		return n.addOther(name)
	}
	return nil // directoryName, registeredID and the rest: no rule reads them
}

func addText(list *[]string, name der.Element) error {
	if name.Tag&der.Constructed != 0 || len(name.Content) == 0 {
		return errors.New("empty or constructed")
	}
	for _, c := range name.Content {
		if c <= 0x20 || c >= 0x7F {
			return errors.New("byte outside printable ASCII")
		}
	}
	*list = append(*list, string(name.Content))
	return nil
}

// addOther keeps user principal names (MS-WCCE, szOID_NT_PRINCIPAL_NAME) and skips
// every other kind of otherName.
func (n *Names) addOther(name der.Element) error {
	var id asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(name.Content, &id)
	if err != nil {
		return errors.New("otherName without a type")
	}
	if !id.Equal(oidUPN) {
		return nil
	}
	explicit, rest, ok := der.Read(rest)
	if !ok || len(rest) > 0 || explicit.Tag != der.Context|der.Constructed {
		return errors.New("user principal name is not tagged [0]")
	}
	value, rest, ok := der.Read(explicit.Content)
	if !ok || len(rest) > 0 || value.Tag != der.UTF8String || len(value.Content) == 0 || !utf8.Valid(value.Content) {
		return errors.New("user principal name is not a UTF8String")
	}
	n.UPNs = append(n.UPNs, string(value.Content))
	return nil
}
