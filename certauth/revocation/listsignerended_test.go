package revocation_test

import (
	"crypto/x509"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K145: a hold of the signer's certificate ended with the list that contains it, so that the lists of a
// suspected key proved certificates good again when the CA above was late with its next list. Only newer evidence
// ends a hold.
func TestListSigner_AHoldOfTheSignerOutlivesTheListThatContainsIt(t *testing.T) {
	hold := ocsptest.ReasonCode(onHold)
	for name, inDelta := range map[string]bool{"a list": false, "a delta": true} {
		inBubble(t, name, func(t *testing.T) {
			w, ends := otherSigns(t), now.Add(time.Hour)
			if inDelta {
				write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day))))
				write(t, filepath.Join(w.dir, "delta.crl"), w.ofRoot(t, w.numberedDelta(10, 11, now.Add(-time.Hour), ends, entryFor(w.signer, hold))))
			} else {
				write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, ends, entryFor(w.signer, hold))))
			}
			checker := w.inDir(t)
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
			w.clock.advance(time.Hour + skew + time.Second)
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
			write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.listAt(w.clock.now(), now.Add(7*day))))
			w.clock.advance(2 * time.Minute)
			w.nudge(t, checker)
			w.says(t, checker, w.about, isGood, nil)
		})
	}
}

// A permanent revocation of the signer's certificate stays, although there was a newer list of another scope without
// it when it was published, as for any other certificate.
func TestListSigner_ANewerListOfAnotherScopeLiftsNoRevocationOfTheSigner(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w := otherSigns(t)
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer))))
		ofCAs := w.listAt(now.Add(-time.Hour), now.Add(7*day))
		ofCAs.Extensions = append(ofCAs.Extensions, ocsptest.IssuingPoint(ocsptest.Flag(2)))
		write(t, filepath.Join(w.dir, "cas.crl"), w.ofRoot(t, ofCAs))
		checker := w.inDir(t)
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(11, now.Add(7*day))))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
	})
}

// finding K146: the revoked certificate of a signer was forgotten when it had expired and another key of the CA
// became known, so that StaleGrace accepted what its last list says.
func TestListSigner_ARevokedSignerIsRememberedAfterItsCertificateHasExpired(t *testing.T) {
	for name, code := range map[string]byte{"revoked": 1, "on hold": onHold} {
		inBubble(t, name, func(t *testing.T) {
			w := otherSigns(t)
			listsAlone := keyUsage(x509.KeyUsageCRLSign)
			w.signer = makeCert(t, "Clients CA", newKey(t), w.root, asCA, listsAlone, valid(now.Add(-day), now.Add(time.Hour)))
			next := makeCert(t, "Clients CA", newKey(t), w.root, asCA, listsAlone, valid(now.Add(2*time.Hour), now.Add(90*day)))
			w.net.serve(crlURL, body(encode(t, w.signedBy(w.signer))))
			w.net.serve(rootsURL, body(w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer, ocsptest.ReasonCode(code))))))
			checker := w.fetched(t, staleGrace, func(c *revocation.Config) { c.Issuers = certs(w.signer, next) })
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			w.clock.advance(3 * time.Hour)
			for range 2 {
				found, err := checker.CheckChain(t.Context(), w.chain(w.about))
				require.Error(t, err)
				assert.Equal(t, isUnavailable.String(), found.Status.String())
				synctest.Wait()
				w.clock.advance(time.Minute)
			}
		})
	}
}

// finding K149: an expired list that calls a client revoked was replaced by one of a revoked key without the
// client, which SoftFail then accepted.
func TestListSigner_AListByARevokedSignerReplacesNoExpiredList(t *testing.T) {
	inBubble(t, "SoftFail", func(t *testing.T) {
		w := otherSigns(t)
		revoked := w.issue(t, "revoked", noResponder)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(time.Hour), entryFor(revoked)))))
		w.net.serve(rootsURL, body(w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer)))))
		checker := w.fetched(t, softFail)
		w.says(t, checker, w.about, isGood, nil)
		forged := w.signedBy(w.signer)
		forged.Extensions[1], forged.ThisUpdate = ocsptest.CRLNumber(1<<60), ocsptest.UTCAt(now.Add(time.Hour))
		w.net.serve(crlURL, body(encode(t, forged)))
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, w.about, isWaived, nil)
		found, err := checker.CheckChain(t.Context(), w.chain(revoked))
		require.ErrorContains(t, err, "expired evidence said revoked")
		assert.Equal(t, isUnavailable.String(), found.Status.String())
	})
}

// finding K150: as K140, after the list was unloaded to make room.
func TestListSigner_AnUnloadedListByARevokedSignerKeepsNoListOut(t *testing.T) {
	const otherURL = "http://crl.partner.example/other.crl"
	inBubble(t, "a number that no CA reaches", func(t *testing.T) {
		w := otherSigns(t)
		forged := w.signedBy(w.signer)
		forged.Extensions[1] = ocsptest.CRLNumber(1 << 60)
		w.net.serve(crlURL, soon(encode(t, forged)))
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		w.net.serve(otherURL, body(w.fat(t, 80<<10, 7)))
		checker := w.fetched(t, func(c *revocation.Config) { c.MaxListMemory = 85 << 10 })
		w.says(t, checker, w.about, isGood, nil)
		w.clock.advance(2 * time.Hour)
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(11, now.Add(7*day), entryFor(w.signer)))))
		w.says(t, checker, w.issue(t, "elsewhere", noResponder, noPoints, point(uri(otherURL))), isGood, nil)
		require.NotZero(t, checker.Stats().ListsUnloaded)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(time.Minute), now.Add(7*day)))))
		w.clock.advance(2 * time.Hour) // the other list can be unloaded by now
		_, _ = checker.CheckChain(t.Context(), w.chain(w.about))
		synctest.Wait()
		w.clock.advance(2 * time.Minute)
		w.says(t, checker, w.about, isGood, nil)
	})
}

// finding K152: the certificate of the signer was not looked up in the lists of its CA if that is among Issuers but
// in no chain.
func TestListSigner_AListOfACAInNoChainRevokesTheSigner(t *testing.T) {
	for name, listed := range map[string]bool{"revoked": true, "not revoked": false} {
		inBubble(t, name, func(t *testing.T) {
			w, dir := wire(t), t.TempDir()
			oldRoot := makeCert(t, "Old Root", newKey(t), nil, asCA)
			older := makeCert(t, "Clients CA", newKey(t), w.root, asCA)
			ofOldRoot := makeCert(t, "Clients CA", older.key, oldRoot, asCA)
			newer := makeCert(t, "Clients CA", newKey(t), older, asCA)
			client := makeCert(t, "client", newKey(t), newer, asClient)
			list := w.rootList()
			if listed {
				list = w.rootList(entryFor(ofOldRoot))
			}
			list.Issuer, list.Key, list.Extensions[0] = oldRoot.cert.RawSubject, oldRoot.key, ocsptest.AuthorityKeyID(oldRoot.cert.SubjectKeyId)
			write(t, filepath.Join(dir, "old.crl"), encode(t, list))
			write(t, filepath.Join(dir, "clients.crl"), encode(t, w.signedBy(older)))
			checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Issuers = certs(ofOldRoot, oldRoot) })
			found, _ := checker.CheckChain(t.Context(), certs(client, newer, older, w.root))
			assert.Equal(t, !listed, found.Status == isGood)
		})
	}
}

// finding K153: as K139 for a list among Config.Lists, if the CA itself is not among Issuers, because it signs no lists.
func TestListSigner_AConfiguredListByARevokedSignerIsFetchedAgainThoughItsCAIsNotConfigured(t *testing.T) {
	inBubble(t, "at a URL", func(t *testing.T) {
		w := otherSigns(t)
		next := makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign))
		w.net.serve(configuredURL, body(encode(t, w.signedBy(w.signer))))
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		checker := w.checker(t, sources(revocation.CRLOnly), func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}}, certs(w.signer, next)
		})
		bare := w.issue(t, "bare", noResponder, noPoints)
		w.says(t, checker, bare, isGood, nil)
		w.net.serve(configuredURL, body(encode(t, w.signedBy(next))))
		w.revokes(t, w.list())
		for range 3 {
			_, _ = checker.CheckChain(t.Context(), w.chain(bare)) // fetches the root's list
			synctest.Wait()
			w.clock.advance(2 * time.Minute)
		}
		w.says(t, checker, bare, isGood, nil)
	})
}
