package revocation

import (
	"errors"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// newView makes the view that requests see next. It looks at each place once.
func (m *localLists) newView() *localView {
	now := m.checker.config.Now()
	view := &localView{of: map[string][]*loadedList{}, deltas: map[string][]*evidence.Delta{}, held: map[*localList]*loadedList{}}
	for _, s := range m.sources {
		view.err = errors.Join(view.err, s.err)
		view.unread = view.unread || !s.read
		for _, l := range s.lists {
			held := l.current.Load()
			if held == nil {
				continue
			}
			view.held[l] = held
			if e := held.edition(); !e.NextUpdate.IsZero() && !e.IsOver(now, m.checker.skew) {
				view.ends = earliest(view.ends, e.NextUpdate.Add(m.checker.skew))
			}
			for _, by := range held.by {
				if held.lone != nil {
					view.deltas[by.key] = append(view.deltas[by.key], held.lone)
				} else {
					view.of[by.key] = m.newest(view.of[by.key], held, now)
				}
			}
		}
	}
	return view
}

// uses reports whether a list counts, because no other one of its scope has displaced it, or
// whether a delta completes a list that counts.
func (view *localView) uses(held *loadedList) bool {
	return slices.ContainsFunc(held.by, func(by *authority) bool {
		return slices.ContainsFunc(view.of[by.key], func(list *loadedList) bool {
			if held.lone == nil {
				return list.isOf(held)
			}
			_, err := list.base.With(held.lone)
			return err == nil && view.completed(by, list, &VerifyOptions{}).crl.Delta() == held.lone
		})
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
	now := m.checker.config.Now()
	isOver := func(held *loadedList) bool {
		if held != nil && held.lone != nil {
			return held.edition().Current(now, m.checker.skew) != nil || view.hasNewer(held)
		}
		return held == nil || !view.uses(held) || m.isOver(held.base, now)
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

// isOver reports whether the list has expired. A list without nextUpdate expires by age.
func (m *localLists) isOver(l *evidence.CRL, now time.Time) bool {
	if l.NextUpdate().IsZero() {
		terms := m.checker.terms(now)
		return !l.IsFresh(true, &terms)
	}
	return l.Edition().Current(now, m.checker.skew) != nil
}

// newest adds the list, or replaces an older one of the same scope and signer (rule C9). If one has
// the newer base and the other the newer delta, both count. A list from the future displaces none.
func (m *localLists) newest(lists []*loadedList, next *loadedList, now time.Time) []*loadedList {
	isAhead := func(l *loadedList) bool { return l.edition().Begun(now, m.checker.skew) != nil }
	if isAhead(next) {
		return append(lists, next)
	}
	kept := lists[:0] // this view's own
	for _, known := range lists {
		switch {
		case !known.base.SameScope(next.base), isAhead(known): // cheap for lists of other scopes, which may be thousands
			kept = append(kept, known)
		case known.base.CheckNewer(next.base) == nil && known.crl.CheckNewer(next.crl) == nil:
			next = m.ofTwo(next, known, now)
		case next.base.CheckNewer(known.base) == nil && next.crl.CheckNewer(known.crl) == nil:
			next = m.ofTwo(known, next, now)
		default: // of different scopes, or one with the newer base and the other with the newer delta
			kept = append(kept, known)
		}
	}
	return append(kept, next)
}

// ofTwo returns the newer list or, if that has expired and the older one has not, the older one in its
// place.
func (m *localLists) ofTwo(newer, older *loadedList, now time.Time) *loadedList {
	next, other := *newer, older
	if newer.base.Edition().Current(now, m.checker.skew) != nil && older.base.Edition().Current(now, m.checker.skew) == nil {
		next, other = *older, newer
	}
	next.replace(other)
	return &next
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
