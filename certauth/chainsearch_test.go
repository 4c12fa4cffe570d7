package certauth_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// CVE-2018-16875, CVE-2025-58187, CVE-2026-32280, CVE-2026-32281, CVE-2026-27145 crypto/x509;
// CVE-2021-3908 cfrpki: chain building, constraints and many names use much CPU time. Front ends
// row 40. The exact limits on candidates are in TestLimits_SameNameCAsStayCheap; the limit here is
// far above the required time and far below the cost of the attacks.
func TestLimits_HostileChainsEndInTime(t *testing.T) {
	w := newWorld(t)
	evil := certauthtest.NewCA(t, "Evil CA")
	var lookAlikes, loop []*x509.Certificate
	for range 9 {
		lookAlikes = append(lookAlikes, w.ca.NewIntermediate(t, "Look-alike CA").Certificate)
	}
	a, b := evil.NewIntermediate(t, "Loop A"), evil.NewIntermediate(t, "Loop B")
	loop = append(loop, crossSign(t, a, b), crossSign(t, b, a), a.Certificate, b.Certificate, crossSign(t, a, evil), crossSign(t, b, evil), evil.Certificate)

	manyNames, manyRanges, mails := make([]string, 600), make([]*net.IPNet, 600), make([]string, 600)
	for i := range manyNames {
		manyNames[i], mails[i] = fmt.Sprintf("%d.a", i), fmt.Sprintf("u@%d.a", i)
		manyRanges[i] = &net.IPNet{IP: net.IPv4(10, byte(i>>8), byte(i), 0).To4(), Mask: net.CIDRMask(24, 32)}
	}
	constrained := w.ca.NewIntermediate(t, "Constrained CA", func(c *x509.Certificate) {
		c.PermittedEmailAddresses, c.ExcludedIPRanges, c.ExcludedDNSDomains = mails[:300], manyRanges[:200], manyNames[:300]
	})
	crowded := constrained.Issue(t, "client", func(c *x509.Certificate) { c.EmailAddresses = mails[300:600] }).Certificate
	lookAlike := forge(t, w.leaf.Certificate, &x509.Certificate{RawSubject: lookAlikes[0].RawSubject, Version: 3})
	for _, tc := range []struct {
		name string
		sent []*x509.Certificate
	}{
		{"nine look-alike intermediates", append([]*x509.Certificate{lookAlike}, lookAlikes...)},
		{"a cross-signed loop", append([]*x509.Certificate{a.Issue(t, "client").Certificate}, loop...)},
		{"300 addresses under 800 constraints", []*x509.Certificate{crowded, constrained.Certificate}},
		{"unrelated certificates", append([]*x509.Certificate{certauthtest.SelfSigned(t, "x").Certificate}, loop...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := authOf(t, w.chain(), time.Time{}, tc.sent...)
			done := make(chan error, 1)
			go func() { _, err := auth.Check(request()); done <- err }()
			select {
			case err := <-done:
				assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
			case <-time.After(time.Minute):
				assert.Fail(t, "still running after a minute")
			}
		})
	}
}
