package certauth_test

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
			err := inTime(t, checks(auth, 1))
			assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
		})
	}
}

// finding S16: the bound on the comparisons of names with name constraints was one for each chain, and did not count what a
// comparison costs. A CA below a configured one could make a single caller take half a minute of processor time, in
// which no other new caller was judged: by nine certificates that form 27 chains, with directory names of 16 attributes
// in one RDN.
//
// RFC 5280, section 4.2.1.10. The chains hold: none of the names is within a subtree.
func TestLimits_CostlyNameConstraintsEndInTime(t *testing.T) {
	part := func(value string) []byte {
		return seq(t, marshal(t, oidO), tlv(t, asn1.ClassUniversal, asn1.TagUTF8String, false, []byte(value)))
	}
	directoryNames := func(first string) (names [][]byte) { // 80 of them fit into a certificate
		rdn := tlv(t, asn1.ClassUniversal, asn1.TagSet, true, append(slices.Repeat([][]byte{part(first)}, 15), part("v"))...)
		return slices.Repeat([][]byte{tlv(t, asn1.ClassContextSpecific, 4, true, seq(t, rdn))}, 80)
	}
	var subtrees [][]byte
	for _, name := range directoryNames("v") {
		subtrees = append(subtrees, seq(t, name))
	}
	constrained := ext(true, seq(t, tlv(t, asn1.ClassContextSpecific, 1, true, subtrees...)), 2, 5, 29, 30)

	root := newRoot(t, "Root")
	var sent []*x509.Certificate
	above := root
	for layer := range 3 {
		ca := above.newCA(t, fmt.Sprintf("CA %d", layer), constrained)
		for range 2 {
			sent = append(sent, above.again(t, ca, constrained).Certificate)
		}
		sent = append(sent, ca.Certificate)
		above = ca
	}
	var callers []*certauth.Authenticator
	for range 2 {
		leaf := above.newClient(t, ext(false, seq(t, directoryNames("w")...), 2, 5, 29, 17)).Certificate
		callers = append(callers, authOf(t, root.roots(), time.Time{}, append([]*x509.Certificate{leaf}, sent...)...))
	}
	for _, auth := range callers {
		require.NoError(t, inTime(t, checks(auth, 1)))
	}
}
