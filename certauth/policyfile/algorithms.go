//go:build !go1.27

package policyfile

// newAlgorithms are those that crypto/x509 knows from Go 1.27 on.
var newAlgorithms []word
