//go:build race

package revocation_test

const racing = true
