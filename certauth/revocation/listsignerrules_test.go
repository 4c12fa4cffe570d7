package revocation_test

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// judgedBy returns the status of a new certificate of the CA whose list this key has signed and whose caller
// sends these certificates along.
func (w *wired) judgedBy(t *testing.T, c *revocation.Checker, signer *identity, sent ...*identity) certauth.RevocationStatus {
	t.Helper()
	url := fmt.Sprintf("http://crl.partner.example/%x.crl", signer.cert.SerialNumber)
	w.net.serve(url, body(encode(t, w.signedBy(signer))))
	about := w.issue(t, "about", noResponder, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{url} })
	found, _ := c.CheckChain(presented.With(t.Context(), certs(sent...)), w.chain(about))
	return found.Status
}

// A CA has at most four more keys, and none takes the place of another that is valid.
func TestListSigner_ACAHasAtMostFourMoreKeys(t *testing.T) {
	inBubble(t, "presented", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, crlOnly)
		var all []*identity
		for n := range 5 {
			all = append(all, makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(-day), now.AddDate(0, 0, n+1))))
			assert.Equal(t, n < 4, w.judgedBy(t, checker, all[n], all[n]) == isGood, n)
		}
		for n, signer := range all {
			assert.Equal(t, n < 4, w.judgedBy(t, checker, signer) == isGood, n)
		}
	})
}

// A caller causes at most two signature checks for each certificate of the chain.
func TestListSigner_TwoOfThePresentedCertificatesAreLookedAt(t *testing.T) {
	inBubble(t, "of the CA's name", func(t *testing.T) {
		w := wire(t)
		stranger := func() *identity { return makeCert(t, "Clients CA", newKey(t), nil, asCA) }
		signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		assert.Equal(t, isUnavailable, w.judgedBy(t, w.checker(t, crlOnly), signer, stranger(), stranger(), signer))
		checker := w.checker(t, crlOnly)
		assert.Equal(t, isGood, w.judgedBy(t, checker, signer, stranger(), signer))
		other := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		assert.Equal(t, isGood, w.judgedBy(t, checker, other, w.client, w.ca, signer, stranger(), other), "the others cost nothing")
	})
}

// A CA below this one has another name, and signs no lists for this one.
func TestListSigner_ACABelowSignsNoLists(t *testing.T) {
	inBubble(t, "presented", func(t *testing.T) {
		w := wire(t)
		below := makeCert(t, "Another CA", newKey(t), w.ca, asCA)
		assert.Equal(t, isUnavailable, w.judgedBy(t, w.checker(t, crlOnly), below, below))
	})
}

// The CA itself may have issued and revoked the certificate of its other key.
func TestListSigner_TheCAsOwnListRevokesTheSigner(t *testing.T) {
	for name, listed := range map[string]bool{"revoked": true, "not revoked": false} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
			var entries []ocsptest.Entry
			if listed {
				entries = append(entries, entryFor(signer))
			}
			w.net.serve(crlURL, body(encode(t, w.list(entries...))))
			checker := w.checker(t, crlOnly)
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, !listed, w.judgedBy(t, checker, signer, signer) == isGood)
		})
	}
}

// The certificate of the older key, which signed that of the newer one, may be by a CA that no chain leads to.
func TestListSigner_TheSignerMayBeOfAnUnknownCA(t *testing.T) {
	inBubble(t, "among Issuers", func(t *testing.T) {
		w := wire(t)
		older := makeCert(t, "Clients CA", newKey(t), w.root, asCA)
		ofOldRoot := makeCert(t, "Clients CA", older.key, makeCert(t, "Old Root", newKey(t), nil, asCA), asCA)
		newer := makeCert(t, "Clients CA", newKey(t), older, asCA)
		client := makeCert(t, "client", newKey(t), newer, asClient)
		file := revocation.List{File: fileOf(t, encode(t, w.signedBy(older)))}
		checker := w.operated(t, file, func(c *revocation.Config) { c.Issuers = certs(ofOldRoot) })
		found, err := checker.CheckChain(t.Context(), certs(client, newer, older, w.root))
		require.NoError(t, err)
		assert.Equal(t, isGood, found.Status)
	})
}

// What was known before a key counted is not the answer afterwards.
func TestListSigner_AKeyThatBeginsToCountChangesTheVerdict(t *testing.T) {
	inBubble(t, "its list was read before", func(t *testing.T) {
		w := wire(t)
		signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(20*time.Minute), now.Add(day)))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{File: fileOf(t, encode(t, w.signedBy(signer, entryFor(w.client))))}}, certs(signer)
			c.PollInterval = day
		})
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.client, isGood, nil) // since its list was read
		w.clock.advance(20*time.Minute - skew)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// A CA's certificate is not cleared by its own key, by which a list of the operator may be signed.
func TestListSigner_AConfiguredListClearsNotItsOwnSigner(t *testing.T) {
	for name, byNewer := range map[string]bool{"by the newer key": true, "by the older key": false} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			older := makeCert(t, "Clients CA", newKey(t), nil, asCA)
			newer := makeCert(t, "Clients CA", newKey(t), older, asCA)
			client := makeCert(t, "client", newKey(t), newer, asClient)
			signer := map[bool]*identity{true: newer, false: older}[byNewer]
			checker := w.operated(t, revocation.List{File: fileOf(t, encode(t, w.signedBy(signer)))}, func(c *revocation.Config) {
				c.Scope, c.Issuers = revocation.ChainExceptAnchor, certs(older, newer)
			})
			found, err := checker.CheckChain(t.Context(), certs(client, newer, older))
			if byNewer {
				require.ErrorIs(t, err, evidence.ErrSignedBySubject)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, isGood, found.Status)
		})
	}
}
