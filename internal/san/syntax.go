package san

import "strings"

// The syntax of the names in rules, name constraints and certificates. Every function checks the
// whole value.

// IsHostName accepts letters, digits, hyphens and underscores in labels of 1 to 63
// bytes, 253 in all. A wildcard is not a host name.
func IsHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	start := 0 // start of the label
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if !hostBytes[s[i]] {
				return false
			}
			continue
		}
		if i == start || i-start > 63 || s[start] == '-' || s[i-1] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// hostBytes holds the bytes that may occur in a label.
var hostBytes = func() (table [256]bool) {
	for c := range 256 {
		table[c] = IsAlphanumeric(byte(c)) || c == '-' || c == '_'
	}
	return table
}()

// EndsInNumber reports whether some libraries read the host as an IPv4 address, such as 127.1, 0x7f.1 or
// 2130706433. It is the "ends in a number checker" of the WHATWG URL Standard, section 3.5.
func EndsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, found := strings.CutPrefix(strings.ToLower(last), "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// dotAtom holds the characters of a local part (RFC 5321, section 4.1.2), in which no dot is first, last or
// beside another.
const dotAtom = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~."

// SplitMailbox splits "local@host" if both parts are plain: no quotes, no comments, no second at
// sign, no space or control character.
func SplitMailbox(s string) (local, host string, ok bool) {
	local, host, found := strings.Cut(s, "@")
	if !found || !IsHostName(host) || strings.Trim(local, dotAtom) != "" || strings.Contains("."+local+".", "..") {
		return "", "", false
	}
	return local, host, true
}

// FoldASCII writes the letters of ASCII in lower case. Unicode folding would make the Kelvin sign
// equal to k.
func FoldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// EqualFoldASCII compares without regard to the case of ASCII letters. Unicode folding would make
// the Kelvin sign equal to k.
func EqualFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if a == b {
		return true
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

// IsAlphanumeric reports whether the byte is a letter or digit of ASCII.
func IsAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
