package dn_test

import (
	"bytes"
	"encoding/hex"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// checkName holds for every name, however it was read.
func checkName(t *testing.T, name dn.Name) {
	t.Helper()
	same := name
	assert.True(t, name.Equal(same))
	assert.True(t, name.Reversed().Reversed().Equal(name))
	written := name.String()
	assert.True(t, utf8.ValidString(written))
	assert.NotContains(t, written, "\n")
	if !writable(name) {
		return
	}
	again, err := dn.ParseString(written)
	require.NoError(t, err, "%q", written)
	assert.True(t, again.Equal(name), "%q", written)
	assert.Equal(t, written, again.String())
}

// writable reports whether a rule can contain the name: at least one value must not be empty.
func writable(name dn.Name) bool {
	for _, rdn := range name {
		for _, attribute := range rdn {
			if attribute.Raw != nil || attribute.Text != "" {
				return true
			}
		}
	}
	return false
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "3000", "300C310A300806035504030C0161", "300C310A300806035504031401E9", "300D310B300906035504031E02D83D",
		"3018310A3008060355040A0C0162310A300806035504030C0161", "301631143008060355040A0C0162300806035504030C0161",
		"30023100", "300C310A300806035504030C0120", "300C310A300806035504030C0100", "3080310A300806035504030C01610000",
		"300B3109300706035504030C00", "300E310C300A06052A87FFFFFF7F0C0161",
	} {
		der, err := hex.DecodeString(seed)
		require.NoError(f, err)
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if name, err := dn.Parse(der); err == nil {
			checkName(t, name)
		}
	})
}

func FuzzParseString(f *testing.F) {
	for _, seed := range []string{
		"", "CN=a", "CN=a,O=b", "CN=a+O=b", `O="Sue, Grabbit and Runn",C=GB`, `CN=\ a\ `, `CN=Lu\C4\8Di\C4\87`, "1.2.3=#04024869",
		`CN=Before\0dAfter`, "CN=#0C0161", "CN=#020105", `CN=\#a`, "CN=a;O=b", `CN="a`, "cn = a , ou = b", "1.2.2147483647=a", "CN=#1E02D83D", "CN=#0C00", "CN=a,OU=", "OU=+CN=", "OID.2.5.4.97=a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := dn.ParseString(text)
		if err != nil {
			assert.Nil(t, name)
			return
		}
		assert.True(t, writable(name), "%q was accepted, but contains no value", text)
		checkName(t, name)
	})
}

// A deny list treats names with the same key as equal, and names whose attributes are all equal
// have the same key.
func FuzzFold(f *testing.F) {
	one := func(tag int, s string) []byte { return sequence(attribute(f, cn, value(tag, s))) }
	for _, seed := range [][2][]byte{
		{one(utf8Text, "Partner CA"), one(printable, "PARTNER  CA")},
		{one(bmp, "Z\u00FCrich"), one(tagUniversal, "z\u00DCrich")},
		{one(t61, "M\xFCller"), one(utf8Text, "M\u00FCller")},
		{one(utf8Text, "te\u017Ft"), one(utf8Text, "test")},
		{one(utf8Text, "Zu\u0308rich"), one(utf8Text, "Z\u00FCrich")},
		{one(utf8Text, "a\x00b"), one(ia5, "a\x00b")},
		{one(utf8Text, " \u0301"), one(utf8Text, "")},
		{sequence(), sequence(attribute(f, dc, value(ia5, "x")))},
		{wrap(0x30, wrap(0x31, attribute(f, cn, value(ia5, "a")), attribute(f, o, value(ia5, "b")))), wrap(0x30, wrap(0x31, attribute(f, o, value(ia5, "b")), attribute(f, cn, value(ia5, "a"))))},
		{sequence(attribute(f, cn, []byte{2, 1, 5})), one(utf8Text, "5")},
		{{0x30, 0x80}, {}},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		left, errA := dn.Fold(a)
		right, errB := dn.Fold(b)
		match := dn.Match(a, b)
		require.Equal(t, match, dn.Match(b, a))
		if errA != nil || errB != nil {
			assert.Equal(t, bytes.Equal(a, b), match)
			return
		}
		assert.Equal(t, left == right, match)
		first, second := parsed(t, a), parsed(t, b)
		assert.Equal(t, first.Differs(second), second.Differs(first))
		if match {
			assert.False(t, first.Differs(second))
			assert.Equal(t, first.FoldRDNs(), second.FoldRDNs())
		}
		if first.Equal(second) {
			assert.True(t, match)
		}
	})
}
