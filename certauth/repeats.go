package certauth

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

const (
	// repeatInterval is how often refusals of one kind are a record.
	repeatInterval = time.Minute

	// maxRepeatKinds bounds the kinds that are told apart; paths are the client's text.
	maxRepeatKinds = 1024

	// maxOtherKinds bounds the kinds that only outcome and reason tell apart, which count
	// what is beyond maxRepeatKinds. All that is beyond this one too is one kind.
	maxOtherKinds = 64
)

// repeats are the refusals that were logged within the last minute or so, so that those of
// the same kind are counted and not logged.
//
// No count is lost while refusals are logged at all: the next record of the kind has it; if
// none comes, the next refusal of whatever kind writes it down, once a minute for all.
type repeats struct {
	mutex sync.Mutex
	kinds map[repeatKey]*repeatCount
	swept time.Time
}

// repeatKey is what refusals of one kind have in common.
type repeatKey struct {
	outcome     Outcome
	reason      Reason
	rule, path  string
	certificate string // its fingerprint, where it is verified: else a client could make any number
	others      bool   // beyond the bound: only outcome and reason are set, or nothing
}

type repeatCount struct {
	logged time.Time
	since  int // how many were not
}

// repeated says how many of a kind were not logged since its last record.
type repeated struct {
	key   repeatKey
	count int
}

func repeatKeyOf(event *Event) repeatKey {
	key := repeatKey{outcome: event.Outcome, reason: event.Err.Reason, rule: event.Err.Rule, path: event.Path}
	if event.Certificate.Verified {
		key.certificate = event.Certificate.Fingerprint
	}
	return key
}

// note counts a refusal. It is to be logged if it is the first of its kind, or the first in
// this minute. ended are the counts of others that are to be written down now.
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

// find returns the kind under which the refusal is counted: its own while there is room, else
// that of what is beyond. Nil is one that is to be added.
func (s *repeats) find(key repeatKey) (repeatKey, *repeatCount) {
	key.rule, key.reason = clip(key.rule, maxDetail), Reason(clip(string(key.reason), maxDetail))
	if known := s.kinds[key]; known != nil {
		return key, known
	}
	if len(s.kinds) < maxRepeatKinds {
		return key, nil
	}
	key = repeatKey{outcome: key.outcome, reason: key.reason, others: true}
	if known := s.kinds[key]; known != nil || len(s.kinds) < maxRepeatKinds+maxOtherKinds {
		return key, known
	}
	key = repeatKey{others: true}
	return key, s.kinds[key]
}

// add copies the texts: they may be part of a request that is much larger.
func (s *repeats) add(key repeatKey) *repeatCount {
	if s.kinds == nil {
		s.kinds = map[repeatKey]*repeatCount{}
	}
	key.rule, key.path, key.reason = strings.Clone(key.rule), strings.Clone(key.path), Reason(strings.Clone(string(key.reason)))
	count := &repeatCount{}
	s.kinds[key] = count
	return count
}

// sweep forgets, once a minute, the kinds that were not seen for one, and hands out the
// counts of those that nobody has written down.
func (s *repeats) sweep(now time.Time) (ended []repeated) {
	if !isOver(s.swept, now) {
		return nil
	}
	s.swept = now
	for key, count := range s.kinds {
		switch {
		case !isOver(count.logged, now):
		case count.since == 0:
			delete(s.kinds, key)
		default:
			ended = append(ended, repeated{key, count.since})
			*count = repeatCount{logged: now}
		}
	}
	return ended
}

// isOver reports whether the minute is over. For a clock that went back it is.
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
