package certauth

import "sync/atomic"

// leafRule is a rule that looks at the leaf's bytes and its own configuration alone. Neither
// ever changes, so that its acceptance is a fact about the certificate, like the names in it.
type leafRule interface {
	rule
	leafAlone()
}

func (*altRule) leafAlone()       {}
func (*ipRule) leafAlone()        {}
func (*dnRule) leafAlone()        {}
func (*attributeRule) leafAlone() {}
func (*extensionRule) leafAlone() {}
func (*keysRule) leafAlone()      {}

// memo is the place of one rule in the facts about every certificate. The zero value has
// none: it remembers nothing.
type memo struct{ bit uint64 }

// maxMemos is how many rules of one Authenticator have a place. The others are asked anew.
const maxMemos = 64

// place gives out the next place, or none.
func (c *compilation) place() memo {
	if c.memos == nil {
		return memo{}
	}
	if n := c.memos.Add(1); n <= maxMemos {
		return memo{1 << (n - 1)}
	}
	return memo{}
}

// acceptedBy holds a bit for every rule that has accepted the leaf of these facts.
type acceptedBy struct{ bits atomic.Uint64 }

func (a *acceptedBy) has(m memo) bool { return a.bits.Load()&m.bit != 0 }
func (a *acceptedBy) note(m memo)     { a.bits.Or(m.bit) }

// rememberedRule asks a leafRule until it has accepted. A refusal is not remembered: who is
// refused is not either.
type rememberedRule struct {
	leafRule
	memo memo
}

func (r *rememberedRule) judge(e *evaluation) *Error {
	if e.facts.accepted.has(r.memo) {
		return nil
	}
	refused := r.leafRule.judge(e)
	if refused == nil {
		e.facts.accepted.note(r.memo)
	}
	return refused
}
