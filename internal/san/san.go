// Package san reads the subject alternative names of a certificate as they were written.
// crypto/x509 drops otherNames and returns URIs parsed, so that their exact text is lost; rules
// on names need both.
package san

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

// MaxNames bounds the number of names in one certificate. Real client certificates have a
// handful, and every rule iterates over all of them.
const MaxNames = 1000

// Names holds the alternative names by type. Types never mix.
type Names struct {
	DNS    []string
	Emails []string
	URIs   []string
	IPs    []netip.Addr
	UPNs   []string

	// UTF8Emails holds internationalized addresses (SmtpUTF8Mailbox, RFC 9598), which no rule
	// compares; an address that cannot be read is empty.
	UTF8Emails []string

	faults *faults // usually nil, because many Names are kept in memory
}

// faults are indexed by the number of the form.
type faults [RegisteredID + 1]error

// Fault returns an error if a name of the form cannot be read, and nil if all can. The lists hold
// only the readable ones. Code that uses the names of a form must also check Fault, because a
// name that is missing could have any value. An otherName counts only if it is, or may be, a user
// principal name.
func (n *Names) Fault(form int) error {
	if n.faults == nil {
		return nil
	}
	return n.faults[form]
}

// Unreadable returns Names of which none can be read in any form, because of err.
func Unreadable(err error) Names {
	all := &faults{}
	for form := range all {
		all[form] = err
	}
	return Names{faults: all}
}

// OID identifies the extension subjectAltName.
var OID = asn1.ObjectIdentifier{2, 5, 29, 17}

const oidUPN = "1.3.6.1.4.1.311.20.2.3"

// OIDSMTPUTF8Mailbox is the type of otherName of an internationalized address.
const OIDSMTPUTF8Mailbox = "1.3.6.1.5.5.7.8.9"

// Of returns the names of the certificate, or none if it has no such extension.
func Of(cert *x509.Certificate) (Names, error) {
	for i := range cert.Extensions {
		if cert.Extensions[i].Id.Equal(OID) {
			return Parse(cert.Extensions[i].Value)
		}
	}
	return Names{}, nil
}

// Parse reads the DER of a SubjectAltName extension. Anything but a list of names, and a list of
// more than [MaxNames], is an error. So is an empty DNS name, which RFC 5280, section 4.2.1.6,
// forbids explicitly. Any other name that is empty or outside the alphabet of its type is a fault
// of that type only, because CAs also write names that are irrelevant here.
func Parse(input []byte) (Names, error) {
	elements, err := General(input)
	if err != nil {
		return Names{}, err
	}
	var names Names
	for i, element := range elements {
		form := element.Tag & der.NumberMask
		if form == DNSName && len(element.Content) == 0 {
			return Names{}, fmt.Errorf("subject alternative name %d: empty DNS name", i)
		}
		if int(form) >= len(faults{}) {
			continue // not a form of RFC 5280
		}
		if err := names.add(element); err != nil && names.Fault(int(form)) == nil {
			if names.faults == nil {
				names.faults = &faults{}
			}
			names.faults[form] = fmt.Errorf("subject alternative name %d: %w", i, err)
		}
	}
	return names, nil
}

func (n *Names) add(name der.Element) error {
	if !IsForm(name) {
		return errors.New("not a GeneralName")
	}
	switch name.Tag & der.NumberMask {
	case DNSName:
		return addText(&n.DNS, name)
	case RFC822Name:
		return addText(&n.Emails, name)
	case URI:
		return addText(&n.URIs, name)
	case IPAddress:
		address, ok := netip.AddrFromSlice(name.Content)
		if !ok {
			return fmt.Errorf("IP address of %d bytes", len(name.Content))
		}
		if address.Is4In6() {
			// Name constraints would treat it as IPv6 and rules as IPv4.
			return errors.New("IPv4 address in IPv6 form")
		}
		n.IPs = append(n.IPs, address)
	case OtherName:
		return n.addOther(name)
	}
	return nil // directoryName, registeredID and others, which no rule reads
}

func addText(list *[]string, name der.Element) error {
	if len(name.Content) == 0 {
		return errors.New("empty")
	}
	if slices.ContainsFunc(name.Content, func(c byte) bool { return c <= 0x20 || c >= 0x7F }) {
		return errors.New("byte outside printable ASCII")
	}
	*list = append(*list, string(name.Content))
	return nil
}

// addOther records user principal names (MS-WCCE, szOID_NT_PRINCIPAL_NAME) and internationalized
// addresses, and skips every other kind of otherName.
func (n *Names) addOther(name der.Element) error {
	id, value, ok := OtherNameType(name)
	if !ok {
		return errors.New("otherName without a type")
	}
	text, err := utf8Value(value)
	switch {
	case id == OIDSMTPUTF8Mailbox:
		n.UTF8Emails = append(n.UTF8Emails, text)
	case id == oidUPN && err != nil:
		return fmt.Errorf("user principal name is %w", err)
	case id == oidUPN:
		n.UPNs = append(n.UPNs, text)
	}
	return nil
}

// utf8Value reads the value of an otherName that is one UTF8String.
func utf8Value(explicit []byte) (string, error) {
	outer, rest, ok := der.Read(explicit)
	if !ok || len(rest) > 0 || outer.Tag != der.Context|der.Constructed {
		return "", errors.New("not tagged [0]")
	}
	value, rest, ok := der.Read(outer.Content)
	if !ok || len(rest) > 0 || value.Tag != der.UTF8String || len(value.Content) == 0 || !utf8.Valid(value.Content) {
		return "", errors.New("not a UTF8String")
	}
	return string(value.Content), nil
}
