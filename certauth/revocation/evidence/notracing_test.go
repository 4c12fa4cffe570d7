//go:build !race

package evidence_test

const racing = false
