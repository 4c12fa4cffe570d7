package revocation

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// newView makes the view that requests see next. It looks at each place once.
func (m *localLists) newView() *localView {
	now := m.checker.config.Now()
	view := &localView{of: map[string][]*loadedList{}, deltas: map[string][]*evidence.Delta{}, held: map[*localList]*loadedList{}}
	type scope struct{ by, of string }
	scopes, inOrder := map[scope][]*loadedList{}, []scope{} // not each list with each other: there may be thousands
	var failed []error                                      // joined at once, since the text of a join of joins is copied again and again
	for _, s := range m.sources {
		failed = append(failed, s.err)
		view.unread, view.byURL = view.unread || !s.read, view.byURL || s.list.URL != ""
		for _, l := range s.goneFirst() {
			held := l.current.Load()
			if held == nil {
				continue
			}
			view.held[l] = held
			if e := held.edition(); !e.NextUpdate.IsZero() && !e.IsOver(now, m.checker.skew) {
				view.ends = earliest(view.ends, e.NextUpdate.Add(m.checker.skew))
			}
			if held.lone != nil {
				for one := held; one != nil; one = one.lapsed {
					for _, by := range one.by {
						view.deltas[by.key] = append(view.deltas[by.key], one.lone)
					}
				}
				continue
			}
			for _, by := range held.by {
				at := scope{by.key, held.base.Scope()}
				if scopes[at] == nil {
					inOrder = append(inOrder, at)
				}
				scopes[at] = m.newest(scopes[at], held, now)
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
			if l.lapsed != nil {
				used[l.lapsed.base] = true
			}
			for _, by := range l.by {
				for _, whole := range view.completed(by, l, &VerifyOptions{}) {
					used[whole.crl.Delta()] = true
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
		return slices.ContainsFunc(view.of[by.key], func(l *loadedList) bool { return l.base.Scope() == next.base.Scope() })
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

// forgetGone drops lists that were deleted from a directory, or set aside, once they are replaced
// or have expired. Until then they count. It reports whether it dropped any.
func (m *localLists) forgetGone(view *localView) (some bool) {
	terms, used := m.checker.terms(m.checker.config.Now()), sync.OnceValue(view.used) // if something is gone
	isOver := func(held *loadedList) bool {
		if held != nil && held.lone != nil {
			return held.edition().Current(terms.Now, m.checker.skew) != nil || view.hasNewer(held)
		}
		return held == nil || !used()[held.base] || !held.base.IsFresh(true, &terms) && !held.base.IsFresh(false, &terms)
	}
	for _, s := range m.sources {
		for name, l := range s.lists {
			if l.gone && isOver(view.held[l]) {
				m.checker.lists.drop(&l.place)
				delete(s.lists, name)
				some = true
			}
		}
	}
	return some
}

// newest adds the list to those of the same scope and signer, or replaces an older one (rule C9). If one
// has the newer base and the other the newer delta, both count, and so do two different ones of one
// edition, which a CA must not make (RFC 5280, section 5.2.3): the order in which they are read decides
// nothing. A list from the future displaces none.
func (m *localLists) newest(lists []*loadedList, next *loadedList, now time.Time) []*loadedList {
	isAhead := func(l *loadedList) bool { return l.edition().CheckBegun(now, m.checker.skew) != nil }
	if isAhead(next) {
		return append(lists, next)
	}
	kept := make([]*loadedList, 0, len(lists)+1)
	for _, known := range lists {
		follows := known.base.CheckNewer(next.base) == nil && known.crl.CheckNewer(next.crl) == nil
		precedes := next.base.CheckNewer(known.base) == nil && next.crl.CheckNewer(known.crl) == nil
		switch {
		case isAhead(known), !follows && !precedes, follows && precedes && !reflect.DeepEqual(known.crl, next.crl):
			kept = append(kept, known)
		case follows:
			next = m.checker.ofTwo(next, known, now)
		default:
			next = m.checker.ofTwo(known, next, now)
		}
	}
	return append(kept, next)
}

// loneDeltas returns, once each, the deltas that continue none of the operator's lists.
func (m *localLists) loneDeltas(view *localView) (names []string) {
	for _, s := range m.sources {
		for name, l := range s.lists {
			held := view.held[l]
			if held == nil || held.lone == nil || l.told || view.unread {
				continue
			}
			l.told = true
			if !view.continues(held) {
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
