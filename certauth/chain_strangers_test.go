package certauth_test

import (
	"crypto/x509"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// A certificate of an unknown CA is refused as untrusted, whatever else is wrong with it, because
// what it says about its own use is unverified.
func TestChain_StrangersAreUntrustedBeforeTheyAreUnfit(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	encryption := func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDataEncipherment }
	emptyUsage := func(c *x509.Certificate) {
		c.ExtKeyUsage = nil
		ext(false, []byte{0x30, 0}, 2, 5, 29, 37)(c)
	}
	runVerdicts(t, []verdict{
		{"a key usage for encryption, of a stranger", w.chain(), other.issue(t, encryption), certauth.ReasonChainUntrusted},
		{"a key usage for encryption, of our own CA", w.chain(), w.issue(t, encryption), certauth.ReasonUsageNotAllowed},
		{"an extended key usage that lists nothing, of a stranger", w.chain(), other.issue(t, emptyUsage), certauth.ReasonChainUntrusted},
		{"an extended key usage that lists nothing, of our own CA", w.chain(), w.issue(t, emptyUsage), certauth.ReasonUsageNotAllowed},
	})
}
