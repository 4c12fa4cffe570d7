package policyfile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mistake is one mistake in a document.
type Mistake struct {
	// File is the document's name.
	File string
	// Line and Column are the position, counted from 1 and in characters. They are 0 if the mistake
	// has no particular position.
	Line, Column int
	// Path is the place in the document, such as "policy.all[1].dnsNames".
	Path string
	// Text describes the mistake and what was expected.
	Text string

	value bool // concerns the meaning of a value, not the form of the document
}

// String returns the mistake in one line: "policy.json:3:7: policy.all[1]: ...".
func (m Mistake) String() string {
	var b strings.Builder
	if m.File != "" {
		b.WriteString(m.File + ":")
	}
	if m.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", m.Line, m.Column)
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if m.Path != "" {
		b.WriteString(m.Path + ": ")
	}
	return b.String() + m.Text
}

// Mistakes is an error that lists the mistakes of a document in their order, at most the first
// hundred.
type Mistakes []Mistake //nolint:errname // the name of a list of mistakes

// Error lists the mistakes, one per line.
func (all Mistakes) Error() string {
	lines := make([]string, len(all))
	for i, m := range all {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

func mistakeAt(text []byte, at int, path, what string) Mistake {
	line, column := position(text, at)
	return Mistake{Line: line, Column: column, Path: path, Text: what}
}

// quoted prepares text of the document for a mistake: one line of ASCII, cut. Text that looks like
// key material is not shown.
func quoted(s string) string {
	if looksSecret(s) {
		return fmt.Sprintf("(%d bytes, not shown)", len(s))
	}
	const most = 64
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// maxName is the length in bytes above which no system has file names.
const maxName = 4096

// quotedName prepares the name of a file or a directory that textForm has checked, for a mistake.
func quotedName(name string) string {
	if len(name) > maxName {
		return fmt.Sprintf("(%d bytes, not shown)", len(name))
	}
	return strconv.QuoteToASCII(name)
}

// secretText matches PEM, plain or in base64, and the DER of a key or a certificate in base64, base64url
// or hex, that begins the text or follows what is neither a letter nor a digit. The DER is a sequence
// that begins with a version, a sequence or an identifier, in each form of the length.
var secretText = regexp.MustCompile(`-----BEGIN|-----END|PRIVATE KEY|LS0tLS1CRUdJTi|(?:^|[^A-Za-z0-9])(?:` + derInBase64 + `|` + derInHex + `)`)

const (
	derInBase64 = `M(?:(?:[A-H][AEIMQUYcgkosw048]|IA)(?:CA[Q-Za-f]|[Gw])|I[E-H][\w+/-](?:Ag[E-H]|M[A-P]|B[g-v])|I[I-L][\w+/-]{2}(?:[AQgw]IB|[DTjz][A-D]|[AQgw][YZab])|I[M-P][\w+/-]{3}[AEIMQUYcgkosw048](?:CA[Q-Za-f]|[Gw])|I[Q-T][\w+/-]{5}(?:Ag[E-H]|M[A-P]|B[g-v]))[\w+/-]{40}`
	derInHex    = `30(?:[0-7][0-9A-Fa-f]|80|81[0-9A-Fa-f]{2}|82[0-9A-Fa-f]{4}|83[0-9A-Fa-f]{6}|84[0-9A-Fa-f]{8})(?:0201|06|30)[0-9A-Fa-f]{36}`
)

// looksSecret reports whether a text is key material, because the content of a file is easily written
// where its name belongs. Only as much of a text is examined as mistakes show at most.
func looksSecret(s string) bool { return secretText.MatchString(s[:min(len(s), maxName)]) }

// nearest returns the known name that was probably intended, or "".
func nearest(name string, known []string) string {
	if len(name) > 64 { // longer than any known name, and slow to compare
		return ""
	}
	best, distance := "", 3
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := edits(strings.ToLower(name), strings.ToLower(k)); d < distance && d < len(k)/2+1 {
			best, distance = k, d
		}
	}
	return best
}

// edits returns the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := previous
			if a[i] != b[j] {
				cost = 1 + min(previous, row[j], row[j+1])
			}
			previous, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "; did you mean " + quoted(near) + "?"
	}
	return ""
}
