package certcheck

import (
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
)

// FuzzPolicyQualifiers compares the reader of critical certificate policies with encoding/asn1: an
// extension that it treats as known is a list of policies, and every qualifier in it is one of the
// two that RFC 5280 defines.
func FuzzPolicyQualifiers(f *testing.F) {
	for _, seed := range []string{
		"\x30\x08\x30\x06\x06\x04\x2a\x03\x04\x05",
		"\x30\x16\x30\x14\x06\x02\x2a\x03\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x01\x16\x00",
		"\x30\x16\x30\x14\x06\x02\x2a\x03\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x03\x16\x00",
		"\x30\x00", "\x30\x02\x30\x00", "\x30\x80\x00\x00", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !qualifiersAreKnown(value) {
			return
		}
		var policies []struct {
			ID         asn1.ObjectIdentifier
			Qualifiers []struct {
				ID    asn1.ObjectIdentifier
				Value asn1.RawValue `asn1:"optional"`
			} `asn1:"optional"`
		}
		rest, err := asn1.Unmarshal(value, &policies)
		if err != nil {
			return // the data after the identifiers is not checked here
		}
		assert.Empty(t, rest)
		for _, policy := range policies {
			for _, one := range policy.Qualifiers {
				assert.True(t, one.ID.Equal(oidPolicyCPS) || one.ID.Equal(oidPolicyUserNotice), "%v", one.ID)
			}
		}
	})
}
