package chainsearch

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// Different names have different keys, and no name in a certificate is a key.
func TestCandidate_KeysOfNames(t *testing.T) {
	folded, unread := nameKey([]byte{0x30, 0}), nameKey([]byte{0x30, 1})
	assert.NotEqual(t, folded, unread)
	assert.NotEqual(t, nameKey([]byte("=x")), nameKey([]byte("x")))
	for _, key := range []string{folded, unread} {
		assert.NotEqual(t, byte(0x30), key[0])
	}
}

// Under the system's roots names are unchanged, and name constraints of the other CAs are still
// checked here.
func TestCandidate_UnderTheSystemsRoots(t *testing.T) {
	root := certauthtest.NewCA(t, "Public Root")
	issuing := root.NewIntermediate(t, "Issuing", func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"partner.example"}
	})
	system := x509.NewCertPool()
	system.AddCert(root.Certificate)
	settings := Settings{System: system, MaxDepth: defaultMaxDepth}
	for _, presented := range []bool{false, true} {
		intermediates := newPool(t, issuing.Certificate)
		for name, want := range map[string]certcheck.Kind{"a.partner.example": none, "a.other.example": certcheck.Untrusted} {
			certs := []*x509.Certificate{issuing.Issue(t, "client", certauthtest.DNS(name)).Certificate}
			if presented {
				intermediates = &Pool{}
				certs = append(certs, issuing.Certificate)
			}
			answer := find(settings, nil, intermediates, time.Now(), certs...)
			if want == none {
				require.Nil(t, answer.Refused, "%v", textOf(answer))
				assert.True(t, slices.EqualFunc(answer.Chains[0], []*x509.Certificate{certs[0], issuing.Certificate, root.Certificate}, (*x509.Certificate).Equal))
				assert.Same(t, issuing.Certificate, answer.Chains[0][1])
				continue
			}
			require.NotNil(t, answer.Refused)
			assert.Equal(t, want, answer.Refused.Kind)
			assert.ErrorContains(t, answer.Refused.Err, "name constraints of CA")
		}
	}
}

// Some roots of an operating system are of version 1 and have no extensions, so no path length either. crypto/x509
// then has a path length of 0 for them.
func TestCandidate_RootsOfVersion1HaveNoPathLength(t *testing.T) {
	root := certauthtest.NewCA(t, "Public Root")
	issuing := root.NewIntermediate(t, "Issuing")
	first := *root.Certificate
	first.Version, first.BasicConstraintsValid, first.IsCA, first.MaxPathLen, first.Extensions, first.KeyUsage = 1, false, false, 0, nil, 0
	system := x509.NewCertPool()
	system.AddCert(&first)
	settings := Settings{System: system, MaxDepth: defaultMaxDepth}
	leaf := issuing.Issue(t, "client").Certificate
	assert.Equal(t, none, kindOf(find(settings, nil, newPool(t, issuing.Certificate), time.Now(), leaf)))
}

// finding C34: an answer held for a shorter time before it was known who has signed a copy of a root that may
// not sign certificates than afterwards.
func TestCandidate_WhatIsLearnedOfACopyOfARootChangesNoAnswer(t *testing.T) {
	now := time.Now()
	root := certauthtest.NewCA(t, "Root")
	forLists := root.IssueFor(t, certified{public: root.Certificate.PublicKey}, "", certauthtest.AsCA(), certauthtest.Valid(now, now.Add(time.Hour)), func(c *x509.Certificate) {
		c.RawSubject, c.KeyUsage = root.Certificate.RawSubject, x509.KeyUsageCRLSign
	}).Certificate
	roots, intermediates, leaf := newPool(t, root.Certificate), newPool(t, forLists), root.Issue(t, "client").Certificate
	first := find(Settings{MaxDepth: defaultMaxDepth}, roots, intermediates, now, leaf)
	require.Len(t, first.Chains, 1)
	assert.Equal(t, first, find(Settings{MaxDepth: defaultMaxDepth}, roots, intermediates, now, leaf))
}
