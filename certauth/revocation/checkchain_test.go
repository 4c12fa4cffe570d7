package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A Chain of package certauth has at most ten CAs, and each certificate below the root is checked.
func TestCheckChain_TenCertificatesAreChecked(t *testing.T) {
	for below, fits := range map[int]bool{9: true, 10: true, 11: false} {
		t.Run(fmt.Sprint(below), func(t *testing.T) {
			w := wire(t)
			last := w.root
			chain := certs(w.root)
			for n := range below {
				last = makeCert(t, fmt.Sprint("CA ", n), newKey(t), last, asCA)
				chain = append(certs(last), chain...)
			}
			all, err := w.checker(t, allowNoSource).Check(t.Context(), chain)
			if !fits {
				require.ErrorIs(t, err, evidence.ErrLimits)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, isWaived.String(), all.Revocation.Status.String())
			assert.Len(t, all.Certificates, below)
		})
	}
}

// A certificate whose distribution points cannot be read stays refused when the list for its CA arrives.
func TestCheckChain_AnUnreadableCertificateBesideAListThatArrives(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "client", unpointed, extra(ocsptest.Extension{OID: ocsptest.OIDDistributionPoints, Value: []byte{0x30, 0}}))
		checker := w.checker(t, softFail)
		for range 2 { // while the list is fetched, and when it is in memory
			found := w.says(t, checker, client, isUnavailable, revocation.ErrMalformed)
			assert.Zero(t, found.Depth)
		}
		assert.Equal(t, 1, w.net.count(rootsURL))
	})
}

// While the operator's list of one CA cannot be read, the certificates of other CAs are judged by their own
// sources: the record names the certificate for which the list is missing.
func TestCheckChain_AMissingListConcernsTheCertificatesOfItsCA(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const url = "http://lists.example/root.crl"
		w.net.serve(url, hanging)
		checker := w.checker(t, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: url}}, certs(w.root)
		})
		all, err := checker.Check(t.Context(), w.chain(w.client))
		require.ErrorIs(t, err, revocation.ErrNotReady)
		assert.Equal(t, 1, all.Revocation.Depth)
		require.NoError(t, all.Certificates[0].Err)
		require.ErrorIs(t, all.Certificates[1].Err, revocation.ErrNotReady)
	})
}

// The lists of a CA do not count if its certificate has a key usage without cRLSign (RFC 5280, section 6.3.3 (f)),
// until a renewed certificate permits them, also for clients that were seen before.
func TestCheckChain_ARenewedCACertificatePermitsLists(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		renewed := w.ca
		w.ca = makeCert(t, "Clients CA", renewed.key, w.root, asCA, keyUsage(x509.KeyUsageCertSign), func(c *x509.Certificate) {
			c.CRLDistributionPoints = []string{rootsURL}
		})
		checker := w.checker(t, sources(revocation.CRLOnly))
		w.says(t, checker, w.client, isUnavailable, revocation.ErrCRLIssuer)
		w.ca = renewed
		w.clock.advance(10 * time.Minute)
		w.says(t, checker, w.client, isGood, nil)
	})
}

// What expires while a request waits a moment for the operator's lists no longer counts.
func TestCheckChain_EvidenceThatExpiresDuringTheWaitForLists(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const url = "http://lists.example/root.crl"
		expires := now.Add(time.Hour)
		l := w.rootList()
		l.NextUpdate = ocsptest.UTCAt(expires) // so that it is fetched on each request below
		list := body(encode(t, l))
		w.net.serve(url, list)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), expires))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Sources, c.IgnoreCertificateURLs, c.Responders = revocation.PreferOCSP, true, []revocation.Responder{{URL: ocspURL}}
			c.Lists, c.Issuers = []revocation.List{{URL: url}}, certs(w.root)
		})
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.clock.advance(58 * time.Minute)
		w.says(t, checker, w.client, isGood, nil) // asks in vain, so that nothing waits for newer evidence below
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
		w.clock.advance(expires.Sub(w.clock.now()) - time.Second)
		w.net.serve(url, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
			w.clock.advance(2 * time.Second)
			return list(ctx, r)
		})
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// A refusal lists the pointers that are not used only if there are any.
func TestCheckChain_RefusalDoesNotListWhatIsNotThere(t *testing.T) {
	w := wire(t)
	w.net.serve(ocspURL, failing(revocation.ErrTransport))
	w.net.serve(crlURL, failing(revocation.ErrTransport))
	_, err := w.check(t, w.checker(t, leafOnly))
	require.ErrorIs(t, err, revocation.ErrTransport)
	assert.NotContains(t, err.Error(), "not asked")
}

// Stats count the checks that expired evidence answered, and no others.
func TestCheckChain_CountsStaleAnswers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly, staleGrace)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.client, isGood, nil)
		assert.Zero(t, checker.Stats().StaleServed)
		w.outage()
		w.clock.advance(23*time.Hour + skew + time.Minute)
		for range 3 {
			assert.True(t, w.says(t, checker, w.client, isGood, nil).Stale)
		}
		assert.EqualValues(t, 3, checker.Stats().StaleServed)
	})
}
