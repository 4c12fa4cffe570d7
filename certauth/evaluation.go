package certauth

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// evaluation is one run of a policy over one certificate. The identity grows as
// anchors accept and is handed out only if the whole tree does.
type evaluation struct {
	ctx context.Context
	now time.Time
	id  *Identity

	last []looker // to look at once more when the tree has accepted
}

// looker is a rule about chains, which may grow behind it.
type looker interface {
	look(e *evaluation) *Error
}

// saved is what a failed branch must not leave behind.
type saved struct {
	matched, chains int
	vouched         vouching
	revocation      Revocation
	last            int
}

func (e *evaluation) save() saved {
	return saved{len(e.id.Matched), len(e.id.Chains), e.id.vouched, e.id.Revocation, len(e.last)}
}

func (e *evaluation) restore(s saved) {
	e.id.Matched = e.id.Matched[:s.matched:s.matched]
	e.id.Chains = e.id.Chains[:s.chains:s.chains]
	e.id.vouched, e.id.Revocation = s.vouched, s.revocation
	e.last = e.last[:s.last:s.last]
}

// gains is what accepting branches of an Any established.
type gains struct {
	matched    []string
	chains     [][]*x509.Certificate
	vouched    vouching
	revocation Revocation
	last       []looker
}

// since returns what was added after the state was saved.
func (e *evaluation) since(s saved) gains {
	return gains{
		matched: slices.Clone(e.id.Matched[s.matched:]), chains: slices.Clone(e.id.Chains[s.chains:]),
		vouched: e.id.vouched, revocation: e.id.Revocation, last: slices.Clone(e.last[s.last:]),
	}
}

func (g *gains) plus(more gains) *gains {
	if g == nil {
		return &more
	}
	g.matched = append(g.matched, more.matched...)
	for _, chain := range more.chains {
		if !slices.ContainsFunc(g.chains, func(known []*x509.Certificate) bool { return slices.EqualFunc(known, chain, (*x509.Certificate).Equal) }) {
			g.chains = append(g.chains, chain)
		}
	}
	g.vouched = max(g.vouched, more.vouched)
	g.last = append(g.last, more.last...)
	if g.revocation.Status == RevocationUnavailable {
		g.revocation = more.revocation
	}
	return g
}

func (e *evaluation) gain(g *gains) {
	for _, name := range g.matched {
		if !slices.Contains(e.id.Matched, name) {
			e.id.Matched = append(e.id.Matched, name)
		}
	}
	e.id.Chains = append(e.id.Chains, g.chains...)
	e.id.vouched, e.id.Revocation = g.vouched, g.revocation
	e.last = append(e.last, g.last...)
}

// anchor records that a rule vouches for the certificate.
func (e *evaluation) anchor(v vouching, chains [][]*x509.Certificate) {
	e.id.vouched = max(e.id.vouched, v)
	e.id.Chains = append(e.id.Chains, chains...)
}

// judge runs the rule. Whatever goes wrong in it, a panic included, is a refusal.
func (e *evaluation) judge(r rule, path string) (refused *Error) {
	defer func() {
		if p := recover(); p != nil {
			refused = panicked(path, p)
		}
	}()
	if err := e.ctx.Err(); err != nil {
		return refusal(ReasonRequestCanceled, path, "%w", err)
	}
	if err := r.judge(e); err != nil {
		return err
	}
	for _, again := range e.last {
		if refused := again.look(e); refused != nil {
			return refused
		}
	}
	if err := e.ctx.Err(); err != nil {
		return refusal(ReasonRequestCanceled, path, "%w", err)
	}
	if e.id.vouched == vouchedNothing {
		return refusal(ReasonInternalError, path, "accepted without an anchor")
	}
	return nil
}

func panicked(path string, value any) *Error {
	return refusal(ReasonInternalError, path, "panic: %s", clip(fmt.Sprint(value), maxDetail))
}

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
