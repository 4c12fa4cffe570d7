package evidence

var FreshestOf = freshestOf

// WithSerial gives it numbers that no certificate can have.
func (s Subject) WithSerial(content []byte) Subject {
	s.serial = content
	return s
}
