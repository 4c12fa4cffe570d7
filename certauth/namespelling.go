package certauth

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// Rules compare user principal names, URIs and the local parts of mailboxes exactly. Under Not they
// must also recognise the other spellings of a listed name, as dnRule does for distinguished names.

// otherPrincipals returns a function that reports whether all names are certainly none of those
// listed. Active Directory ignores the case of a user principal name (MS-ADA3, userPrincipalName:
// String(Unicode), 2.5.5.12).
func otherPrincipals(list []string) func(names []string) bool {
	var excluded []dn.Prepared
	for _, text := range list {
		excluded = append(excluded, preparedText(text))
	}
	return func(names []string) bool {
		if len(names) > maxExcluded {
			return false
		}
		for _, name := range names {
			prepared := preparedText(name)
			if slices.ContainsFunc(excluded, func(one dn.Prepared) bool { return !one.Differs(prepared) }) {
				return false
			}
		}
		return true
	}
}

func preparedText(text string) dn.Prepared { return dn.Name{{{Text: text}}}.Prepare() }

// otherIn is otherPrincipals for names that are the same if their normal forms are.
func otherIn(normal func(string) string) func(list []string) func(names []string) bool {
	return func(list []string) func(names []string) bool {
		var excluded []string
		for _, text := range list {
			excluded = append(excluded, normal(text))
		}
		slices.Sort(excluded)
		return func(names []string) bool {
			return !slices.ContainsFunc(names, func(name string) bool {
				_, listed := slices.BinarySearch(excluded, normal(name))
				return listed
			})
		}
	}
}

// normalURI writes what is not case-sensitive in lower case: the scheme, the authority, whose user
// would be, and the namespace of a URN (RFC 5280, section 4.2.1.6; RFC 8141, section 3.1). It
// decodes the letters that need no escape, and writes other escapes in capitals (RFC 3986, sections
// 6.2.2.1 and 6.2.2.2).
func normalURI(uri string) string {
	uri = normalEscapes(uri)
	scheme, rest, _ := strings.Cut(uri, ":")
	scheme = foldASCII(scheme) + ":"
	end := 0
	switch {
	case strings.HasPrefix(rest, "//"):
		end = 2
		if n := strings.IndexAny(rest[end:], "/?#"); n >= 0 {
			end += n
		} else {
			end = len(rest)
		}
	case scheme == "urn:":
		end = max(0, strings.IndexByte(rest, ':'))
	}
	return scheme + foldASCII(rest[:end]) + rest[end:]
}

func normalEscapes(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+3 > len(s) {
			b.WriteByte(s[i])
			continue
		}
		escaped, err := hex.DecodeString(s[i+1 : i+3])
		switch {
		case err != nil:
			b.WriteByte('%')
			continue
		case isAlphanumeric(escaped[0]) || strings.IndexByte("-._~", escaped[0]) >= 0:
			b.WriteByte(escaped[0])
		default:
			b.WriteString(strings.ToUpper(s[i : i+3]))
		}
		i += 2
	}
	return b.String()
}
