package evidence

// WithSerial gives it numbers that no certificate can have.
func (s *Subject) WithSerial(content []byte) Subject {
	other := *s
	other.serial = content
	return other
}
