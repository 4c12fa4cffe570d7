package chainsearch

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding C34: whether a certificate is self-signed depended on its key usage, unless it was known who
// has signed it, so that an answer held for a shorter time before this was known than afterwards.
func TestCandidate_IsSelfSigned(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	forLists := root.IssueFor(t, certified{public: root.Certificate.PublicKey}, "", certauthtest.AsCA(), func(c *x509.Certificate) {
		c.RawSubject, c.KeyUsage = root.Certificate.RawSubject, x509.KeyUsageCRLSign
	}).Certificate
	for _, tc := range []struct {
		name string
		cert *x509.Certificate
		want bool
	}{
		{"a root", root.Certificate, true},
		{"a copy that may not sign certificates", forLists, true},
		{"a CA of another name", root.NewIntermediate(t, "Issuing").Certificate, false},
		{"a CA of the same name with a new key", root.NewIntermediate(t, "Root").Certificate, false},
	} {
		assert.Equal(t, tc.want, newCandidate(tc.cert).isSelfSigned(), tc.name)
		known := newCandidate(tc.cert)
		known.signer.Store(root.Certificate)
		assert.Equal(t, tc.want, known.isSelfSigned(), "%s, with a known signer", tc.name)
	}
}
