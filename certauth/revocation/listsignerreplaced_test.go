package revocation_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// soon serves a list that its server wants to be fetched again after a minute.
func soon(der []byte) handler {
	return func(context.Context, revocation.Request) (revocation.Response, error) {
		return revocation.Response{Body: der, MaxAge: time.Minute}, nil
	}
}

// fetched returns a Checker that fetches the CA's list, and may accept one by the other key.
func (w *signedByOther) fetched(t *testing.T, changes ...func(*revocation.Config)) *revocation.Checker {
	t.Helper()
	return w.checker(t, append([]func(*revocation.Config){sources(revocation.CRLOnly), func(c *revocation.Config) { c.Issuers = certs(w.signer) }}, changes...)...)
}

// revokes publishes a list of the root that revokes the other key's certificate, and one of the CA.
func (w *signedByOther) revokes(t *testing.T, own ocsptest.List) {
	t.Helper()
	w.net.serve(crlURL, body(encode(t, own)))
	w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(11, now.Add(7*day), entryFor(w.signer)))))
	w.clock.advance(2 * time.Minute)
}

// finding K139: a CA whose list signer is revoked publishes a list by another key. Those that have the last
// list of the revoked key in memory, or in the Store, were refused until that list was due for renewal.
func TestListSigner_AListByARevokedSignerIsFetchedAgain(t *testing.T) {
	for name, restart := range map[string]bool{"in memory": false, "in the Store, after a restart": true} {
		inBubble(t, name, func(t *testing.T) {
			w, kept := otherSigns(t), newShelf()
			w.net.serve(crlURL, body(encode(t, w.signedBy(w.signer))))
			w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
			checker := w.fetched(t, stored(kept))
			w.says(t, checker, w.about, isGood, nil)
			w.revokes(t, w.listAt(now.Add(time.Minute), now.Add(7*day)))
			if restart {
				checker = w.fetched(t, stored(kept))
			}
			_, _ = checker.CheckChain(t.Context(), w.chain(w.about)) // fetches the root's list
			synctest.Wait()
			w.clock.advance(2 * time.Minute)
			w.says(t, checker, w.about, isGood, nil)
		})
	}
}

// finding K140: whoever has the revoked key chose the number of the last list, and that kept out the list by
// which the CA replaced it.
func TestListSigner_AListByARevokedSignerKeepsNoListOut(t *testing.T) {
	inBubble(t, "a number that no CA reaches", func(t *testing.T) {
		w := otherSigns(t)
		accused := w.issue(t, "accused", noResponder)
		forged := w.signedBy(w.signer, entryFor(accused))
		forged.Extensions[1], forged.ThisUpdate = ocsptest.CRLNumber(1<<60), ocsptest.UTCAt(now.Add(skew))
		w.net.serve(crlURL, soon(encode(t, forged)))
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		checker := w.fetched(t)
		w.says(t, checker, w.about, isGood, nil)
		w.revokes(t, w.listAt(now.Add(time.Minute), now.Add(7*day), entryFor(w.other)))
		_, _ = checker.CheckChain(t.Context(), w.chain(w.about)) // fetches the root's list
		synctest.Wait()
		w.clock.advance(2 * time.Minute)
		w.says(t, checker, w.about, isGood, nil)
		w.says(t, checker, w.other, isRevoked, nil)
		w.says(t, checker, accused, isRevoked, nil) // one more revocation lets nobody in
	})
}

// finding K141: a list by a revoked key, from the Store or from somebody on the network path, took the place of
// the CA's own list, so that clients were refused that this one proves good.
func TestListSigner_AListByARevokedSignerReplacesNone(t *testing.T) {
	for name, inStore := range map[string]bool{"from the network": false, "from the Store": true} {
		inBubble(t, name, func(t *testing.T) {
			w, kept := otherSigns(t), newShelf()
			w.net.serve(crlURL, soon(encode(t, w.list(entryFor(w.other)))))
			w.net.serve(rootsURL, body(encode(t, w.rootList(entryFor(w.signer)))))
			checker := w.fetched(t, stored(kept))
			w.says(t, checker, w.about, isGood, nil)
			forged := w.signedBy(w.signer)
			forged.Extensions[1], forged.ThisUpdate = ocsptest.CRLNumber(1<<60), ocsptest.UTCAt(now.Add(time.Minute))
			w.net.serve(crlURL, soon(encode(t, forged)))
			if inStore {
				kept.all(encode(t, forged))
				w.net.serve(crlURL, failing(revocation.ErrTransport))
			}
			for range 2 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.about, isGood, nil)
			}
			w.says(t, checker, w.other, isRevoked, nil)
		})
	}
}

// finding K139, for a list among Config.Lists.
func TestListSigner_AConfiguredListByARevokedSignerIsFetchedAgain(t *testing.T) {
	inBubble(t, "at a URL", func(t *testing.T) {
		w := otherSigns(t)
		w.net.serve(configuredURL, body(encode(t, w.signedBy(w.signer))))
		w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		checker := w.checker(t, sources(revocation.CRLOnly), func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}}, certs(w.ca, w.signer)
		})
		bare := w.issue(t, "bare", noResponder, noPoints)
		w.says(t, checker, bare, isGood, nil)
		w.net.serve(configuredURL, body(encode(t, w.listAt(now.Add(time.Minute), now.Add(7*day)))))
		w.revokes(t, w.list())
		for range 3 {
			_, _ = checker.CheckChain(t.Context(), w.chain(bare)) // fetches the root's list
			synctest.Wait()
			w.clock.advance(2 * time.Minute)
		}
		w.says(t, checker, bare, isGood, nil)
	})
}

// finding K142: while a configured list has never been read, the list of a revoked signer, which proves nothing,
// counted as the one that the operator has for the certificate.
func TestListSigner_AListByARevokedSignerIsNotTheListToWaitFor(t *testing.T) {
	inBubble(t, "the CA's own list hangs", func(t *testing.T) {
		w := otherSigns(t)
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer))))
		w.net.serve(configuredURL, hanging)
		checker := w.checker(t, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{Dir: w.dir}, {URL: configuredURL}}, certs(w.ca, w.signer, w.root)
		})
		w.says(t, checker, w.issue(t, "by OCSP", noPoints), isUnavailable, revocation.ErrNotReady)
	})
}

// finding K199: a list by the revoked key replaced one that the key had signed before, and what that one says against
// a client was forgotten: SoftFail accepted the client, and an older list of the CA made it good.
func TestListSigner_AListByARevokedSignerReplacesNoneThatAccuses(t *testing.T) {
	const mirrorURL = "http://mirror.internal.example/ca.crl"
	for name, urls := range map[string][]string{"at a distribution point": nil, "at a URL": {configuredURL}, "at another URL": {configuredURL, mirrorURL}} {
		inBubble(t, name, func(t *testing.T) {
			w, forgedAt := otherSigns(t), crlURL
			about, accused := w.about, w.issue(t, "accused", noResponder)
			changes := []func(*revocation.Config){sources(revocation.CRLOnly), softFail, func(c *revocation.Config) {
				c.Issuers = certs(w.ca, w.signer)
				for _, url := range urls {
					c.Lists, forgedAt = append(c.Lists, revocation.List{URL: url}), url
				}
			}}
			if urls != nil {
				about, accused = w.issue(t, "bare", noResponder, noPoints), w.issue(t, "accused", noResponder, noPoints)
			}
			honest := soon(encode(t, w.signedBy(w.signer, entryFor(accused))))
			for _, url := range append(urls, crlURL) {
				w.net.serve(url, honest)
			}
			w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
			checker := w.checker(t, changes...)
			w.says(t, checker, about, isGood, nil)
			w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(11, now.Add(7*day), entryFor(w.signer)))))
			for range 3 {
				w.clock.advance(2 * time.Minute)
				_, _ = checker.CheckChain(t.Context(), w.chain(about)) // fetches the root's list
				synctest.Wait()
			}
			forged := w.signedBy(w.signer)
			forged.Extensions[1], forged.ThisUpdate = ocsptest.CRLNumber(1<<60), ocsptest.UTCAt(now.Add(time.Minute))
			w.net.serve(forgedAt, soon(encode(t, forged)))
			for range 3 {
				w.clock.advance(2 * time.Minute)
				_, _ = checker.CheckChain(t.Context(), w.chain(about))
				synctest.Wait()
			}
			w.says(t, checker, accused, isRevoked, nil)
		})
	}
}

// finding K199, for deltas.
func TestListSigner_ADeltaByARevokedSignerReplacesNoneThatAccuses(t *testing.T) {
	for name, c := range map[string]struct{ inFile, among bool }{
		"that is fetched for a list at a URL": {false, false}, "that is fetched for a list in a file": {true, false}, "among Config.Lists": {false, true},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := otherSigns(t)
			accused, week := w.issue(t, "accused", noResponder, noPoints), now.Add(7*day)
			about := w.issue(t, "bare", noResponder, noPoints)
			bySigner := func(l ocsptest.List) []byte {
				l.Key, l.Extensions[0] = w.signer.key, ocsptest.AuthorityKeyID(w.signer.cert.SubjectKeyId)
				return encode(t, l)
			}
			lists := []revocation.List{{URL: configuredURL}}
			w.net.serve(configuredURL, soon(bySigner(w.numberedBase(10, week))))
			if c.inFile {
				lists = []revocation.List{{File: fileOf(t, bySigner(w.numberedBase(10, week)))}}
			}
			if c.among {
				lists = append(lists, revocation.List{URL: deltaURL})
			}
			w.net.serve(deltaURL, soon(bySigner(w.numberedDelta(10, 11, now.Add(-time.Hour), week, entryFor(accused)))))
			w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(10, week))))
			checker := w.checker(t, sources(revocation.CRLOnly), softFail, func(config *revocation.Config) {
				config.Lists, config.Issuers, config.IgnoreDeltas = lists, certs(w.ca, w.signer), c.among
			})
			w.says(t, checker, about, isGood, nil)
			w.net.serve(rootsURL, soon(w.ofRoot(t, w.numberedBase(11, week, entryFor(w.signer)))))
			for range 6 {
				w.clock.advance(2 * time.Minute)
				_ = checker.Refresh(t.Context())
				_, _ = checker.CheckChain(t.Context(), w.chain(about))
				synctest.Wait()
				w.net.serve(deltaURL, soon(bySigner(w.numberedDelta(9, 1<<60, now.Add(time.Minute), week))))
			}
			w.says(t, checker, accused, isRevoked, nil)
		})
	}
}
