package revocation

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// acceptDelta takes a delta CRL that stands among the lists. Which list it completes is
// decided when one is looked into: that may come later, from elsewhere in the Config or from a
// certificate.
func (m *localLists) acceptDelta(ctx context.Context, s *localSource, name string, response Response, there evidence.Preview) error {
	c, now := m.checker, m.checker.config.Now()
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, dn.Quote(there.Issuer))
	var next *evidence.Delta
	var by []*authority
	for _, issuer := range m.issuers {
		if !dn.Match(there.Issuer, issuer.cert().RawSubject) {
			continue
		}
		_, err := c.partners.operator().hand.build(ctx, func() (*evidence.CRL, error) {
			one, err := evidence.ParseDelta(response.Body, issuer.cert(), c.listTerms(issuer, now))
			if err == nil && next == nil {
				next = one
			}
			return nil, err
		})
		if err != nil {
			failed = err
			continue
		}
		by = append(by, issuer)
	}
	if next == nil {
		return failed
	}
	if err := next.Edition().Begun(now, c.skew); err != nil {
		return err
	}
	l := m.at(s, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.loaded != nil {
		m.setAside(s, name, l)
	}
	held := l.size()
	if l.delta != nil && errors.Is(l.delta.Edition().CheckNewer(next.Edition()), evidence.ErrRollback) {
		return evidence.ErrRollback
	}
	if err := c.inRoom(next.Size()-held, nil, c.partners.operator(), func() { m.bytes.Add(int64(next.Size() - held)) }); err != nil {
		return err
	}
	l.by, l.delta, l.told = by, next, false
	l.soft = c.softOf(next.Edition(), now, response.MaxAge)
	return nil
}

// setAside keeps what a file said that now holds something of another kind: it counts until it
// is replaced or runs out, like what was in a file that is gone.
func (m *localLists) setAside(s *localSource, name string, l *localList) {
	s.lists[fmt.Sprintf("%s, list %d", name, m.checker.generation.Add(1))] = &localList{by: l.by, loaded: l.loaded, delta: l.delta, told: true, gone: true}
	l.by, l.loaded, l.delta = nil, nil, nil
}

// loneDeltas names, once each, the deltas that complete none of the operator's lists.
func (m *localLists) loneDeltas(sources []*localSource) (names []string) {
	view := m.view.Load()
	for _, s := range sources {
		for name, l := range s.lists {
			if l.delta == nil || l.told || view.unread {
				continue
			}
			l.told = true
			if !view.continues(l) {
				names = append(names, name)
			}
		}
	}
	return names
}

// continues reports whether the delta belongs to a list that counts.
func (view *localView) continues(l *localList) bool {
	for _, by := range l.by {
		for _, list := range view.of[by.key] {
			if _, err := list.base.With(l.delta); err == nil || errors.Is(err, evidence.ErrRollback) {
				return true
			}
		}
	}
	return false
}
