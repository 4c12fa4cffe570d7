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
	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// finding K217: a partner whose CA has the name of another partner's CA certified that one's key as a signer of its
// own lists, and revoked this certificate. Then no delta for a list of the other CA was fetched, and the operator's
// list of it was not replaced, so that a client whom the newer one revokes was good.
func TestChecker_AnotherPartnerSilencesNoLists(t *testing.T) {
	const hostileURL = "http://crl.hostile.example/ca.crl"
	for url, isConfigured := range map[string]bool{crlURL: false, configuredURL: true} {
		inBubble(t, url, func(t *testing.T) {
			w, week := wire(t), now.Add(7*day)
			hostile := makeCert(t, "Hostile Root", newKey(t), nil, asCA)
			namesake := makeCert(t, "Clients CA", newKey(t), hostile, asCA)
			copied := makeCert(t, "Clients CA", w.ca.key, namesake, asCA)
			accomplice := makeCert(t, "accomplice", newKey(t), namesake, asClient, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{hostileURL} })
			w.net.serve(hostileURL, body(encode(t, w.signedBy(namesake, entryFor(copied)))))
			byDelta, byList := w.issue(t, "by the delta", noResponder), w.issue(t, "by the list", noResponder)
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			w.net.serve(url, soon(encode(t, w.numberedBase(10, week))))
			w.net.serve(deltaURL, failing(revocation.ErrTransport))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) {
				if isConfigured {
					c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}}, certs(w.ca)
				}
			})
			w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
			for _, sent := range [][]*x509.Certificate{nil, certs(copied)} { // the first request fetches the list that revokes what the second one sends
				_, _ = checker.CheckChain(presented.With(t.Context(), sent), certs(accomplice, namesake, hostile))
				synctest.Wait()
			}
			next := w.numberedBase(12, week, entryFor(byList))
			next.ThisUpdate = ocsptest.UTCAt(now.Add(-time.Hour))
			w.net.serve(url, soon(encode(t, next)))
			w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 14, now, week, entryFor(byDelta)))))
			for range 3 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
			}
			w.says(t, checker, byList, isRevoked, nil)
			w.says(t, checker, byDelta, isRevoked, nil)
		})
	}
}

// finding K218: a list in a file that arrived while its signer's certificate was on hold was never read again, so
// that after the hold clients were good that it revokes, and then all were refused, until the file changed.
func TestListSigner_AListThatArrivesDuringAHoldCountsAfterIt(t *testing.T) {
	inBubble(t, "in a file", func(t *testing.T) {
		w := otherSigns(t)
		file, about, accused := filepath.Join(w.dir, "clients.crl"), w.issue(t, "bare", noResponder, noPoints), w.issue(t, "accused", noResponder, noPoints)
		checker := w.checker(t, sources(revocation.CRLOnly), func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{File: file}}, certs(w.ca, w.signer)
		})
		goesOn := func(number int64, entries ...ocsptest.Entry) {
			l := w.numberedBase(number, now.Add(7*day), entries...)
			l.ThisUpdate = ocsptest.UTCAt(w.clock.now())
			w.net.serve(rootsURL, soon(w.ofRoot(t, l)))
			for range 3 {
				w.clock.advance(10 * time.Minute)
				_, _ = checker.CheckChain(t.Context(), w.chain(about))
				synctest.Wait()
			}
		}
		goesOn(10)
		w.says(t, checker, about, isGood, nil)
		goesOn(11, entryFor(w.signer, ocsptest.ReasonCode(onHold)))
		w.says(t, checker, about, isUnavailable, revocation.ErrCRLIssuer)
		next := w.signedBy(w.signer, entryFor(accused))
		next.Extensions[1], next.ThisUpdate = ocsptest.CRLNumber(8), ocsptest.UTCAt(w.clock.now())
		write(t, file, encode(t, next))
		goesOn(12, entryFor(w.signer, ocsptest.ReasonCode(onHold)))
		goesOn(13)
		w.says(t, checker, about, isGood, nil)
		w.says(t, checker, accused, isRevoked, nil)
	})
}

// finding K224: since K198 a permanent revocation that was learned through one of two chains was not known for the
// other one, if the root of that has the name of the CA, as after a change of the root's key. In an outage
// SoftFail accepted the client by the other chain.
func TestChecker_ARevocationCountsInBothChainsAfterAChangeOfTheRootsKey(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"by OCSP": ocspOnly, "by a list": crlOnly} {
		for _, first := range []string{"the other chain is unknown", "the other chain is known"} {
			inBubble(t, name+", "+first, func(t *testing.T) {
				w := wire(t)
				next := makeCert(t, "Clients CA", newKey(t), nil, asCA)
				chain := certs(w.client, makeCert(t, "Clients CA", w.ca.key, next, asCA), next)
				checker := w.checker(t, config, softFail, leafOnly)
				if first == "the other chain is known" {
					found, err := checker.CheckChain(t.Context(), chain)
					require.NoError(t, err)
					require.Equal(t, isGood.String(), found.Status.String())
				}
				w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
				w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(7*day), entryFor(w.client)))))
				w.says(t, checker, w.client, isRevoked, nil)
				w.outage()
				w.clock.advance(30 * day)
				found, err := checker.CheckChain(t.Context(), chain)
				require.NoError(t, err)
				assert.Equal(t, isRevoked.String(), found.Status.String())
			})
		}
	}
}

// finding K225: if the first chain that led to the signer of a CA's lists had an anchor with the name of the CA above,
// lists that were fetched for other chains did not revoke the signer, and its lists made clients good.
func TestListSigner_AListFetchedForAnotherChainRevokesTheSigner(t *testing.T) {
	inBubble(t, "the anchor of the first chain has the name of the root", func(t *testing.T) {
		w := otherSigns(t)
		next := makeCert(t, "Root", newKey(t), nil, asCA)
		chain := certs(w.issue(t, "first", noResponder), w.ca, makeCert(t, "Root", w.root.key, next, asCA), next)
		w.net.serve(crlURL, body(encode(t, w.signedBy(w.signer))))
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		checker := w.fetched(t, softFail)
		_, _ = checker.CheckChain(t.Context(), chain)
		synctest.Wait()
		w.revokes(t, w.signedBy(w.signer))
		for range 2 {
			_, _ = checker.CheckChain(t.Context(), w.chain(w.about)) // fetches the root's list
			synctest.Wait()
			w.clock.advance(2 * time.Minute)
		}
		w.says(t, checker, w.about, isWaived, nil)
	})
}

// finding K226: as K140, for a list beside the current one: with the number that a key gave its list before it was
// revoked, that one kept out a list of the CA, so that a client whom this revokes was good.
func TestListSigner_AListByARevokedSignerKeepsNoListOutBesideTheCurrentOne(t *testing.T) {
	inBubble(t, "a number that no CA reaches", func(t *testing.T) {
		w, some := otherSigns(t), ocsptest.IssuingPoint(ocsptest.Reasons(ocsptest.Context(3), 1, 2))
		victim := w.issue(t, "victim", noResponder)
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		checker := w.fetched(t)
		serve := func(l ocsptest.List) {
			w.net.serve(crlURL, soon(encode(t, l)))
			for range 3 {
				w.says(t, checker, w.about, isGood, nil)
				w.clock.advance(2 * time.Minute)
			}
		}
		serve(w.numberedBase(9, now.Add(7*day)))
		forged := w.signedBy(w.signer)
		forged.Extensions[1], forged.ThisUpdate, forged.Entries = ocsptest.CRLNumber(1<<60), ocsptest.UTCAt(w.clock.now()), nil
		forged.Extensions = append(forged.Extensions, some)
		serve(forged)
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(11, now.Add(7*day), entryFor(w.signer)))))
		own := w.listAt(w.clock.now(), now.Add(7*day), entryFor(victim))
		own.Extensions = append(own.Extensions, some)
		serve(own)
		serve(own)
		w.says(t, checker, victim, isRevoked, nil)
	})
}
