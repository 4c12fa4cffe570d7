//go:build go1.27

package policyfile

import "crypto/x509"

// newAlgorithms are those that crypto/x509 knows from Go 1.27 on.
var newAlgorithms = words("MLDSA", x509.MLDSA)
