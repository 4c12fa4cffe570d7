package san_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	dertlv "github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// RFC 5280, appendix A.2: nine forms. otherName, x400Address and ediPartyName are sequences, and
// directoryName is a CHOICE with an explicit tag.
func TestIsForm_TheNineTagsAndNoOther(t *testing.T) {
	forms := map[byte]bool{0xA0: true, 0x81: true, 0x82: true, 0xA3: true, 0xA4: true, 0xA5: true, 0x86: true, 0x87: true, 0x88: true}
	for tag := range 256 {
		assert.Equal(t, forms[byte(tag)], san.IsForm(dertlv.Element{Tag: byte(tag)}), "%02x", tag)
	}
}

func TestParse_ABytesTooManyAndTagsTooHigh(t *testing.T) {
	_, err := san.Parse(der(t, wrap("30", "820161"+"82")))
	require.Error(t, err, "a byte behind the last name")

	names, err := san.Parse(der(t, wrap("30", "8900"+"AA00"+"9E00")))
	require.NoError(t, err, "numbers that belong to no form are ignored")
	assert.Empty(t, names)

	names, err = san.Parse(der(t, wrap("30", "A800")))
	require.NoError(t, err)
	assert.Error(t, names.Fault(san.RegisteredID), "a registered ID is primitive")

	names, err = san.Parse(der(t, wrap("30", wrap("A5", "A103"+"0C0161"))))
	require.NoError(t, err)
	assert.NoError(t, names.Fault(san.EDIPartyName))

	names, err = san.Parse(der(t, wrap("30", wrap("A0", "060A2B060104018237140203"+wrap("A0", "0C0164")+"05"))))
	require.NoError(t, err)
	assert.Error(t, names.Fault(san.OtherName), "a byte behind the value")
	assert.Empty(t, names.UPNs)
}

// The type of an otherName is an OBJECT IDENTIFIER, even if another element could be read as one.
func TestOtherNameType_IsAnObjectIdentifier(t *testing.T) {
	for content, want := range map[string]string{
		"06032A0304": "1.2.3.4",
		"04032A0304": "",
		"06032A03":   "",
		"0600":       "",
		"":           "",
	} {
		oid, _, ok := san.OtherNameType(dertlv.Element{Tag: 0xA0, Content: der(t, content)})
		assert.Equal(t, want, oid, content)
		assert.Equal(t, want != "", ok, content)
	}
}

func TestEqualFoldASCII_FoldsLettersAlone(t *testing.T) {
	assert.True(t, san.EqualFoldASCII("AZ.az", "az.AZ"))
	for _, pair := range [][2]string{{"@", "`"}, {"[", "{"}, {"_", "\x7f"}, {"a", "b"}, {"a", "aa"}, {"\u00C4", "\u00E4"}} {
		assert.False(t, san.EqualFoldASCII(pair[0], pair[1]), "%q", pair)
	}
}
