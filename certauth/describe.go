package certauth

import (
	"fmt"
	"strings"
)

// printer writes a policy as indented lines: the words that start-up log, review and
// audit share.
type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) line(format string, args ...any) {
	p.b.WriteString(strings.Repeat("  ", p.indent))
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *printer) group(title string, parts []rule) {
	p.line("%s", title)
	p.indent++
	for _, part := range parts {
		part.describe(p)
	}
	p.indent--
}
