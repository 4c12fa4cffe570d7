package revocation

import (
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// setAside keeps what a file said that now holds something of another kind: it counts until it
// is replaced or runs out, like what was in a file that is gone.
func (m *localLists) setAside(s *localSource, name string, l *localList) {
	aside := &localList{by: l.by, told: true, gone: true}
	aside.operated = true
	m.checker.lists.move(&l.place, &aside.place)
	s.lists[fmt.Sprintf("%s, list %d", name, m.checker.generation.Add(1))] = aside
}

// loneDeltas names, once each, the deltas that complete none of the operator's lists.
func (m *localLists) loneDeltas(sources []*localSource) (names []string) {
	view := m.view.Load()
	for _, s := range sources {
		for name, l := range s.lists {
			_, delta := l.look()
			if delta == nil || l.told || view.unread {
				continue
			}
			l.told = true
			if !view.continues(delta, l.by) {
				names = append(names, name)
			}
		}
	}
	return names
}

// continues reports whether the delta belongs to a list that counts.
func (view *localView) continues(delta *evidence.Delta, signers []*authority) bool {
	for _, by := range signers {
		for _, list := range view.of[by.key] {
			if _, err := list.base.With(delta); err == nil || errors.Is(err, evidence.ErrRollback) {
				return true
			}
		}
	}
	return false
}
