package revocation

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// newView makes the view that requests see next. It looks at each place once.
func (m *localLists) newView() *localView {
	now := m.checker.config.Now()
	view := &localView{of: map[string][]*loadedList{}, deltas: map[string][]*evidence.Delta{}, held: map[*localList][]*loadedList{}}
	type scope struct{ by, of string }
	scopes, inOrder := map[scope][]*loadedList{}, []scope{} // not each list with each other: there may be thousands
	var failed []error                                      // joined at once, since the text of a join of joins is copied again and again
	for _, s := range m.sources {
		failed = append(failed, s.err)
		view.unread, view.byURL = view.unread || !s.read, view.byURL || s.list.URL != ""
		for _, l := range s.goneFirst() {
			view.held[l] = l.all()
			for _, held := range view.held[l] {
				if e := held.edition(); !e.NextUpdate.IsZero() && !e.IsOver(now, m.checker.skew) {
					view.ends = earliest(view.ends, e.NextUpdate.Add(m.checker.skew))
				}
				for _, by := range held.by {
					if held.lone != nil {
						view.deltas[by.key] = append(view.deltas[by.key], held.lone)
						continue
					}
					at := scope{by.key, held.scope()}
					if scopes[at] == nil {
						inOrder = append(inOrder, at)
					}
					scopes[at] = m.checker.merge(scopes[at], held, now)
				}
			}
		}
	}
	view.err = errors.Join(failed...)
	for _, at := range inOrder {
		view.of[at.by] = append(view.of[at.by], scopes[at]...)
	}
	return view
}

// goneFirst returns the lists that are gone before the others, which replace equal ones.
func (s *localSource) goneFirst() []*localList {
	order := map[bool]int{true: 1, false: 2}
	return slices.SortedFunc(maps.Values(s.lists), func(a, b *localList) int { return cmp.Compare(order[a.gone], order[b.gone]) })
}

// used returns the lists that count, because no other one of their scope has displaced them, and the
// deltas that complete a list that counts.
func (view *localView) used() map[any]bool {
	used := map[any]bool{}
	for _, lists := range view.of {
		for _, l := range lists {
			used[l.base] = true
			for _, by := range l.by {
				for _, whole := range view.completed(by, l, &VerifyOptions{}) {
					used[whole.crl.Delta()] = whole.crl.Delta() != nil
				}
			}
		}
	}
	return used
}

// hasLike reports whether there is a list of the same signer and scope, or a delta of the same signer.
func (view *localView) hasLike(next *loadedList) bool {
	return slices.ContainsFunc(next.by, func(by *authority) bool {
		if next.lone != nil {
			return len(view.deltas[by.key]) > 0
		}
		return slices.ContainsFunc(view.of[by.key], func(l *loadedList) bool { return l.scope() == next.scope() })
	})
}

// hasNewer reports whether another delta contains all of this one, and more.
func (view *localView) hasNewer(held *loadedList) bool {
	return slices.ContainsFunc(held.by, func(by *authority) bool {
		return slices.ContainsFunc(view.deltas[by.key], func(other *evidence.Delta) bool {
			return other.Replaces(held.lone) && !held.lone.Replaces(other)
		})
	})
}

// forgetGone drops lists that were deleted from a directory, or preceded one of another scope, once they are replaced
// or have expired. Until then they count. It reports whether it dropped any.
func (m *localLists) forgetGone(view *localView) (some bool) {
	c, now, used := m.checker, m.checker.config.Now(), sync.OnceValue(view.used) // if something is gone
	counts := func(l *loadedList) bool {
		return !c.isSpent(l, now) && (l.lone == nil && used()[l.base] || l.lone != nil && !view.hasNewer(l))
	}
	for _, s := range m.sources {
		for name, l := range s.lists {
			if !l.gone || slices.ContainsFunc(view.held[l], counts) {
				some = c.lists.tidy(&l.place) || some
				continue
			}
			c.lists.drop(&l.place)
			delete(s.lists, name)
			some = true
		}
	}
	return some
}

// loneDeltas returns, once each, the deltas that continue none of the operator's lists.
func (m *localLists) loneDeltas(view *localView) (names []string) {
	for _, s := range m.sources {
		for name, l := range s.lists {
			held := view.held[l]
			if len(held) == 0 || held[0].lone == nil || l.told || view.unread {
				continue
			}
			l.told = true
			if !view.continues(held[0]) {
				names = append(names, s.list.shown(name))
			}
		}
	}
	return names
}

// continues reports whether the delta continues a list that counts, or is contained in it.
func (view *localView) continues(held *loadedList) bool {
	for _, by := range held.by {
		for _, list := range view.of[by.key] {
			if _, err := list.base.With(held.lone); err == nil || errors.Is(err, evidence.ErrRollback) {
				return true
			}
		}
	}
	return false
}
