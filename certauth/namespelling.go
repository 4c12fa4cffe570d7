package certauth

import (
	"encoding/hex"
	"net/url"
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

// normalURI returns the same text for all spellings of a URI (RFC 3986, section 6.2.2, with the
// default ports of section 6.2.3). It ignores the letter case of the scheme, of the authority (RFC
// 5280, section 4.2.1.6) and of a URN's namespace (RFC 8141, section 3.1), and segments that change
// nothing.
func normalURI(uri string) string {
	u, err := url.Parse(normalEscapes(uri))
	if err != nil { // New refuses such an entry, and crypto/x509 such a certificate
		return uri
	}
	if namespace, name, ok := strings.Cut(u.Opaque, ":"); ok && u.Scheme == "urn" {
		u.Opaque = foldASCII(namespace) + ":" + name
	}
	if u.Host == "" {
		return u.String()
	}
	u.Host = strings.TrimSuffix(strings.TrimSuffix(foldASCII(u.Host), ":"), defaultPorts[u.Scheme])
	if u.User != nil {
		u.User = url.User(foldASCII(u.User.String()))
	}
	return u.JoinPath().String()
}

var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// normalEscapes decodes the letters that need no escape, and writes other escapes in capitals.
func normalEscapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+3 > len(s) {
			b.WriteByte(s[i])
			continue
		}
		escaped, err := hex.DecodeString(s[i+1 : i+3])
		if err == nil && (isAlphanumeric(escaped[0]) || strings.ContainsRune("-._~", rune(escaped[0]))) {
			b.WriteByte(escaped[0])
		} else {
			b.WriteString(strings.ToUpper(s[i : i+3]))
		}
		i += 2
	}
	return b.String()
}
