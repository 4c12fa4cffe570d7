package revocation_test

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// SoftFail accepts missing evidence. While the operator's lists have not been read, evidence of
// other sources against a certificate still counts, and an unreadable certificate is not one
// without evidence.
func TestAttack_ListsThatAreNotReadyHideNoRevocation(t *testing.T) {
	const listURL = "http://lists.internal.example/ca.crl"
	for name, config := range map[string]func(*revocation.Config){"SoftFail": softFail, "HardFail": func(*revocation.Config) {}} {
		inBubble(t, "revoked by OCSP, "+name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(listURL, hanging)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), keyCompromise)))
			checker := w.operated(t, revocation.List{URL: listURL}, config, func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
			began := time.Now()
			found, err := w.check(t, checker)
			require.NoError(t, err)
			assert.Equal(t, isRevoked.String(), found.Status.String())
			assert.LessOrEqual(t, time.Since(began), 5*time.Second, "MaxWait")
			require.NoError(t, checker.Close())
		})
		inBubble(t, "a Good of OCSP does not make up for a list that may say Revoked, "+name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(listURL, hanging)
			checker := w.operated(t, revocation.List{URL: listURL}, config, func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
			found, err := w.check(t, checker)
			if name == "SoftFail" {
				require.NoError(t, err)
				assert.Equal(t, isWaived.String(), found.Status.String())
			} else {
				require.ErrorIs(t, err, revocation.ErrNotReady)
			}
			require.NoError(t, checker.Close())
		})
	}
	inBubble(t, "a certificate that cannot be read", func(t *testing.T) {
		w := wire(t)
		w.net.serve(listURL, hanging)
		checker := w.operated(t, revocation.List{URL: listURL}, softFail, func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
		client := w.issue(t, "unreadable", nowhere, extra(ocsptest.Extension{OID: ocsptest.OIDDistributionPoints, Value: []byte{0x30, 0}}))
		_, err := checker.CheckChain(t.Context(), w.chain(client))
		require.ErrorIs(t, err, revocation.ErrMalformed)
		_, err = checker.CheckChain(t.Context(), []*x509.Certificate{w.client.cert, makeCert(t, "Another CA", w.ca.key, w.root, asCA).cert, w.root.cert})
		require.ErrorIs(t, err, revocation.ErrIssuerMismatch)
		require.NoError(t, checker.Close())
	})
}

// After Close only stored results are returned, and everything else is ErrClosed, however missing
// evidence is treated otherwise.
func TestAttack_ClosedCheckerAcceptsNobodyNew(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"SoftFail": softFail, "HardFail": func(*revocation.Config) {}} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := wire(t)
				checker := w.checker(t, leafOnly, config)
				w.says(t, checker, w.client, isGood, nil)
				require.NoError(t, checker.Close())
				w.says(t, checker, w.client, isGood, nil)
				w.says(t, checker, w.other, isUnavailable, revocation.ErrClosed)
				w.clock.advance(3 * day)
				w.says(t, checker, w.client, isUnavailable, revocation.ErrClosed)
			})
		})
		t.Run(name+", lists never read", func(t *testing.T) {
			w := wire(t)
			checker := w.operated(t, revocation.List{File: filepath.Join(t.TempDir(), "ca.crl")}, config)
			require.NoError(t, checker.Close())
			found, err := w.check(t, checker)
			require.ErrorIs(t, err, revocation.ErrClosed)
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		})
	}
}

// The documentation of the package: SoftFail logs each acceptance, with the reason.
func TestSoftFail_LogsEachAcceptance(t *testing.T) {
	for name, c := range map[string]struct {
		answer handler
		says   string
	}{
		"no evidence": {failing(revocation.ErrTransport), revocation.ErrTransport.Error()},
		"unknown":     {nil, "the authority does not know the certificate"},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			if c.answer == nil {
				c.answer = w.responder(t, ocsptest.StatusUnknown)
			}
			w.net.serve(ocspURL, c.answer)
			var log lines
			checker := w.checker(t, leafOnly, softFail, allowUnknown, sources(revocation.OCSPOnly), logging(&log))
			for range 2 {
				w.says(t, checker, w.client, isWaived, nil)
			}
			records := strings.Count(log.text(), "accepted without evidence")
			assert.Equal(t, 2, records)
			assert.Contains(t, log.text(), c.says)
			assert.Zero(t, checker.Stats().StaleServed)
			assert.Equal(t, uint64(2), checker.Stats().SoftFailed)
		})
	}
}
