package san_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// upn returns otherName 1.3.6.1.4.1.311.20.2.3 with the content of its explicit [0].
func upn(content string) string {
	oid := "060A2B060104018237140203"
	return wrap("A0", oid+wrap("A0", content))
}

// wrap puts a tag and a short length before hex.
func wrap(tag, content string) string {
	return tag + hex.EncodeToString([]byte{byte(len(content) / 2)}) + content
}

func der(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

// The DER was written by hand according to RFC 5280, section 4.2.1.6 and appendix A.2.
func TestParse_KeepsTypesApart(t *testing.T) {
	names, err := san.Parse(der(t, wrap("30", "810161"+"820162"+"860163"+"8704"+"0A010203"+"8710"+strings.Repeat("00", 15)+"01"+
		upn("0C0164")+wrap("A0", "06032A0304"+wrap("A0", "0C0165"))+"88012A"+"A400")))
	require.NoError(t, err)
	assert.Equal(t, san.Names{
		Emails: []string{"a"}, DNS: []string{"b"}, URIs: []string{"c"}, UPNs: []string{"d"},
		IPs: []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::1")},
	}, names)
	names, err = san.Parse(der(t, wrap("30", upn("0C02C3A9"))))
	require.NoError(t, err)
	assert.Equal(t, []string{"\u00E9"}, names.UPNs)
	names, err = san.Parse(der(t, "3000"))
	require.NoError(t, err)
	assert.Empty(t, names)
}

// finding T41: RFC 9598, section 3: the type is 1.3.6.1.5.5.7.8.9. An address that cannot be read is one nevertheless.
func TestParse_InternationalizedAddresses(t *testing.T) {
	address := func(content string) string { return wrap("A0", "06082B06010505070809"+content) }
	names, err := san.Parse(der(t, wrap("30", address(wrap("A0", "0C03C3A940"))+address(wrap("A0", "160161"))+address("")+"810161")))
	require.NoError(t, err)
	assert.Equal(t, san.Names{Emails: []string{"a"}, UTF8Emails: []string{"\u00E9@", "", ""}}, names)
}

func TestParse_WhatIsNoListOfNamesIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":           "",
		"not a sequence":    "3100",
		"a trailing byte":   "300000",
		"a universal name":  wrap("30", "0C0161"),
		"a truncated name":  "30028202",
		"an empty DNS name": wrap("30", "8200"),
	} {
		_, err := san.Parse(der(t, text))
		assert.Error(t, err, name)
	}
}

// finding C14: one unreadable name made the whole certificate malformed.
func TestParse_WhatIsNotInFormIsAFaultOfItsForm(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		form int
	}{
		"an empty e-mail address":        {"8100", san.RFC822Name},
		"an empty URI":                   {"8600", san.URI},
		"a NUL in a DNS name":            {"8203610062", san.DNSName},
		"a space in an e-mail address":   {"8103612062", san.RFC822Name},
		"a space in a URI":               {"86047572206E", san.URI},
		"a byte beyond ASCII in a URI":   {"8602C3A9", san.URI},
		"DEL in a DNS name":              {"82017F", san.DNSName},
		"a constructed DNS name":         {"A203820161", san.DNSName},
		"an IP address of 5 bytes":       {"87050A01020304", san.IPAddress},
		"an IP address of no bytes":      {"8700", san.IPAddress},
		"an IPv4 address in IPv6 form":   {"8710" + strings.Repeat("00", 10) + "FFFF0A010203", san.IPAddress},
		"an otherName without a type":    {"A000", san.OtherName},
		"a primitive otherName":          {"800161", san.OtherName},
		"a type that is not DER":         {wrap("A0", "060380"+"2A03"+wrap("A0", "0C0161")), san.OtherName},
		"a UPN without the explicit tag": {wrap("A0", "060A2B0601040182371402030C0161"), san.OtherName},
		"a UPN under [1]":                {wrap("A0", "060A2B060104018237140203"+"A1030C0161"), san.OtherName},
		"a UPN without a value":          {wrap("A0", "060A2B060104018237140203"), san.OtherName},
		"a UPN of another type":          {upn("130161"), san.OtherName},
		"a UPN that is an IA5String":     {upn("160161"), san.OtherName},
		"an empty UPN":                   {upn("0C00"), san.OtherName},
		"a UPN that is not UTF-8":        {upn("0C01FF"), san.OtherName},
		"a UPN with a trailing byte":     {upn("0C016100"), san.OtherName},
		"a UPN with a second value":      {wrap("A0", "060A2B060104018237140203"+"A0030C0161"+"A0030C0162"), san.OtherName},
	} {
		readable := "810161" + "820162" + "860163" + "87040A010203" + upn("0C0164")
		names, err := san.Parse(der(t, wrap("30", tc.text+readable)))
		require.NoError(t, err, name)
		for form := range san.RegisteredID + 1 {
			assert.Equal(t, form == tc.form, names.Fault(form) != nil, "%s: form %d: %v", name, form, names.Fault(form))
		}
		assert.Equal(t, [][]string{{"a"}, {"b"}, {"c"}, {"d"}}, [][]string{names.Emails, names.DNS, names.URIs, names.UPNs}, "%s: the others can be read", name)
		assert.Len(t, names.IPs, 1, name)
	}
}

// finding C14: names that no rule reads made the certificate malformed as well.
func TestParse_WhatNoRuleReadsHasNoFault(t *testing.T) {
	for name, text := range map[string]string{
		"an otherName below 2.25, a UUID":   wrap("A0", "0613"+"69"+"83D6E4CDBBF3A5B8C1D7BFA6CF8EAB9D8537"+wrap("A0", "0C0161")),
		"an otherName without a value":      wrap("A0", "06032A0304"),
		"an X.400 address":                  "A3023000",
		"a directory name that is none":     "A4020500",
		"a registered ID that is none":      "880180",
		"a number that RFC 5280 has not":    "8B0161",
		"a second one, and it is primitive": "8B01618C0162",
	} {
		names, err := san.Parse(der(t, wrap("30", text)))
		require.NoError(t, err, name)
		assert.Empty(t, names, name)
	}
}

func TestParse_AThousandNamesAndNoMore(t *testing.T) {
	sequence := func(n int) []byte {
		content := bytes.Repeat([]byte{0x82, 1, 'a'}, n)
		value, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
		require.NoError(t, err)
		return value
	}
	names, err := san.Parse(sequence(san.MaxNames))
	require.NoError(t, err)
	assert.Len(t, names.DNS, san.MaxNames)
	_, err = san.Parse(sequence(san.MaxNames + 1))
	assert.Error(t, err)
}

func TestOf_ReadsTheExtension(t *testing.T) {
	names, err := san.Of(&x509.Certificate{})
	require.NoError(t, err)
	assert.Empty(t, names)
	other := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 18}, Value: der(t, wrap("30", "820162"))}
	own := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: der(t, wrap("30", "820161"))}
	names, err = san.Of(&x509.Certificate{Extensions: []pkix.Extension{other, own}})
	require.NoError(t, err)
	assert.Equal(t, []string{"a"}, names.DNS, "the issuer's alternative names are not the subject's")
	own.Value = []byte{0}
	_, err = san.Of(&x509.Certificate{Extensions: []pkix.Extension{own}})
	assert.Error(t, err)
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "3000", wrap("30", "820161"), wrap("30", upn("0C0164")), wrap("30", "87040A010203"), wrap("30", "8200"), wrap("30", "A000"), "3080820161" + "0000", wrap("30", "9F8101"+"0161")} {
		f.Add(der(f, seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		names, err := san.Parse(value)
		if err != nil {
			assert.Empty(t, names)
			return
		}
		count := len(names.DNS) + len(names.Emails) + len(names.URIs) + len(names.IPs) + len(names.UPNs)
		assert.LessOrEqual(t, count, san.MaxNames)
		for _, list := range [][]string{names.DNS, names.Emails, names.URIs} {
			for _, name := range list {
				assert.Regexp(t, `^[\x21-\x7E]+$`, name)
			}
		}
		for _, name := range names.UPNs {
			assert.NotEmpty(t, name)
		}
		for _, address := range names.IPs {
			assert.True(t, address.IsValid())
			assert.Empty(t, address.Zone())
		}
	})
}
