//go:build go1.27

package policyfile

import "crypto/x509"

// newAlgorithms are those that crypto/x509 supports since Go 1.27.
var newAlgorithms = words("MLDSA", x509.MLDSA)
