package evidence

// WithSerial gives the subject a number that no certificate can have.
func (s *Subject) WithSerial(content []byte) Subject {
	other := *s
	other.serial = content
	return other
}
