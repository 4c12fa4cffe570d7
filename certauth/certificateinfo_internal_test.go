package certauth

import (
	"crypto/x509"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// For certificates that crypto/x509 reads, the subject is the same; nothing else panics.
func FuzzSubjectOf(f *testing.F) {
	leaf := certauthtest.SelfSigned(f, "client").Raw
	f.Add(leaf)
	f.Add(leaf[:len(leaf)/2])
	f.Add([]byte{0x30, 0x02, 0x30, 0x00})
	f.Add([]byte{0x30, 0x80, 0x30, 0x80})
	f.Add([]byte{0x31, 0x00})
	f.Add([]byte("\x30\x0d\x30\x0b\x02\x01\x01\x30\x00\x30\x00\x30\x00\x30\x00")) // an empty subject
	f.Fuzz(func(t *testing.T, der []byte) {
		subject, ok := subjectOf(der)
		if cert, err := x509.ParseCertificate(der); err == nil {
			require.True(t, ok)
			assert.Equal(t, cert.RawSubject, subject)
		}
		if ok { // RFC 4514, section 2.1: a name without RDNs is the empty string, and only such a name is
			assert.Equal(t, len(subject) == 2, nameOf(subject) == "")
		}
	})
}

// RFC 5280, section 4.1: version, serialNumber, signature, issuer, validity, subject, each with its
// tag.
func TestSubjectOf_ReadsTheFieldsInTheirOrder(t *testing.T) {
	const serial, empty, subject = "\x02\x01\x01", "\x30\x00", "\x30\x02\x31\x00"
	const fields = serial + empty + empty + empty
	element := func(tag byte, content string) string { return string([]byte{tag, byte(len(content))}) + content }
	whole := func(tbs string) string { return element(0x30, element(0x30, tbs)) }
	for name, tc := range map[string]struct {
		certificate string
		ok          bool
	}{
		"without a version":               {whole(fields + subject), true},
		"with a version":                  {whole("\xa0\x03\x02\x01\x02" + fields + subject), true},
		"with a trailing public key":      {whole(fields + subject + empty), true},
		"two versions":                    {whole("\xa0\x03\x02\x01\x02\xa0\x03\x02\x01\x02" + fields + subject), false},
		"nothing":                         {"", false},
		"a set":                           {element(0x31, element(0x30, fields+subject)), false},
		"a set to be signed":              {element(0x30, element(0x31, fields+subject)), false},
		"no serial number":                {whole(empty + empty + empty + empty + subject), false},
		"a set in the place of a subject": {whole(fields + "\x31\x00"), false},
		"no subject":                      {whole(fields), false},
		"a subject that is cut":           {whole(fields + "\x30\x02\x31"), false},
	} {
		got, ok := subjectOf([]byte(tc.certificate))
		assert.Equal(t, tc.ok, ok, name)
		if tc.ok {
			assert.Equal(t, subject, string(got), name)
		} else {
			assert.Empty(t, got, name)
		}
	}
}

// The doc of Event: client text is cut to 256 bytes, and text that looks like a key or a
// certificate is not shown. "/" is also a character of base64.
func TestRequestText_IsShortAndHidesKeys(t *testing.T) {
	const length = 256
	full := strings.Repeat("a", length)
	assert.Equal(t, full, requestText(full))
	assert.Equal(t, full+"...", requestText(full+"a"))
	secret := "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" + strings.Repeat("B", 100) // RFC 5958, section 2, with an RSA key
	for _, in := range []string{secret, "/" + secret, "/orders/" + secret, "/orders-" + secret, strings.Repeat("a", 200) + "/" + secret} {
		assert.NotContains(t, requestText(in), "MII", in)
	}
	assert.Equal(t, "/orders/7", requestText("/orders/7"))
}

// RFC 5280, section 4.1.2.6: the name is in the alternative names only if the subject is empty.
func TestShownName_IsTheSubjectUnlessItIsEmpty(t *testing.T) {
	one := dn.Name{{{OID: "2.5.4.3", Text: "orders"}}}
	two := append(dn.Name{{{OID: "2.5.4.10", Text: "Partner"}}}, one...)
	alt := san.Names{DNS: []string{"orders.example"}, Emails: []string{"a,b@orders.example"}}
	for _, tc := range []struct {
		want    string
		subject dn.Name
		alt     san.Names
	}{
		{"CN=orders", one, alt},
		{"CN=orders,O=Partner", two, alt},
		{`DNS:orders.example, email:a\,b@orders.example`, nil, alt},
		{"", nil, san.Names{}},
	} {
		names := certNames{subject: parsedName{name: tc.subject}, alt: tc.alt}
		assert.Equal(t, tc.want, names.shown())
	}
}

// The grammar of W3C Trace Context, sections 3.2.2 and 3.2.4, as regular expressions.
func FuzzTraceID(f *testing.F) {
	valid := regexp.MustCompile(`^(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|([1-9a-f][0-9a-f]|0[1-9a-f])-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-(?s:.*))?)$`)
	forbidden := regexp.MustCompile(`^(ff|..-0{32}|.{35}-0{16})`)
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x")
	f.Add("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("00-00000000000000000000000000000000-00f067aa0ba902b7-01")
	f.Add("00-")
	const valid00 = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, at := range []int{2, 35, 52} { // the dashes
		f.Add(valid00[:at] + "_" + valid00[at+1:])
	}
	for _, c := range "/:`g09af" { // what borders on the digits, and their ends
		f.Add(valid00[:10] + string(c) + valid00[11:])
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := traceID(http.Header{"Traceparent": {text}})
		if valid.MatchString(text) && !forbidden.MatchString(text) {
			assert.Equal(t, text[3:35], got)
			_, err := hex.DecodeString(got)
			assert.NoError(t, err)
			return
		}
		assert.Empty(t, got)
	})
}
