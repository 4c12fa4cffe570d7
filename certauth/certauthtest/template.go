package certauthtest

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// rendering fills in the templates of a table's rows for one service. FORGED.md says what
// they mean.
type rendering struct {
	*forgeries
	layout *layout
	test   *HandlerTest
}

func newRenderingOf(tb TB, layout *layout, test *HandlerTest) rendering {
	made := map[string]*x509.Certificate{}
	return rendering{&forgeries{tb: tb, genuine: test.Client, issuer: test.Issuer, with: test.With, made: made}, layout, test}
}

// leftOutError says why a row cannot be run for this front end or this service.
type leftOutError string

func (e leftOutError) Error() string { return string(e) }

// errSame is for variants that are no variants here: a hyphen in a name that has none, or
// padding in a text that needs none.
const errSame = leftOutError("the row changes nothing here")

// text fills in a template: "{{" is a brace, and "{...}" an expression.
func (r *rendering) text(template string) (string, error) {
	r.tb.Helper()
	var b strings.Builder
	for rest := template; ; {
		at := strings.IndexByte(rest, '{')
		if at < 0 {
			b.WriteString(rest)
			return b.String(), nil
		}
		b.WriteString(rest[:at])
		rest = rest[at+1:]
		if strings.HasPrefix(rest, "{") {
			b.WriteByte('{')
			rest = rest[1:]
			continue
		}
		inner, after, found := strings.Cut(rest, "}")
		if !found {
			return "", fmt.Errorf("template %q: a brace is not closed", template)
		}
		value, err := r.expression(inner)
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		rest = after
	}
}

// expression is a term and the filters that it goes through.
func (r *rendering) expression(text string) (string, error) {
	r.tb.Helper()
	term, filters, _ := strings.Cut(text, "|")
	value, err := r.term(term)
	if err != nil || filters == "" {
		return value, err
	}
	for name := range strings.SplitSeq(filters, "|") {
		filter, ok := filterNames[name]
		if !ok {
			return "", fmt.Errorf("expression %q: filter %q is not known", text, name)
		}
		changed := filter(value)
		if changed == value {
			return "", errSame
		}
		value = changed
	}
	return value, nil
}

func (r *rendering) term(text string) (string, error) {
	r.tb.Helper()
	name, argument, _ := strings.Cut(text, ":")
	switch name {
	case "path":
		return r.test.Path, nil
	case "exempt":
		if r.test.Exempt == "" {
			return "", leftOutError("no path is exempt")
		}
		return r.test.Exempt, nil
	case "repeat":
		what, times, _ := strings.Cut(argument, ":")
		n, err := strconv.Atoi(times)
		return strings.Repeat(what, max(n, 0)), err
	case "secret", "secret-value":
		headers := slices.Sorted(maps.Keys(r.test.Secret))
		switch {
		case len(headers) == 0:
			return "", leftOutError("the front end has no secret")
		case name == "secret":
			return headers[0], nil
		}
		return r.test.Secret[headers[0]][0], nil
	}
	if header, ok, err := r.headerName(text); ok || err != nil {
		return header, err
	}
	return r.certificates(name, argument)
}

// headerName is for the names of the headers that the front end sets, and what flags say.
func (r *rendering) headerName(text string) (value string, ok bool, err error) {
	name, number, _ := strings.Cut(text, ".")
	switch name {
	case "certificate":
		return r.layout.Certificate.Header, true, nil
	case "chain":
		if r.layout.Chain == nil || strings.HasSuffix(r.layout.Chain.Format, "-numbered") {
			return "", true, leftOutError("there is no chain header")
		}
		if !r.test.Chain {
			return "", true, leftOutError("the service does not read the chain header")
		}
		return r.layout.Chain.Header, true, nil
	case "fingerprint":
		if r.layout.Fingerprint == nil || !r.test.Fingerprint {
			return "", true, leftOutError("the service reads no fingerprint")
		}
		return r.layout.Fingerprint.Header, true, nil
	case "evidence":
		at, err := strconv.Atoi(number)
		if err == nil && at >= len(r.layout.Evidence) {
			err = leftOutError("the platform leaves no such evidence")
		}
		if err != nil {
			return "", true, err
		}
		return r.layout.Evidence[at][0], true, nil
	case "flag", verdictSuccess, verdictFailure, verdictNone:
		at, err := strconv.Atoi(number)
		if err == nil && at >= len(r.layout.Flags) {
			err = leftOutError("the front end sends no such flag")
		}
		if err != nil {
			return "", true, err
		}
		flag := r.layout.Flags[at]
		if name == "flag" {
			return flag.Header, true, nil
		}
		value := flag.value(name)
		if value == nil {
			return "", true, leftOutError("the flag is left out then")
		}
		return *value, true, nil
	}
	return "", false, nil
}

// certificates is a list of certificates, leaf first, in the front end's own form or in
// another one.
func (r *rendering) certificates(names, format string) (string, error) {
	r.tb.Helper()
	var certs []*x509.Certificate
	for name := range strings.SplitSeq(names, ",") {
		if _, ok := certificateNames[name]; !ok {
			return "", fmt.Errorf("%q is not known", name)
		}
		if name == "samekey" && r.test.KeyPinned {
			return "", leftOutError("a key is pinned, and names do not count")
		}
		cert := r.certificate(name)
		if cert == nil {
			return "", leftOutError("it takes HandlerTest.Issuer to make the " + name + " certificate")
		}
		certs = append(certs, cert)
	}
	if format == "" {
		c := r.layout.Certificate
		text, err := encode(c.Format, certs...)
		return c.Prefix + text + c.Suffix, err
	}
	return encode(format, certs...)
}

// filterNames are the changes that a row can make to a text.
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

// escapeLetters escapes every byte, letters and digits too.
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

// padBits sets bits of the last base64 digit that stand for no byte.
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

// damage changes a digit a third from the start, so that what follows is still in its form.
func damage(s string) string {
	for at := len(s) / 3; at < len(s); at++ {
		if c := s[at]; 'B' <= c && c <= 'F' {
			return s[:at] + string(c+1) + s[at+1:]
		}
	}
	return s
}

// addByte puts a byte behind the DER of a base64 text.
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
