package nameconstraints

import "crypto/x509"

// Check applies the constraints to the subject and the alternative names of one certificate below
// the CA.
func (c *Constraints) Check(cert *x509.Certificate) error {
	names, err := namesOf(cert)
	if err != nil {
		return err
	}
	return c.check(names, new(int))
}
