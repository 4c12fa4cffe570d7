package certauth

import (
	"fmt"
	"slices"
	"strings"
)

// refuser is a rule that can state its refusal later, because the refusal depends only on facts.
type refuser interface {
	refusal(e *evaluation) *Error
}

// branchRefusal is why a member of an Any was refused: a refusal, or the rule that can state it.
type branchRefusal struct {
	err *Error
	by  refuser
}

// These are the answers of a rule within an Any or a Not; its branchRefusal has the details. They never
// leave the evaluation. Not turns only a mismatch into an acceptance: the rule was evaluated
// completely, and its answer is no. Every other refusal remains a refusal.
var (
	errQuietMismatch = &Error{Reason: ReasonPolicyRefused}
	errQuietRefusal  = &Error{Reason: ReasonPolicyRefused}
)

func isQuiet(err *Error) bool { return err == errQuietMismatch || err == errQuietRefusal }

// refuse returns the refusal of a rule; mismatch says that the rule was evaluated completely.
// Within an Any or a Not the text is not made, because it may never be read.
func (e *evaluation) refuse(by refuser, mismatch bool) *Error {
	if e.quiet == 0 {
		return by.refusal(e)
	}
	e.branchRefusals = append(e.branchRefusals, branchRefusal{by: by})
	if mismatch {
		return errQuietMismatch
	}
	return errQuietRefusal
}

// noteRefusal records why a member of an Any was refused, unless refuse has recorded it.
func (e *evaluation) noteRefusal(err *Error) {
	if !isQuiet(err) {
		e.branchRefusals = append(e.branchRefusals, branchRefusal{err: err})
	}
}

// refused returns the refusal of an Any of which no member accepts. noted is the number of refusals
// that were recorded before the Any.
func (e *evaluation) refused(noted int) *Error {
	if e.quiet > 0 {
		return errQuietRefusal
	}
	return furthest(e.refusals(noted))
}

// refusals returns the refusals that were recorded after the first ones, each once, and forgets them:
// a rule after an Any may have refused several of its members.
func (e *evaluation) refusals(noted int) []*Error {
	var refused []*Error
	seen := make(map[branchRefusal]bool, len(e.branchRefusals)-noted)
	for _, x := range e.branchRefusals[noted:] {
		if seen[x] {
			continue
		}
		seen[x] = true
		if x.by != nil {
			x.err = x.by.refusal(e)
		}
		refused = append(refused, x.err)
	}
	e.branchRefusals = e.branchRefusals[:noted]
	return refused
}

// furthest picks the refusal that explains most and appends the texts of the others to it.
func furthest(refused []*Error) *Error {
	chosen := 0
	for i, err := range refused {
		if err.Reason.info().rank > refused[chosen].Reason.info().rank {
			chosen = i
		}
	}
	best := *refused[chosen]
	if len(refused) > 1 {
		best.Err = branches{chosen: best.Err, others: slices.Delete(slices.Clone(refused), chosen, chosen+1)}
	}
	if pinned := func(err *Error) bool { return err.Reason == ReasonPinMismatch }; best.Reason == ReasonChainUntrusted && slices.ContainsFunc(refused, pinned) {
		best.Hint += "; for a partner that is pinned: " + ReasonPinMismatch.info().hint
	}
	return &best
}

// branches is the detail of an Any that refused. errors.Is finds only the chosen branch, because
// a refusal has one class.
type branches struct {
	chosen error
	others []*Error
}

func (b branches) Error() string {
	const most = 4
	var text strings.Builder
	if b.chosen != nil {
		text.WriteString(b.chosen.Error())
	}
	for i, other := range b.others {
		if i == most {
			fmt.Fprintf(&text, "; and %d more", len(b.others)-most)
			break
		}
		text.WriteString("; " + strings.TrimPrefix(other.Error(), "certauth: "))
	}
	return clip(text.String(), maxDetail)
}

func (b branches) Unwrap() error { return b.chosen }
