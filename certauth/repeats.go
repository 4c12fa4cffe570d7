package certauth

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

const (
	// repeatInterval is the minimum time between two records of refusals of one kind.
	repeatInterval = time.Minute

	// maxRepeatKinds bounds the number of kinds, because clients choose the paths and can make certificates. It counts
	// for each degree of vouching: a stranger cannot occupy the places of callers whose key or names are known.
	maxRepeatKinds = 1024

	// maxOtherKinds bounds the kinds, distinguished only by outcome and reason, that count
	// refusals beyond maxRepeatKinds. Beyond this bound too, all refusals are one kind.
	maxOtherKinds = 64
)

// repeats holds the kinds of refusals that were logged within about the last minute, so that
// further refusals of the same kind are counted and not logged.
//
// No count is lost as long as refusals are logged at all: the next record of the kind contains
// it. If there is none, the next refusal of any kind writes the count, once a minute for all
// kinds.
type repeats struct {
	mutex sync.Mutex
	kinds map[vouching]map[repeatKey]*repeatCount
	swept time.Time
}

// repeatKey holds the common properties of refusals of one kind.
type repeatKey struct {
	outcome     Outcome
	reason      Reason
	rule, path  string
	certificate string // fingerprint
	vouched     vouching
	others      bool // beyond the bound: otherwise only vouched, outcome and reason are set, or vouched alone
}

type repeatCount struct {
	logged time.Time
	since  int // number that were not logged
}

// repeated is the number of refusals of a kind that were not logged since its last record.
type repeated struct {
	key   repeatKey
	count int
}

func repeatKeyOf(event *Event) repeatKey {
	key := repeatKey{
		outcome: event.Outcome, reason: event.Err.Reason, rule: event.Err.Rule, path: event.Path,
		certificate: event.Certificate.Fingerprint,
	}
	if leaf := event.Err.leaf; leaf != nil {
		key.vouched = leaf.vouched
	}
	return key
}

// note counts a refusal and reports whether to log it: the first of its kind, or the first in
// this minute. ended are the counts of other kinds that must be written now.
func (s *repeats) note(key repeatKey, now time.Time) (seen repeated, first bool, ended []repeated) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	key, known := s.find(key)
	seen = repeated{key: key}
	if first = known == nil || isOver(known.logged, now); first {
		if known == nil {
			known = s.add(key)
		}
		seen.count = known.since
		*known = repeatCount{logged: now}
	} else {
		known.since++
	}
	return seen, first, s.sweep(now)
}

// find returns the kind under which the refusal is counted: its own while there is room,
// otherwise a shared one. It returns nil if a new kind must be added.
func (s *repeats) find(key repeatKey) (repeatKey, *repeatCount) {
	key.rule, key.reason = clip(key.rule, maxDetail), Reason(clip(string(key.reason), maxDetail))
	kinds := s.kinds[key.vouched]
	if known := kinds[key]; known != nil {
		return key, known
	}
	if len(kinds) < maxRepeatKinds {
		return key, nil
	}
	key = repeatKey{outcome: key.outcome, reason: key.reason, vouched: key.vouched, others: true}
	if known := kinds[key]; known != nil || len(kinds) < maxRepeatKinds+maxOtherKinds {
		return key, known
	}
	key = repeatKey{vouched: key.vouched, others: true}
	return key, kinds[key]
}

// add copies the texts, because they may be part of a much larger request.
func (s *repeats) add(key repeatKey) *repeatCount {
	if s.kinds == nil {
		s.kinds = map[vouching]map[repeatKey]*repeatCount{}
	}
	key.rule, key.path, key.reason = strings.Clone(key.rule), strings.Clone(key.path), Reason(strings.Clone(string(key.reason)))
	count := &repeatCount{}
	if s.kinds[key.vouched] == nil {
		s.kinds[key.vouched] = map[repeatKey]*repeatCount{}
	}
	s.kinds[key.vouched][key] = count
	return count
}

// sweep forgets, once a minute, the kinds that did not occur for a minute, and returns the counts
// that no record contains yet.
func (s *repeats) sweep(now time.Time) (ended []repeated) {
	if !isOver(s.swept, now) {
		return nil
	}
	s.swept = now
	for _, kinds := range s.kinds {
		for key, count := range kinds {
			switch {
			case !isOver(count.logged, now):
			case count.since == 0:
				delete(kinds, key)
			default:
				ended = append(ended, repeated{key, count.since})
				*count = repeatCount{logged: now}
			}
		}
	}
	return ended
}

// isOver reports whether the minute has passed, or the clock went back.
func isOver(begun, now time.Time) bool {
	elapsed := now.Sub(begun)
	return elapsed >= repeatInterval || elapsed < -reload.ClockSlack
}

func (r repeated) append(attrs []slog.Attr) []slog.Attr {
	if r.count > 0 {
		attrs = append(attrs, slog.Int("repeated", r.count))
	}
	if r.key.others {
		attrs = append(attrs, slog.Bool("other_paths", true))
	}
	return attrs
}
