package revocation_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K69: the Checker remembered only the last chain in which it had looked for other keys of a
// CA. A client whose CA has two roots was judged anew on every request, signatures of CAs included,
// and so were the clients of one CA that each send the certificates above it.
func TestChecker_SeveralChainsOfACAAreAnsweredFromMemory(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	parsedAgain := func(t *testing.T, cert *x509.Certificate) *x509.Certificate {
		again, err := x509.ParseCertificate(cert.Raw)
		require.NoError(t, err)
		return again
	}
	for name, chainsOf := range map[string]func(*testing.T, *wired) [][]*x509.Certificate{
		"below two roots": func(t *testing.T, w *wired) [][]*x509.Certificate {
			other := makeCert(t, "Other Root", newKey(t), nil, asCA)
			return [][]*x509.Certificate{w.chain(w.client), certs(w.client, makeCert(t, "Clients CA", w.ca.key, other, asCA), other)}
		},
		"below two CAs of one root": func(t *testing.T, w *wired) (chains [][]*x509.Certificate) {
			for _, policy := range []string{"Policy CA 1", "Policy CA 2"} {
				above := makeCert(t, policy, newKey(t), w.root, asCA)
				chains = append(chains, certs(w.client, makeCert(t, "Clients CA", w.ca.key, above, asCA), above, w.root))
			}
			return chains
		},
		"of clients that send the CAs": func(t *testing.T, w *wired) (chains [][]*x509.Certificate) {
			above := makeCert(t, "Policy CA", newKey(t), w.root, asCA)
			ca := makeCert(t, "Clients CA", w.ca.key, above, asCA)
			for range 20 {
				chains = append(chains, []*x509.Certificate{w.client.cert, parsedAgain(t, ca.cert), parsedAgain(t, above.cert), w.root.cert})
			}
			return chains
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t)
			chains := chainsOf(t, w)
			checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.Issuers = certs(w.ca) })
			ask := func() {
				for _, chain := range chains {
					if found, err := checker.CheckChain(t.Context(), chain); err != nil || found.Status != isGood {
						t.Errorf("%v, %v", found.Status, err)
					}
				}
			}
			ask()
			assert.Zero(t, testing.AllocsPerRun(100, ask))
		})
	}
}

// A key whose certificate had expired by a clock that was ahead counts once the clock is right.
func TestListSigner_AKeyCountsAfterTheClockWasAhead(t *testing.T) {
	for name, allow := range map[string]bool{"strict": false, "AllowNoSource": true} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(-day), now.Add(30*day)))
			client, revoked := w.issue(t, "client", unpointed), w.issue(t, "revoked", unpointed)
			path := fileOf(t, encode(t, w.signedBy(signer, entryFor(revoked))))
			checker := w.checker(t, leafOnly, func(c *revocation.Config) {
				c.Lists, c.Issuers, c.AllowNoSource = []revocation.List{{File: path}}, certs(signer), allow
			})
			w.clock.advance(40 * day)
			_, _ = checker.CheckChain(t.Context(), w.chain(client))
			w.clock.advance(-40 * day)
			w.says(t, checker, client, isGood, nil)
			w.says(t, checker, revoked, isRevoked, nil)
		})
	}
}
