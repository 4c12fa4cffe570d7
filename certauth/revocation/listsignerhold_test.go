package revocation_test

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// numbered returns the list with another number and issuing distribution point.
func numbered(l ocsptest.List, number int64, fields ...[]byte) ocsptest.List {
	l.Extensions = append([]ocsptest.Extension{l.Extensions[0]}, ocsptest.CRLNumber(number), ocsptest.IssuingPoint(fields...))
	return l
}

// finding K156: whoever has a suspected key can sign a list with it. Such a list, which does not contain the
// certificate of the key, lifted the hold of that certificate once the list with the hold had expired, and so did one
// by another key whose certificate is revoked.
func TestListSigner_AListThatProvesNothingLiftsNoHoldOfTheSigner(t *testing.T) {
	const theKey, aRevokedKey, theCA = "by the key itself", "by a revoked key", "by the CA"
	for _, by := range []string{theKey, aRevokedKey, theCA} {
		inBubble(t, by, func(t *testing.T) {
			w := otherSigns(t)
			w.signer = makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
			lost := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
			forClients := w.signedBy(w.signer)
			forClients.ThisUpdate = ocsptest.UTCAt(now.Add(-2 * time.Hour))
			forCAs := w.listAt(now.Add(-time.Hour), now.Add(time.Hour), entryFor(w.signer, ocsptest.ReasonCode(onHold)), entryFor(lost))
			write(t, filepath.Join(w.dir, "clients.crl"), encode(t, forClients))
			write(t, filepath.Join(w.dir, "cas.crl"), encode(t, numbered(forCAs, 1, ocsptest.Flag(2))))
			checker := w.inDir(t, func(c *revocation.Config) { c.Issuers = certs(w.ca, w.signer, lost) })
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)

			newer := w.signedBy(map[string]*identity{theKey: w.signer, aRevokedKey: lost, theCA: w.ca}[by])
			newer.ThisUpdate, newer.NextUpdate = ocsptest.UTCAt(now.Add(time.Hour)), ocsptest.UTCAt(now.Add(7*day))
			name := "newer.crl"
			if by == theKey {
				name = "clients.crl"
			} else {
				newer = numbered(newer, 2, ocsptest.Flag(2))
			}
			write(t, filepath.Join(w.dir, name), encode(t, newer))
			require.NoError(t, os.Remove(filepath.Join(w.dir, "cas.crl"))) // it counts until it expires
			for range 2 {
				w.clock.advance(time.Hour + skew)
				w.nudge(t, checker)
			}
			if by == theCA {
				w.says(t, checker, w.about, isGood, nil)
				return
			}
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
		})
	}
}

// finding K157: that an expired list calls the certificate of a list's signer revoked was forgotten with that list, so
// that the signer's lists proved certificates good again.
func TestListSigner_WhatAnExpiredListSaysOfTheSignerIsRemembered(t *testing.T) {
	inBubble(t, "the file is deleted", func(t *testing.T) {
		w := otherSigns(t)
		path := filepath.Join(w.dir, "root.crl")
		write(t, path, w.ofRoot(t, w.numberedBase(10, now.Add(-skew-time.Minute), entryFor(w.signer))))
		checker := w.inDir(t)
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
		require.NoError(t, os.Remove(path))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
		write(t, path, w.ofRoot(t, w.listAt(w.clock.now(), now.Add(7*day))))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.about, isGood, nil) // as for any other certificate, the CA has removed it again
	})
}

// finding K158: a hold of the signer's certificate by a list for some reasons was not lifted by a newer one of its kind.
func TestListSigner_AListForSomeReasonsLiftsTheHoldOfTheSigner(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w := otherSigns(t)
		forHolds := func(thisUpdate time.Time, number int64, entries ...ocsptest.Entry) []byte {
			return w.ofRoot(t, numbered(w.listAt(thisUpdate, now.Add(day), entries...), number, ocsptest.Reasons(ocsptest.Context(3), onHold)))
		}
		write(t, filepath.Join(w.dir, "root.crl"), forHolds(now.Add(-time.Hour), 1, entryFor(w.signer, ocsptest.ReasonCode(onHold))))
		checker := w.inDir(t)
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
		write(t, filepath.Join(w.dir, "root.crl"), forHolds(now, 2))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.about, isGood, nil)
	})
}

// expiring returns a certificate of the CA's name for lists alone, which ends at that time.
func (w *wired) expiring(t *testing.T, at time.Time) *identity {
	t.Helper()
	return makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign), valid(now.Add(-30*day), at))
}

// finding K163: until all of Config.Lists had been read once, a list proved certificates good although the list that
// may revoke the certificate of its signer was not there yet.
func TestListSigner_TheListThatMayRevokeTheSignerIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		entries func(*signedByOther) []ocsptest.Entry
		want    certauth.RevocationStatus
		why     error
	}{
		"revoked":     {func(w *signedByOther) []ocsptest.Entry { return []ocsptest.Entry{entryFor(w.signer)} }, isUnavailable, revocation.ErrCRLIssuer},
		"not revoked": {func(*signedByOther) []ocsptest.Entry { return nil }, isGood, nil},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := otherSigns(t)
			w.net.serve(configuredURL, hanging)
			config := func(c *revocation.Config) {
				c.Lists, c.Issuers = []revocation.List{{Dir: w.dir}, {URL: configuredURL}}, certs(w.ca, w.signer, w.root)
			}
			about := w.issue(t, "bare", unpointed)
			w.says(t, w.checker(t, leafOnly, config), about, isUnavailable, revocation.ErrNotReady)
			w.net.serve(configuredURL, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
				time.Sleep(2 * time.Second) //nolint:forbidigo // inside a bubble
				return body(w.ofRoot(t, w.numberedBase(10, now.Add(7*day), c.entries(w)...)))(ctx, r)
			})
			w.says(t, w.checker(t, leafOnly, config), about, c.want, c.why)
		})
	}
}
