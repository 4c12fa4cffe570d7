package certauth

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/san"
)

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
