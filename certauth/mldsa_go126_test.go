//go:build !go1.27

package certauth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// RFC 9881, section 2: 2.16.840.1.101.3.4.3.17 is ML-DSA-44. What helps is another Go release, not
// another certificate.
func TestChain_LeafSignedWithMLDSAIsNotBlamed(t *testing.T) {
	of := relabelled(t, "\x60\x86\x48\x01\x65\x03\x04\x03\x11")
	refused := everyWay(t, certauth.ReasonChainUntrusted, of.chain, of.sent...)
	assert.ErrorContains(t, refused, "the leaf: signed with ML-DSA-44 (FIPS 204): not supported by this program")
	assert.Contains(t, refused.Hint, "built with Go 1.27 or later")
}
