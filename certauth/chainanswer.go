package certauth

import (
	"crypto/x509"
	"iter"
	"sync/atomic"
	"time"
)

// systemAnswerLife bounds an answer under the system's roots, whose candidates are not
// known here, and on some systems not even their number.
const systemAnswerLife = 10 * time.Minute

// verifiedChain is a chain that has verified, with what rules need of it.
type verifiedChain struct {
	certs []*x509.Certificate
	cas   atomic.Pointer[[]caFacts] // of certs[1:]; nil until a rule asks, as few do

	serverAuth string // why it may do without clientAuth; empty if it has it

	room [3]*x509.Certificate // for certs, if there are no more: one place in memory instead of two
}

// caFacts is what rules ask of a CA certificate of a chain.
type caFacts struct {
	sums   certSums
	issuer atomic.Pointer[issuerName]
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

// chainAnswer is what is known of a leaf under one chainNode: its chains, or why there are
// none. It holds for the material that it was found with, and as long as every certificate
// that was a candidate is on the same side of its dates: within that time no search would
// find another.
type chainAnswer struct {
	material    generations
	from, until time.Time // holds at from, no longer at until
	chains      []*verifiedChain
	refused     *Error
	dated       *x509.Certificate // refused because this one is outside its validity
	room        [1]*verifiedChain // for chains, if there is one
}

// generations tells the states of the material of a Chain apart.
type generations struct{ roots, intermediates uint64 }

func (a *chainAnswer) holds(material generations, now time.Time) bool {
	return a.material == material && !now.Before(a.from) && now.Before(a.until)
}

// lasting reports whether the answer may be kept. The others say something about the
// moment: an overload, a slip.
func (a *chainAnswer) lasting() bool {
	return a.refused == nil || a.refused.Reason != ReasonOverloaded && a.refused.Reason != ReasonInternalError
}

// chainAnswers are what is remembered of one certificate: an answer for each chainNode that
// has been asked, at the node's place. Readers take no lock. Most policies have one node,
// so the first place is at hand.
type chainAnswers struct {
	first atomic.Pointer[chainAnswer]
	more  atomic.Pointer[[]atomic.Pointer[chainAnswer]] // of the places from 1 on
}

// of returns what is remembered for the node, or nil.
func (a *chainAnswers) of(n *chainNode) *chainAnswer {
	if n.place == 0 {
		return a.first.Load()
	}
	if more := a.more.Load(); more != nil && n.place <= len(*more) {
		return (*more)[n.place-1].Load()
	}
	return nil
}

// all returns what is remembered for every node.
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

// remember replaces the answer for the node. Calls must not overlap.
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

// keep remembers an answer that took no search, of a caller who is known. A stranger is
// judged once.
func (f *facts) keep(n *chainNode, answer *chainAnswer) {
	if !f.Kept() {
		return
	}
	f.remember(n, answer)
}

func (f *facts) remember(n *chainNode, answer *chainAnswer) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.answers.remember(n, answer)
}

// span is the time around now in which nothing that a search looked at begins or ends.
type span struct{ now, from, until time.Time }

func newSpan(now time.Time) span {
	return span{now: now, until: endOfTime}
}

// endOfTime is behind every date that a certificate can hold.
var endOfTime = time.Unix(1<<40, 0)

// watch narrows the span by the dates of a certificate, as they are and moved by the skew.
func (s *span) watch(cert *x509.Certificate, skew time.Duration) {
	s.edge(cert.NotBefore)
	s.edge(cert.NotAfter.Add(1)) // NotAfter itself still belongs to the validity
	if skew > 0 {
		s.edge(cert.NotBefore.Add(skew))
		s.edge(cert.NotBefore.Add(-skew))
		s.edge(cert.NotAfter.Add(skew + 1))
		s.edge(cert.NotAfter.Add(-skew + 1))
	}
}

func (s *span) edge(at time.Time) {
	if at.After(s.now) {
		if at.Before(s.until) {
			s.until = at
		}
	} else if at.After(s.from) {
		s.from = at
	}
}

// within bounds the span to so long before and after the moment of the search.
func (s *span) within(d time.Duration) {
	if from := s.now.Add(-d); from.After(s.from) {
		s.from = from
	}
	if until := s.now.Add(d); until.Before(s.until) {
		s.until = until
	}
}
