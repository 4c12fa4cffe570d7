package dirstore

import "time"

// At sets the clock of a store.
func (s *Store) At(now func() time.Time) *Store {
	s.now = now
	return s
}

// WithLimits sets the limits on files and bytes.
func (s *Store) WithLimits(files int, bytes int64) *Store {
	s.most = room{files, bytes}
	return s
}

// Settle waits until no background work is left.
func (s *Store) Settle() {
	for range cap(s.calls) {
		s.calls <- struct{}{}
	}
	for range cap(s.calls) {
		<-s.calls
	}
}
