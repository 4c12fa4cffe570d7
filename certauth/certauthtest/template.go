package certauthtest

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// rendering fills in the templates of the rows for one service. FORGED.md documents the
// templates.
type rendering struct {
	*forgeries
	layout *layout
	test   *HandlerTest
}

func newRenderingOf(tb TB, layout *layout, test *HandlerTest) rendering {
	made := map[string]*x509.Certificate{"other": nil}
	test.Host = otherwise(test.Host, defaultHost)
	if test.Other != nil {
		made["other"] = test.Other.Certificate
	}
	return rendering{&forgeries{tb: tb, genuine: test.Client, issuer: test.Issuer, with: test.With, made: made}, layout, test}
}

// leftOutError says why a row cannot be run for this front end or this service.
type leftOutError string

func (e leftOutError) Error() string { return string(e) }

// errNotMade says why there is no certificate of this name.
func errNotMade(name string) error {
	if name == "other" {
		return leftOutError("HandlerTest.Other is not set")
	}
	return leftOutError("HandlerTest.Issuer is needed to make the " + name + " certificate")
}

// errSame is for variants that change nothing here, such as a hyphen in a name that has none, or
// padding in a text that needs none.
const errSame = leftOutError("the row changes nothing here")

// text fills in a template: "{{" is a literal brace, and "{...}" an expression.
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

// expression evaluates a term and the filters that follow it.
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
	case "host":
		return r.test.Host, nil
	case "exempt":
		if r.test.Exempt == "" {
			return "", leftOutError("no path is exempt")
		}
		return r.test.Exempt, nil
	case "repeat":
		what, times, _ := strings.Cut(argument, ":")
		n, err := strconv.Atoi(times)
		return strings.Repeat(what, max(n, 0)), err
	case "headers":
		return r.genuineLines()
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

// genuineLines returns the lines of the front end for the genuine certificate, as a client would write them,
// who does not know the secret.
func (r *rendering) genuineLines() (string, error) {
	certs := []*x509.Certificate{r.genuine.Certificate}
	for _, ca := range r.with {
		certs = append(certs, ca.Certificate)
	}
	lines, err := r.layout.lines(certs, verdictSuccess)
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line[0] + ": " + line[1] + "\r\n")
	}
	return b.String(), err
}

// headerName handles terms about the front end's headers and the values of its flags.
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
			return "", true, leftOutError("the flag is then omitted")
		}
		return *value, true, nil
	}
	return "", false, nil
}

// certificates encodes a list of certificates, leaf first, in the front end's form or another
// one.
func (r *rendering) certificates(names, format string) (string, error) {
	r.tb.Helper()
	var certs []*x509.Certificate
	for name := range strings.SplitSeq(names, ",") {
		if _, ok := certificateNames[name]; !ok {
			return "", fmt.Errorf("%q is not known", name)
		}
		if name == "samekey" && r.test.KeyPinned {
			return "", leftOutError("a key is pinned, so names do not matter")
		}
		cert := r.certificate(name)
		if cert == nil {
			return "", errNotMade(name)
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
