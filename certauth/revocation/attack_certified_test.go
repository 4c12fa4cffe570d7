package revocation_test

import (
	"crypto/x509"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// below returns the chain to the partner's root by way of the certificate that the partner has
// issued for the root of the scene.
func (p *partner) below(t testing.TB, about *identity) []*x509.Certificate {
	t.Helper()
	crossed := makeCert(t, "Root", p.wired.root.key, p.root, asCA)
	return []*x509.Certificate{about.cert, p.wired.ca.cert, crossed.cert, p.root.cert}
}

// finding K66: a partner that certified the root of another one, and had a client or a CA below
// that root, could let what is fetched for all clients there wait behind its own hanging fetches,
// because whatever is known of a certificate belonged to the partner below which it was seen first.
func TestAttack_APartnerThatCertifiesAnothersRootDoesNotFetchForIt(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			hostile := w.partner(t, "hostile")
			// Its certificate has the same role as an intermediate, whose status all callers need.
			shared := w.issue(t, "shared")
			checker := w.checker(t, config)
			w.net.serve("http://slow", hanging)
			for i := range 12 {
				slow := hostile.client(t, func(c *x509.Certificate) {
					c.OCSPServer = []string{fmt.Sprintf("http://slow%d.example", i)}
					c.CRLDistributionPoints = c.OCSPServer
				})
				go func() { _, _ = checker.CheckChain(t.Context(), hostile.chain(slow)) }()
			}
			synctest.Wait() // all of its places are taken
			certified := hostile.below(t, shared)
			go func() { _, _ = checker.CheckChain(t.Context(), certified) }()
			synctest.Wait()
			w.says(t, checker, shared, isGood, nil)
		})
	}
}

// What one partner's fetches have proven counts below the roots of others, too: a permanent
// revocation always, and an OCSP response when the certificate is first seen there.
func TestChecker_WhatIsKnownBelowOneRootCountsBelowAnother(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			second := w.partner(t, "second")
			checker := w.checker(t, config, func(c *revocation.Config) { c.Mode = revocation.SoftFail })
			chains := map[string][]*x509.Certificate{"first": w.chain(w.client), "second": second.below(t, w.client)}
			for root, chain := range chains {
				found, err := checker.CheckChain(t.Context(), chain)
				require.NoError(t, err)
				assert.Equal(t, isGood.String(), found.Status.String(), root)
			}
			if name == "OCSP" {
				assert.Equal(t, 1, w.net.count(ocspURL))
			}
			w.clock.advance(7 * time.Hour)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(6*time.Hour), now.Add(8*day), entryFor(w.client)))))
			found, err := checker.CheckChain(t.Context(), chains["first"])
			require.NoError(t, err)
			require.Equal(t, isRevoked.String(), found.Status.String())
			w.outage()
			for root, chain := range chains {
				found, err = checker.CheckChain(t.Context(), chain)
				require.NoError(t, err)
				assert.Equal(t, isRevoked.String(), found.Status.String(), root)
			}
			third := w.partner(t, "third")
			found, err = checker.CheckChain(t.Context(), third.below(t, w.client))
			require.NoError(t, err)
			assert.Equal(t, isRevoked.String(), found.Status.String(), "seen there for the first time")
		})
	}
}
