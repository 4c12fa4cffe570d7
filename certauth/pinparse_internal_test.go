package certauth

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// Every accepted pin has the length of its kind, and its spelling in plain hex is the same pin: all
// spellings of one pin are equal.
func FuzzPin(f *testing.F) {
	const pin = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for _, seed := range []string{
		pin, strings.ToUpper(pin), pin[:40], "\u200e" + pin, pin + " ", ":" + pin, pin[:3] + ":" + pin[3:],
		"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg=",
		"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgh=", // not the canonical padding bits
		"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "", " ", "::", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []pinKind{pinThumbprint, pinThumbprintSHA1, pinPublicKey} {
			pin, err := parsePin(kind, text)
			if err != nil {
				require.Nil(t, pin)
				continue
			}
			require.Len(t, pin, kind.size)
			assert.False(t, isDigestOfNothing(pin))
			again, err := parsePin(kind, hex.EncodeToString(pin))
			require.NoError(t, err)
			assert.Equal(t, pin, again)
		}
	})
}

// matchDNS reports whether a DNS name of a certificate matches a pattern.
func matchDNS(have, want string) bool {
	keys, _ := (&san.Names{DNS: []string{have}}).DNSKeys(nil)
	return slices.Contains(keys, altDNS.entry(want))
}

// matchMailbox reports whether an address of a certificate matches a pattern.
func matchMailbox(have, want string) bool {
	keys, _ := (&san.Names{Emails: []string{have}}).MailboxKeys(nil)
	return slices.Contains(keys, altEmail.entry(want))
}

// A name that san.IsHostName accepts is a host name: RFC 1123, section 2.1, plus the underscore.
func FuzzHostName(f *testing.F) {
	for _, seed := range []string{"a", "a.example", "A-1._b.example", "-a", "a-", "a..b", ".", "a.", "*.a.b", "b\u00fcro", "a b", strings.Repeat("a", 64), strings.Repeat("a.", 127)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !san.IsHostName(s) {
			assert.False(t, matchDNS(s, s), "a text that is not a host name matches nothing")
			return
		}
		assert.LessOrEqual(t, len(s), 253)
		for label := range strings.SplitSeq(s, ".") {
			assert.Regexp(t, `^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`, label)
		}
		assert.True(t, matchDNS(s, strings.ToUpper(s)))
		if _, parent, ok := strings.Cut(s, "."); ok {
			assert.True(t, matchDNS(s, "*."+parent))
		}
		assert.False(t, matchDNS(s, "*."+s))
	})
}

// An address has exactly one at sign and is compared as a whole.
func FuzzMailbox(f *testing.F) {
	for _, seed := range []string{"a@b", "a@b@c", "@b", "a@", "\"a b\"@c", "a.b+c@d.e", "\u00e9@b", "a@\u212a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		local, host, ok := san.SplitMailbox(s)
		if !ok {
			assert.False(t, matchMailbox(s, s))
			return
		}
		assert.Equal(t, s, local+"@"+host)
		assert.Equal(t, 1, strings.Count(s, "@"))
		assert.True(t, matchMailbox(s, s))
		assert.True(t, matchMailbox(s, "@"+host))
		assert.False(t, matchMailbox(s, "x"+s))
		assert.False(t, matchMailbox(s, "@x"+host))
	})
}
