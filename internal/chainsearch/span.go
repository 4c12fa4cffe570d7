package chainsearch

import (
	"crypto/x509"
	"time"
)

// span is the time around now in which the validity of no certificate of a search begins or ends.
type span struct{ now, from, until time.Time }

func newSpan(now time.Time) span {
	return span{now: now, until: EndOfTime}
}

// EndOfTime is after every date that a certificate can have.
var EndOfTime = time.Unix(1<<40, 0)

// watch narrows the span by the dates of a certificate, both unchanged and moved by the skew.
func (s *span) watch(cert *x509.Certificate, skew time.Duration) {
	s.edge(cert.NotBefore)
	s.edge(cert.NotAfter.Add(1)) // the validity includes NotAfter
	if skew > 0 {
		s.edge(cert.NotBefore.Add(skew))
		s.edge(cert.NotBefore.Add(-skew))
		s.edge(cert.NotAfter.Add(skew + 1))
		s.edge(cert.NotAfter.Add(-skew + 1))
	}
}

// edge ends the span at a time before or after now.
func (s *span) edge(at time.Time) {
	if at.After(s.now) {
		if at.Before(s.until) {
			s.until = at
		}
	} else if at.After(s.from) {
		s.from = at
	}
}
