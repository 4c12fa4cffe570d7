package revocation

import "time"

// What the checker uses on every request, and numbers that no certificate can have.
type Subject = subject

var (
	NewSubject = newSubject
	FreshestOf = freshestOf
)

func (s Subject) WithSerial(content []byte) Subject {
	s.serial = content
	return s
}

func (l *CRL) LookupSubject(s *Subject, o *VerifyOptions) (Result, error) { return l.lookup(s, o) }

// At sets the clock of a store.
func (s *DirectoryStore) At(now func() time.Time) *DirectoryStore {
	s.now = now
	return s
}

// Settle waits until nothing is done beside the callers.
func (s *DirectoryStore) Settle() {
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	for range cap(s.slots) {
		<-s.slots
	}
}
