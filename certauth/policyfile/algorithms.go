//go:build !go1.27

package policyfile

// newAlgorithms are those that crypto/x509 supports since Go 1.27.
var newAlgorithms []word
