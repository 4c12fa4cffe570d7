package revocation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K159: a list of Config.Lists that calls a client revoked no longer counted against it once the certificate
// of its signer had expired, unless the client had been seen before: after a restart an older OCSP response made it
// good, and SoftFail and AllowNoSource accepted it.
func TestListSigner_AConfiguredListAccusesAfterTheCertificateOfItsSignerHasExpired(t *testing.T) {
	olderOCSP := func(w *wired) *identity {
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-2*time.Hour), now.Add(day)))
		return w.issue(t, "about")
	}
	without := func(w *wired) *identity { return w.issue(t, "about", unpointed) }
	for name, c := range map[string]struct {
		ended  time.Duration // how long ago, in addition to the skew
		about  func(*wired) *identity
		change func(*revocation.Config)
		listed bool
		want   certauth.RevocationStatus
	}{
		"an older response":                {time.Minute, olderOCSP, leafOnly, true, isRevoked},
		"an older response, not listed":    {time.Minute, olderOCSP, leafOnly, false, isGood},
		"an older response, signed later":  {2 * time.Hour, olderOCSP, leafOnly, true, isGood},
		"SoftFail":                         {time.Minute, without, softFail, true, isRevoked},
		"SoftFail, not listed":             {time.Minute, without, softFail, false, isWaived},
		"AllowNoSource":                    {time.Minute, without, func(c *revocation.Config) { c.AllowNoSource = true }, true, isRevoked},
		"AllowNoSource, but it has a list": {time.Minute, without, func(c *revocation.Config) { c.AllowNoSource = true }, false, isUnavailable},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer, next, about := w.expiring(t, now.Add(-skew-c.ended)), w.expiring(t, now.Add(day)), c.about(w)
			list := w.signedBy(signer)
			if c.listed {
				list = w.signedBy(signer, entryFor(about))
			}
			checker := w.checker(t, leafOnly, func(config *revocation.Config) {
				config.Lists, config.Issuers = []revocation.List{{File: fileOf(t, encode(t, list))}}, certs(signer, next)
			}, c.change)
			found, err := checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "%v", err)
		})
	}
}

// finding K160: so it was for a fetched list.
func TestListSigner_AFetchedListAccusesAfterTheCertificateOfItsSignerHasExpired(t *testing.T) {
	for name, change := range map[string]func(*revocation.Config, *identity){
		"in Issuers":           func(c *revocation.Config, signer *identity) { c.Issuers = certs(signer) },
		"in Verify.CRLIssuers": func(c *revocation.Config, signer *identity) { c.Verify.CRLIssuers = certs(signer) },
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer, about := w.expiring(t, now.Add(-skew-time.Minute)), w.issue(t, "about", noResponder)
			w.net.serve(crlURL, body(encode(t, w.signedBy(signer, entryFor(about)))))
			checker := w.checker(t, crlOnly, softFail, func(c *revocation.Config) { change(c, signer) })
			for range 2 {
				found, err := checker.CheckChain(t.Context(), w.chain(about))
				require.ErrorContains(t, err, "expired evidence said revoked")
				assert.Equal(t, isUnavailable.String(), found.Status.String())
				w.says(t, checker, w.issue(t, "another", noResponder), isWaived, nil)
				w.clock.advance(time.Minute)
			}
			if name != "in Issuers" {
				return
			}
			// What the key signs replaces no current list, whatever its number.
			w.net.serve(crlURL, soon(encode(t, w.listAt(now, now.Add(7*day)))))
			w.clock.advance(time.Minute)
			w.says(t, checker, w.issue(t, "a third", noResponder), isGood, nil)
			forged := w.signedBy(signer)
			forged.Extensions[1] = ocsptest.CRLNumber(1 << 60)
			w.net.serve(crlURL, soon(encode(t, forged)))
			for range 2 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.issue(t, "a fourth", noResponder), isGood, nil)
			}
		})
	}
}

// finding K161: after the certificate of the signer of a list at a URL of Config.Lists had expired, the list that
// another key has signed in its place was fetched only when the first was due for renewal, up to six hours later.
func TestListSigner_AConfiguredListIsFetchedAgainWhenTheCertificateOfItsSignerHasExpired(t *testing.T) {
	inBubble(t, "at a URL", func(t *testing.T) {
		w := wire(t)
		signer, about := w.expiring(t, now.Add(30*time.Minute)), w.issue(t, "about", unpointed)
		w.net.serve(configuredURL, body(encode(t, w.signedBy(signer))))
		checker := w.operated(t, revocation.List{URL: configuredURL}, func(c *revocation.Config) { c.Issuers = certs(w.ca, signer) })
		w.says(t, checker, about, isGood, nil)
		w.net.serve(configuredURL, body(encode(t, w.listAt(now.Add(20*time.Minute), now.Add(7*day)))))
		w.clock.advance(30*time.Minute + skew + time.Second)
		for range 2 {
			_, _ = checker.CheckChain(t.Context(), w.chain(about))
			synctest.Wait()
			w.clock.advance(2 * time.Minute)
		}
		w.says(t, checker, about, isGood, nil)
	})
}
