package certauthtest

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// The types of GeneralName that templates write (RFC 5280, section 4.2.1.6).
const (
	tagOtherName = 0
	tagEmail     = 1
	tagDNS       = 2
	tagURI       = 6
	tagIP        = 7
)

var (
	oidAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidUPN     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}
)

// UPN sets user principal names, as Active Directory writes them (MS-WCCE, section 2.2.2.7.7.4:
// an otherName with a UTF8String). It writes the whole extension of alternative names, including
// the names that are set so far: list it after [DNS], [URI], [Email] and [IP].
func UPN(tb TB, names ...string) Template {
	tb.Helper()
	return func(c *x509.Certificate) {
		tb.Helper()
		var all []asn1.RawValue
		add := func(tag int, content []byte) {
			all = append(all, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: content})
		}
		for _, name := range c.DNSNames {
			add(tagDNS, []byte(name))
		}
		for _, name := range c.EmailAddresses {
			add(tagEmail, []byte(name))
		}
		for _, address := range c.IPAddresses {
			if four := address.To4(); four != nil {
				address = four
			}
			add(tagIP, address)
		}
		for _, uri := range c.URIs {
			add(tagURI, []byte(uri.String()))
		}
		for _, name := range names {
			value := marshal(tb, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(name)})
			explicit := marshal(tb, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: value})
			all = append(all, asn1.RawValue{
				Class: asn1.ClassContextSpecific, Tag: tagOtherName, IsCompound: true, Bytes: append(marshal(tb, oidUPN), explicit...),
			})
		}
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oidAltName, Value: marshal(tb, all)})
	}
}

func marshal(tb TB, value any) []byte {
	tb.Helper()
	der, err := asn1.Marshal(value)
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	return der
}

func parseOID(tb TB, text string) x509.OID {
	tb.Helper()
	oid, err := x509.ParseOID(text)
	if err != nil {
		tb.Fatalf("certauthtest: %q: %v", text, err)
	}
	return oid
}

func objectIdentifier(tb TB, text string) asn1.ObjectIdentifier {
	tb.Helper()
	der, err := parseOID(tb, text).MarshalBinary()
	if err != nil {
		tb.Fatalf("certauthtest: %q: %v", text, err)
	}
	var id asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(marshal(tb, asn1.RawValue{Tag: asn1.TagOID, Bytes: der}), &id); err != nil {
		tb.Fatalf("certauthtest: %q: %v", text, err)
	}
	return id
}
