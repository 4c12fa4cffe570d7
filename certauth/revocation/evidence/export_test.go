package evidence

import "math/big"

// Number returns the cRLNumber of the list, or of the delta if there is one, or nil.
func (l *CRL) Number() *big.Int { return l.Edition().number }

// WithSerial gives the subject a number that no certificate can have.
func (s *Subject) WithSerial(content []byte) Subject {
	other := *s
	other.serial = content
	return other
}
