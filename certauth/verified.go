package certauth

import (
	"crypto/x509"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxAnswers bounds what is remembered of one certificate: an answer for each of so many
	// Chain nodes. Further ones are searched each time.
	maxAnswers = 16

	// systemAnswerLife bounds an answer under the system's roots, whose candidates are not
	// known here, and on some systems not even their number.
	systemAnswerLife = 10 * time.Minute
)

// verifiedChain is a chain that has verified, with what rules need of it.
type verifiedChain struct {
	certs   []*x509.Certificate
	sums    []certSums
	issuers []atomic.Pointer[issuerName]

	mutex   sync.Mutex // of those who begin to track
	tracked atomic.Pointer[[]trackedBy]
}

func newVerifiedChain(certs []*x509.Certificate) *verifiedChain {
	return &verifiedChain{certs: certs, sums: make([]certSums, len(certs)), issuers: make([]atomic.Pointer[issuerName], len(certs))}
}

// chainAnswer is what one search said: the chains of a leaf under one Chain node, or why
// there are none. It holds for the material that it was found with, and as long as every
// certificate that was a candidate is on the same side of its dates: within that time no
// search would find another.
type chainAnswer struct {
	rule        *chainRule
	material    generations
	from, until time.Time // holds at from, no longer at until
	chains      []*verifiedChain
	refused     *Error
	next        *chainAnswer // of another node
}

// generations tells the states of the material of a Chain apart.
type generations struct{ roots, intermediates uint64 }

func (a *chainAnswer) holds(material generations, now time.Time) bool {
	return a.material == material && !now.Before(a.from) && now.Before(a.until)
}

// lasting reports whether the answer may be kept. The others say something about the
// moment: an overload, a slip, a date.
func (a *chainAnswer) lasting() bool {
	if a.refused == nil {
		return true
	}
	return slices.Contains([]Reason{ReasonChainUntrusted, ReasonUsageNotAllowed, ReasonCertificateIsCA}, a.refused.Reason)
}

// answer returns what is remembered for the rule, or nil.
func (f *facts) answer(r *chainRule) *chainAnswer {
	for a := f.answers.Load(); a != nil; a = a.next {
		if a.rule == r {
			return a
		}
	}
	return nil
}

// remember replaces the answer of the same rule. The mutex is held. Readers walk the old
// list or the new one: what is in a list never changes.
func (f *facts) remember(answer *chainAnswer) {
	var head *chainAnswer
	n := 0
	for a := f.answers.Load(); a != nil; a = a.next {
		if a.rule == answer.rule {
			continue
		}
		kept := *a
		kept.next = head
		head = &kept
		n++
	}
	if n >= maxAnswers {
		return
	}
	added := *answer
	added.next = head
	f.answers.Store(&added)
}

// span is the time around now in which nothing that a search looked at begins or ends.
type span struct{ now, from, until time.Time }

func newSpan(now time.Time) span {
	return span{now: now, from: time.Time{}, until: time.Unix(1<<40, 0)}
}

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
