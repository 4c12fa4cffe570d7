package revocation_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding C9: a list that names delta CRLs only at addresses that cannot be fetched counted as
// complete, and so did one for a certificate that names them in this way.
func TestChecker_DeltaThatCannotBeFetchedIsMissing(t *testing.T) {
	name := newScene(t).root.cert.RawSubject
	named := func(names ...[]byte) ocsptest.Extension {
		return ocsptest.FreshestCRL(ocsptest.Point(ocsptest.FullName(names...)))
	}
	for _, c := range []struct {
		name   string
		named  []ocsptest.Extension
		missed bool
	}{
		{"no delta is named", nil, false},
		{"by ldap alone", []ocsptest.Extension{named(ocsptest.URI(ldapURL))}, true},
		{"by a directory name alone", []ocsptest.Extension{named(directory(name))}, true},
		{"by ftp and ldap", []ocsptest.Extension{named(ocsptest.URI("ftp://pki.example/d.crl"), ocsptest.URI(ldapURL))}, true},
		{"by a URL with a raw space", []ocsptest.Extension{named(ocsptest.URI("http://pki.example/the delta.crl"))}, true},
		{"of another CRL issuer alone", []ocsptest.Extension{ocsptest.FreshestCRL(ocsptest.Point(ocsptest.Element(ocsptest.Explicit(2), directory(name))))}, true},
		{"by what cannot be read", []ocsptest.Extension{{OID: ocsptest.OIDFreshestCRL, Value: []byte{5, 0}}}, true},
		{"by http, which is down", []ocsptest.Extension{freshest(deltaURL)}, true},
	} {
		for _, inList := range []bool{true, false} {
			where := "the list"
			if !inList {
				where = "the certificate"
			}
			t.Run(c.name+", in "+where, func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					w := wire(t)
					var log lines
					l, client := w.list(), w.client
					if inList {
						l.Extensions = append(l.Extensions, c.named...)
					} else {
						for _, e := range c.named {
							client = w.issue(t, "client", extra(e))
						}
					}
					der := encode(t, l)
					w.net.serve(crlURL, body(der))
					w.net.serve(deltaURL, failing(revocation.ErrTransport))
					checker := w.checker(t, crlOnly, logging(&log))
					assert.Equal(t, c.missed, w.findingOf(t, checker, client).DeltaMissing, "the Checker")
					assert.Equal(t, c.missed, w.findingOf(t, checker, client).DeltaMissing, "and again")
					if c.missed && !strings.Contains(c.name, "down") {
						assert.Contains(t, log.text(), "delta CRLs that cannot be fetched")
					}
					result, err := revocation.VerifyCRL(der, client.cert, w.ca.cert, at(now))
					require.NoError(t, err)
					assert.Equal(t, c.missed, result.DeltaMissing, "the functions")
					without := w.checker(t, crlOnly, func(config *revocation.Config) { config.IgnoreDeltas = true })
					assert.False(t, w.findingOf(t, without, client).DeltaMissing, "they were not requested")
				})
			})
		}
	}
}

// finding C9: a delta among the operator's lists was ignored, and this was not reported.
func TestChecker_DeltaAmongTheOperatorsLists(t *testing.T) {
	week := now.Add(7 * day)
	hold, remove := ocsptest.ReasonCode(onHold), ocsptest.ReasonCode(evidence.ReasonRemoveFromCRL)
	forged := func(l ocsptest.List, by *identity) ocsptest.List {
		l.Key = by.key
		return l
	}
	for _, c := range []struct {
		name    string
		base    func(*wired) ocsptest.List
		delta   func(*wired) ocsptest.List
		want    certauth.RevocationStatus
		missing bool
		says    string
	}{
		{
			"it revokes", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List { return w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client)) }, isRevoked, false, "",
		},
		{
			"it names somebody else", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List { return w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.other)) }, isGood, false, "",
		},
		{
			"it lifts a hold", func(w *wired) ocsptest.List { return w.numberedBase(10, week, entryFor(w.client, hold)) },
			func(w *wired) ocsptest.List {
				return w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client, remove))
			}, isGood, false, "",
		},
		{
			"the list knows all of it", func(w *wired) ocsptest.List { return w.numberedBase(11, week) },
			func(w *wired) ocsptest.List { return w.numberedDelta(10, 11, now, now.Add(day)) }, isGood, false, "",
		},
		{
			"it has run out", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List { return w.numberedDelta(10, 11, now.Add(-2*day), now.Add(-day)) }, isGood, true, "",
		},
		{
			"it has run out, and revokes", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List {
				return w.numberedDelta(10, 11, now.Add(-2*day), now.Add(-day), entryFor(w.client))
			}, isUnavailable, false, "",
		},
		{
			"it continues a later list", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List { return w.numberedDelta(11, 12, now, now.Add(day), entryFor(w.client)) }, isGood, true, "continues none",
		},
		{
			"it is forged", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List {
				return forged(w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client)), w.other)
			}, isGood, true, "bad signature",
		},
		{
			"it is of tomorrow", func(w *wired) ocsptest.List { return w.numberedBase(10, week) },
			func(w *wired) ocsptest.List { return w.numberedDelta(10, 11, now.Add(day), week, entryFor(w.client)) }, isGood, true, "lies ahead",
		},
	} {
		sources := map[string]func(*testing.T, *wired, []byte, []byte) func(*revocation.Config){
			"in one directory": func(t *testing.T, _ *wired, base, delta []byte) func(*revocation.Config) {
				dir := t.TempDir()
				write(t, filepath.Join(dir, "base.crl"), base)
				write(t, filepath.Join(dir, "base+.crl"), delta)
				return func(config *revocation.Config) { config.Lists = []revocation.List{{Dir: dir}} }
			},
			"in two files, the delta first": func(t *testing.T, _ *wired, base, delta []byte) func(*revocation.Config) {
				return func(config *revocation.Config) {
					config.Lists = []revocation.List{{File: fileOf(t, delta)}, {File: fileOf(t, base)}}
				}
			},
			"at two URLs": func(_ *testing.T, w *wired, base, delta []byte) func(*revocation.Config) {
				w.net.serve("http://a.example/base.crl", body(base))
				w.net.serve("http://a.example/delta.crl", body(delta))
				return func(config *revocation.Config) {
					config.Lists = []revocation.List{{URL: "http://a.example/base.crl"}, {URL: "http://a.example/delta.crl"}}
				}
			},
		}
		for where, lists := range sources {
			inBubble(t, c.name+", "+where, func(t *testing.T) {
				w := wire(t)
				var log lines
				checker := w.checker(t, crlOnly, logging(&log), lists(t, w, encode(t, c.base(w)), encode(t, c.delta(w))), func(config *revocation.Config) {
					config.Issuers, config.IgnoreCertificateURLs = certs(w.root, w.ca), true
				})
				all, err := checker.Check(t.Context(), w.chain(w.client))
				assert.Equal(t, c.want.String(), all.Revocation.Status.String(), "%v", err)
				assert.Equal(t, c.missing, all.Certificates[0].Result.DeltaMissing)
				w.clock.advance(2 * time.Minute)
				w.nudge(t, checker) // reads again, and says nothing twice
				if c.says == "continues none" {
					assert.Equal(t, 1, strings.Count(log.text(), c.says))
					return
				}
				assert.Contains(t, log.text(), c.says)
				assert.NotContains(t, log.text(), "continues none")
			})
		}
	}
	inBubble(t, "it completes the list that the certificate names", func(t *testing.T) {
		w := wire(t)
		l := w.numberedBase(10, week)
		l.Extensions = append(l.Extensions[:2], ocsptest.FreshestCRL(ocsptest.Point(uri(ldapURL))))
		w.net.serve(crlURL, body(encode(t, l)))
		path := fileOf(t, encode(t, w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.other))))
		checker := w.checker(t, crlOnly, func(config *revocation.Config) {
			config.Lists, config.Issuers = []revocation.List{{File: path}}, certs(w.ca)
		})
		w.says(t, checker, w.other, isRevoked, nil)
		assert.False(t, w.findingOf(t, checker, w.client).DeltaMissing)
	})
	inBubble(t, "it is read again when it changes, and counts after it is gone until it runs out", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "delta.crl")
		write(t, filepath.Join(dir, "base.crl"), encode(t, w.numberedBase(10, week)))
		write(t, path, encode(t, w.numberedDelta(10, 11, now, now.Add(day))))
		checker := w.operated(t, revocation.List{Dir: dir})
		w.says(t, checker, w.client, isGood, nil)
		require.NoError(t, checker.Ready())
		unasked := w.issue(t, "unasked")
		write(t, path, encode(t, w.numberedDelta(10, 12, now.Add(time.Minute), now.Add(day), entryFor(w.other), entryFor(unasked))))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.other, isRevoked, nil)
		require.NoError(t, os.Remove(path))
		w.clock.advance(time.Minute)
		w.nudge(t, checker)
		assert.False(t, w.findingOf(t, checker, w.client).DeltaMissing)
		require.NoError(t, checker.Ready())
		w.clock.advance(2 * day)
		w.nudge(t, checker)
		w.nudge(t, checker)
		assert.True(t, w.findingOf(t, checker, w.client).DeltaMissing)
		w.says(t, checker, w.other, isRevoked, nil)
		w.says(t, checker, unasked, isGood, nil)
	})
	inBubble(t, "Ready ends with it", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "base.crl"), encode(t, w.numberedBase(10, week)))
		write(t, filepath.Join(dir, "delta.crl"), encode(t, w.numberedDelta(10, 11, now, now.Add(day))))
		checker := w.operated(t, revocation.List{Dir: dir})
		require.NoError(t, checker.Preload(t.Context()))
		require.NoError(t, checker.Ready())
		w.clock.advance(2 * day)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
	})
	inBubble(t, "a base that takes the place of a delta in its file", func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "a.crl")
		write(t, path, encode(t, w.numberedDelta(10, 11, now, now.Add(day), entryFor(w.client))))
		checker := w.operated(t, revocation.List{File: path})
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNoSource)
		write(t, path, encode(t, w.numberedBase(10, week)))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// finding K148: a delta by a revoked key with a number that no CA reaches kept out each delta that the CA signed
// with another key and put in the same place.
func TestListSigner_ADeltaByAnotherKeyKeepsNoDeltaOut(t *testing.T) {
	inBubble(t, "in a file", func(t *testing.T) {
		w := otherSigns(t)
		path := filepath.Join(w.dir, "delta.crl")
		write(t, filepath.Join(w.dir, "own.crl"), encode(t, w.numberedBase(10, now.Add(7*day))))
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer))))
		forged := w.numberedDelta(10, 1<<60, now.Add(-time.Hour), now.Add(day))
		forged.Key, forged.Extensions[0] = w.signer.key, ocsptest.AuthorityKeyID(w.signer.cert.SubjectKeyId)
		write(t, path, encode(t, forged))
		checker := w.inDir(t)
		w.says(t, checker, w.about, isGood, nil)
		write(t, path, encode(t, w.numberedDelta(10, 11, now.Add(-time.Minute), now.Add(day), entryFor(w.about))))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.about, isRevoked, nil)
	})
}

// finding K151: a delta that has expired kept out one with a lower number, as a CA makes them that was restored from
// a backup. For complete lists it does not.
func TestChecker_AnExpiredConfiguredDeltaKeepsNoneOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		path := filepath.Join(dir, "delta.crl")
		write(t, filepath.Join(dir, "base.crl"), encode(t, w.numberedBase(10, now.Add(7*day))))
		write(t, path, encode(t, w.numberedDelta(10, 50, now.Add(-time.Hour), now.Add(time.Hour))))
		checker := w.operated(t, revocation.List{Dir: dir})
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(2 * time.Hour)
		write(t, path, encode(t, w.numberedDelta(10, 11, w.clock.now(), now.Add(day), entryFor(w.client))))
		w.nudge(t, checker)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// finding K154: a delta that calls a client revoked was ignored if the list that it continues had expired and an older
// one, which has not, was in its place.
func TestChecker_ADeltaOfAnExpiredListAccuses(t *testing.T) {
	for name, list := range map[string]int64{"of the newer list, which has expired": 11, "of a later list, which is not there": 13} {
		inBubble(t, name, func(t *testing.T) {
			w, dir := wire(t), t.TempDir()
			write(t, filepath.Join(dir, "0.crl"), encode(t, w.numberedBase(10, now.Add(7*day))))
			newer := w.numberedBase(11, now.Add(-skew-time.Minute))
			newer.ThisUpdate = ocsptest.UTCAt(now.Add(-time.Hour))
			write(t, filepath.Join(dir, "1.crl"), encode(t, newer))
			write(t, filepath.Join(dir, "delta.crl"), encode(t, w.numberedDelta(list, 14, now.Add(-time.Minute), now.Add(day), entryFor(w.client))))
			checker := w.operated(t, revocation.List{Dir: dir}, softFail)
			w.says(t, checker, w.issue(t, "another"), isGood, nil)
			if list == 11 {
				w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
				return
			}
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}
