package forwarded

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What the operator is told about a value in a form other than the expected one.
func TestResembles_NamesTheOtherForm(t *testing.T) {
	const pem, escaped, double = "it looks like PEM", "it looks like percent-encoded PEM, as nginx and Application Gateway send it", "it looks like base64 of PEM text, not of DER"
	const sequence, xfcc = "it looks like an RFC 9440 byte sequence", "it looks like the X-Forwarded-Client-Cert of Envoy"
	const hexDER, several, spaces = "it looks like hex of DER, a mistake of some local set-ups", "it looks like several values joined by a proxy", "it contains spaces: was a plus sign decoded as a space on the way?"
	const base64url, subject = "it looks like base64url", "it looks like the subject of a certificate: the front end has to send the whole certificate"
	far := strings.Repeat("x", 600) // further than most words are looked for
	long := strings.Repeat("x", maxLeafHeader)
	for value, want := range map[string]string{
		"":                              "",
		"-----BEGIN CERTIFICATE-----\n": pem,
		"-----BEGIN RSA":                pem,
		"-----BEGIN":                    base64url,
		"-----BEGIN%20CERTIFICATE":      escaped,
		"%2D%2D%2D%2D%2DBEGIN":          escaped,
		"%2d%2d%2d%2d%2dBEGIN":          escaped,
		"%2":                            "",
		"LS0tLS1CRUdJTiBDRVJU":          double,
		"LS0tLS1CRUdJ":                  "",
		":MIIB:":                        sequence,
		"::":                            sequence,
		":":                             "",
		":MIIB":                         "",
		"MIIB:":                         "",
		"Hash=ab;Cert=\"cd\"":           xfcc,
		"By=spiffe://a;Hash=ab":         xfcc,
		"Cert=\"cd\"":                   xfcc,
		"By=spiffe://a":                 "",
		":" + long + ":":                "",
		"Hash":                          "",
		"Hash=":                         "",
		"Cert==":                        "",
		"=Hash=a":                       xfcc,
		"3082abCD09":                    hexDER,
		"3082":                          hexDER,
		"3082abxy":                      "",
		"3081abcd":                      "",
		"MIIB,xIIC":                     several,
		// finding N169: a list of certificates and the subject of one were said to be joined by a proxy.
		"MIIB,MIIC":                   "it looks like a list of certificates, or several values joined by a proxy; a list needs a format for lists",
		"CN=orders,O=Partner":         subject,
		"/C=NL/O=Partner/CN=orders":   subject,
		"C = NL, O = Partner":         subject,
		"emailAddress=a@b":            subject,
		"Subject=\"CN=orders\"":       subject,
		"Subject%3D%22CN%3Dorders%22": subject,
		"CN=":                         "",
		"CN==":                        "",
		"XY=orders":                   "",
		"CN":                          "",
		far + ",":                     several,
		"MII B":                       spaces,
		far + " ":                     "",
		"MII-":                        base64url,
		"MII_":                        base64url,
		far + "-":                     "",
		"-":                           "",
		"_=":                          "",
		"MIIB":                        "",
		// finding O67: of a certificate that is cut, nothing said so.
		"MIICWzCCAgGg": "it is cut: a certificate of 607 bytes begins, and at most 9 are there; does a proxy limit the size of headers?",
		"MIICWzCC":     "it is cut: a certificate of 607 bytes begins, and at most 6 are there; does a proxy limit the size of headers?",
		"MIICWz":       "",
		"MIICWzCC" + strings.Repeat("x", (607+2)/3*4-8): "",
		"MIICWzCC" + strings.Repeat("x", 607/3*4-8):     "it is cut: a certificate of 607 bytes begins, and at most 606 are there; does a proxy limit the size of headers?",
		"MIJVADCC" + strings.Repeat("x", 30_000):        "", // longer than what is looked at
		"MIICWwCC":                                      "",
	} {
		assert.Equal(t, want, resembles(value), "%.40q", value)
	}
}
