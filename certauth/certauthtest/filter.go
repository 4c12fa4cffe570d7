package certauthtest

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// filterNames holds the changes that a row can make to a text.
var filterNames = map[string]func(string) string{
	"underscore":     func(s string) string { return strings.ReplaceAll(s, "-", "_") },
	"dot":            func(s string) string { return strings.NewReplacer("-", ".", "_", ".").Replace(s) },
	"hyphen":         func(s string) string { return strings.ReplaceAll(s, "_", "-") },
	"one-underscore": func(s string) string { return strings.Replace(s, "-", "_", 1) },
	"last-dot": func(s string) string {
		if at := strings.LastIndexAny(s, "-_"); at >= 0 {
			return s[:at] + "." + s[at+1:]
		}
		return s
	},
	"joined":          func(s string) string { return strings.NewReplacer("-", "", "_", "").Replace(s) },
	"lower":           strings.ToLower,
	"upper":           strings.ToUpper,
	"swap-case":       swapCase,
	"escape":          escape,
	"escape-letters":  escapeLetters,
	"escape-percent":  func(s string) string { return strings.ReplaceAll(s, "%", "%25") },
	"unescape":        unescape,
	"lower-escapes":   func(s string) string { return strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d").Replace(s) },
	"plus-to-space":   func(s string) string { return strings.NewReplacer("%2B", "%20", "+", " ").Replace(s) },
	"spaces-to-plus":  func(s string) string { return strings.NewReplacer("%20", "+", " ", "+").Replace(s) },
	"literal-newline": func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) },
	"one-line":        func(s string) string { return strings.ReplaceAll(s, "\n", "") },
	"lf-to-cr":        func(s string) string { return strings.ReplaceAll(s, "%0A", "%0D") },
	"space":           inTheMiddle(" "),
	"tab":             inTheMiddle("\t"),
	"fold":            inTheMiddle("\r\n "),
	"lf":              inTheMiddle("\n"),
	"cr":              inTheMiddle("\r"),
	"nul":             inTheMiddle("\x00"),
	"comma":           inTheMiddle(","),
	"equals":          inTheMiddle("="),
	"double-spaces":   func(s string) string { return strings.ReplaceAll(s, " ", "  ") },
	"spaces-to-tabs":  func(s string) string { return strings.ReplaceAll(s, " ", "\t") },
	"base64url":       func(s string) string { return strings.NewReplacer("+", "-", "/", "_").Replace(s) },
	"unpad":           func(s string) string { return strings.ReplaceAll(s, "=", "") },
	"pad-bits":        padBits,
	"truncate":        func(s string) string { return s[:max(0, len(s)-4)] },
	"cut-first":       func(s string) string { return s[min(1, len(s)):] },
	"damage":          damage,
	"base64":          func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"add-byte":        addByte,
	"body-of-pem":     bodyOfPEM,
	"no-colons":       func(s string) string { return strings.Trim(s, ":") },
}

func swapCase(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z':
			return c - 'A' + 'a'
		}
		return c
	}, s)
}

// escapeLetters escapes every byte, including letters and digits.
func escapeLetters(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

func unescape(s string) string {
	return strings.NewReplacer("%20", " ", "%2B", "+", "%2F", "/", "%3D", "=", "%0A", " ").Replace(s)
}

func inTheMiddle(what string) func(string) string {
	return func(s string) string { return s[:len(s)/2] + what + s[len(s)/2:] }
}

// padBits sets bits of the last base64 digit that do not encode a byte.
func padBits(s string) string {
	body := strings.TrimRight(s, "=:")
	if pad := strings.TrimRight(s[len(body):], ":"); pad == "" || body == "" {
		return s
	}
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := strings.IndexByte(digits, body[len(body)-1])
	if last < 0 || last == len(digits)-1 {
		return s
	}
	return body[:len(body)-1] + string(digits[last+1]) + s[len(body):]
}

// damage changes a digit at one third of the text, so that the form stays intact.
func damage(s string) string {
	for at := len(s) / 3; at < len(s); at++ {
		if c := s[at]; 'B' <= c && c <= 'F' {
			return s[:at] + string(c+1) + s[at+1:]
		}
	}
	return s
}

// addByte appends a byte to the DER of a base64 text.
func addByte(s string) string {
	body := strings.Trim(s, ":")
	der, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return s
	}
	return strings.Replace(s, body, base64.StdEncoding.EncodeToString(append(der, 0)), 1)
}

func bodyOfPEM(s string) string {
	for _, marker := range []string{"BEGIN CERTIFICATE", "END CERTIFICATE"} {
		s = strings.ReplaceAll(s, "-----"+marker+"-----", "")
	}
	return strings.TrimSpace(s)
}
