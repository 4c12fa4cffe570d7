package revocation

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
