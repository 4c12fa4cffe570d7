package certauth

import (
	"crypto/x509"
	"iter"
	"sync/atomic"
	"time"
)

// verifiedChain is a chain that has verified, with the facts about its CAs.
type verifiedChain struct {
	certs []*x509.Certificate
	cas   atomic.Pointer[[]caFacts] // of certs[1:]; nil until needed, because few rules do

	serverAuth string // the reason for accepting it without clientAuth; empty if it has clientAuth

	room [3]*x509.Certificate // backs certs if the chain is not longer, to save a memory access
}

// caFacts holds properties of a CA certificate of a chain that are computed when a rule needs them.
type caFacts struct {
	sums   certSums
	issuer atomic.Pointer[parsedName]
}

func newVerifiedChain(certs []*x509.Certificate) *verifiedChain {
	c := &verifiedChain{}
	c.certs = append(c.room[:0], certs...)
	return c
}

// ca returns the facts about certs[i], a CA.
func (c *verifiedChain) ca(i int) *caFacts {
	known := c.cas.Load()
	if known == nil {
		made := make([]caFacts, len(c.certs)-1)
		if known = &made; !c.cas.CompareAndSwap(nil, known) {
			known = c.cas.Load()
		}
	}
	return &(*known)[i-1]
}

// chainAnswer is the result of a search for a leaf under one chainNode: its chains, or the reason
// that there are none. It holds for the material of the search, and until the time passes one of
// the dates of a certificate that was a candidate: before that another search would find the same.
type chainAnswer struct {
	material    generations
	from, until time.Time // holds at from, no longer at until
	chains      []*verifiedChain
	invalid     []*verifiedChain // chains by names and signatures that something else refuses
	refused     *Error
	dated       *x509.Certificate // the certificate whose validity is the reason of the refusal, or nil
	room        [1]*verifiedChain // backs chains if there is one, as usual
}

// generations identifies a state of the material of a Chain.
type generations struct{ roots, intermediates uint64 }

func (a *chainAnswer) holds(material generations, now time.Time) bool {
	return a.material == material && !now.Before(a.from) && now.Before(a.until)
}

// lasting reports whether the answer may be remembered. Overload and internal errors are about the
// moment, not about the certificate.
func (a *chainAnswer) lasting() bool {
	return a.refused == nil || a.refused.Reason != ReasonOverloaded && a.refused.Reason != ReasonInternalError
}

// chainAnswers holds the remembered answers about one certificate, for each chainNode at its place.
// Readers take no lock. The first place is separate because most policies have one node.
type chainAnswers struct {
	first atomic.Pointer[chainAnswer]
	more  atomic.Pointer[[]atomic.Pointer[chainAnswer]] // the places from 1 on
}

// of returns the remembered answer of the node, or nil.
func (a *chainAnswers) of(n *chainNode) *chainAnswer {
	if n.place == 0 {
		return a.first.Load()
	}
	if more := a.more.Load(); more != nil && n.place <= len(*more) {
		return (*more)[n.place-1].Load()
	}
	return nil
}

// all returns the remembered answers of all nodes.
func (a *chainAnswers) all() iter.Seq[*chainAnswer] {
	return func(yield func(*chainAnswer) bool) {
		if first := a.first.Load(); first != nil && !yield(first) {
			return
		}
		more := a.more.Load()
		if more == nil {
			return
		}
		for i := range *more {
			if answer := (*more)[i].Load(); answer != nil && !yield(answer) {
				return
			}
		}
	}
}

// remember replaces the answer of the node. Calls must not be concurrent.
func (a *chainAnswers) remember(n *chainNode, answer *chainAnswer) {
	if n.place == 0 {
		a.first.Store(answer)
		return
	}
	more := a.more.Load()
	if more == nil || n.place > len(*more) {
		grown := make([]atomic.Pointer[chainAnswer], max(n.place, n.among.len()-1))
		if more != nil {
			for i := range *more {
				grown[i].Store((*more)[i].Load())
			}
		}
		more = &grown
		a.more.Store(more)
	}
	(*more)[n.place-1].Store(answer)
}

func (f *facts) remember(n *chainNode, answer *chainAnswer) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.answers.remember(n, answer)
}
