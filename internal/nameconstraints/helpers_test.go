package nameconstraints_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// wrap encodes one DER element.
func wrap(tag byte, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	switch n := len(content); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, content...)
	case n < 0x10000:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, content...)
	default:
		return append([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}, content...)
	}
}

// The forms of GeneralName, RFC 5280, section 4.2.1.6.
func email(s string) []byte      { return wrap(0x81, []byte(s)) }
func dns(s string) []byte        { return wrap(0x82, []byte(s)) }
func uri(s string) []byte        { return wrap(0x86, []byte(s)) }
func ip(octets ...byte) []byte   { return wrap(0x87, octets) }
func dir(name []byte) []byte     { return wrap(0xA4, name) }
func other(oid, v []byte) []byte { return wrap(0xA0, oid, wrap(0xA0, v)) }

var (
	upnType   = []byte{6, 10, 0x2B, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 3}
	eaiType   = []byte{6, 8, 0x2B, 6, 1, 5, 5, 7, 8, 9} // SmtpUTF8Mailbox
	otherType = []byte{6, 3, 0x2A, 3, 4}
	x400      = wrap(0xA3, []byte{0x30, 0})
	ediParty  = wrap(0xA5, wrap(0xA1, wrap(0x0C, []byte("a"))))
	registry  = wrap(0x88, []byte{0x2A, 3, 4})
)

func upn(s string) []byte { return other(upnType, wrap(0x0C, []byte(s))) }

func permitted(bases ...[]byte) []byte { return wrap(0xA0, subtrees(bases)) }
func excluded(bases ...[]byte) []byte  { return wrap(0xA1, subtrees(bases)) }
func subtrees(bases [][]byte) (all []byte) {
	for _, base := range bases {
		all = append(all, wrap(0x30, base)...)
	}
	return all
}

// directory returns the DER of a name given in the form of RFC 4514, with values of one string
// type.
func directory(t testing.TB, tag byte, text string) []byte {
	t.Helper()
	if text == "" {
		return []byte{0x30, 0}
	}
	name, err := dn.ParseString(text)
	require.NoError(t, err)
	var rdns []byte
	for _, rdn := range name {
		var set []byte
		for _, attribute := range rdn {
			var oid asn1.ObjectIdentifier
			for arc := range splitArcs(attribute.OID) {
				oid = append(oid, arc)
			}
			kind, err := asn1.Marshal(oid)
			require.NoError(t, err)
			value := attribute.Raw
			if value == nil {
				value = wrap(tag, []byte(attribute.Text))
			}
			set = append(set, wrap(0x30, kind, value)...)
		}
		rdns = append(rdns, wrap(0x31, set)...)
	}
	return wrap(0x30, rdns)
}

func splitArcs(oid string) iter.Seq[int] {
	return func(yield func(int) bool) {
		n := 0
		for i := 0; i <= len(oid); i++ {
			if i == len(oid) || oid[i] == '.' {
				if !yield(n) {
					return
				}
				n = 0
				continue
			}
			n = n*10 + int(oid[i]-'0')
		}
	}
}

const (
	utf8Text  = asn1.TagUTF8String
	printable = asn1.TagPrintableString
)

var (
	oidConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidAltName     = asn1.ObjectIdentifier{2, 5, 29, 17}
)

// cert returns a certificate with the fields that name constraints use.
func cert(subject, issuer []byte, extensions ...pkix.Extension) *x509.Certificate {
	return &x509.Certificate{RawSubject: subject, RawIssuer: issuer, Extensions: extensions}
}

func altNames(names ...[]byte) pkix.Extension {
	return pkix.Extension{Id: oidAltName, Value: wrap(0x30, names...)}
}

func constraints(fields ...[]byte) pkix.Extension {
	return pkix.Extension{Id: oidConstraints, Value: wrap(0x30, fields...)}
}

// check is for a chain that is the only one of its leaf.
func check(chain []*x509.Certificate) error { return nameconstraints.Check(chain, new(int)) }
