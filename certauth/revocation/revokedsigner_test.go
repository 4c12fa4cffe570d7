package revocation_test

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K127: RFC 5280, section 6.3.3 (f): the path of a list's issuer is validated too, and that
// includes revocation (NIST PKITS 4.4.21). A list by a key whose certificate is revoked proves
// nothing, because somebody else may have that key.
func TestListSigner_AListIsRefusedOnceTheCertificateOfItsSignerIsRevoked(t *testing.T) {
	for _, c := range []struct {
		name  string
		entry func(signer *identity) []ocsptest.Entry // of the list of the CA that issued the signer's certificate
		want  certauth.RevocationStatus
	}{
		{"not listed", func(*identity) []ocsptest.Entry { return nil }, isGood},
		{"revoked", func(signer *identity) []ocsptest.Entry { return []ocsptest.Entry{entryFor(signer)} }, isUnavailable},
		{"on hold", func(signer *identity) []ocsptest.Entry {
			return []ocsptest.Entry{entryFor(signer, ocsptest.ReasonCode(6))}
		}, isUnavailable},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign))
			about, listed := w.issue(t, "client", noResponder), w.issue(t, "listed", noResponder)
			bySigner, byRoot := encode(t, w.signedBy(signer, entryFor(listed))), encode(t, w.rootList(c.entry(signer)...))

			dir := t.TempDir()
			write(t, filepath.Join(dir, "clients.crl"), bySigner)
			write(t, filepath.Join(dir, "root.crl"), encode(t, w.rootList()))
			checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Issuers = certs(w.ca, signer, w.root) })
			found, _ := checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, isGood.String(), found.Status.String(), "the signer is not revoked yet")
			write(t, filepath.Join(dir, "root.crl"), byRoot)
			w.clock.advance(2 * time.Minute)
			w.nudge(t, checker)
			found, err := checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "both in a directory")
			if c.want != isGood {
				assert.ErrorContains(t, err, "the certificate of the key that signed it is revoked")
			}
			found, _ = checker.CheckChain(t.Context(), w.chain(listed))
			assert.Equal(t, isRevoked.String(), found.Status.String(), "both in a directory: one more revocation lets nobody in")

			w.net.serve(crlURL, body(bySigner))
			w.net.serve(rootsURL, body(byRoot))
			checker = w.checker(t, sources(revocation.CRLOnly), func(c *revocation.Config) { c.Issuers = certs(signer) })
			found, _ = checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "both fetched")
			w.clock.advance(time.Second)
			found, err = checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "both in memory")
			if c.want != isGood {
				assert.ErrorContains(t, err, "the certificate of the key that signed it is revoked")
			}
			found, _ = checker.CheckChain(t.Context(), w.chain(listed))
			assert.Equal(t, isRevoked.String(), found.Status.String(), "both in memory: what the list says against a certificate counts")
		})
	}
}

// signedByOther is a CA whose lists another key signs, and a directory with such a list.
type signedByOther struct {
	*wired
	signer, about *identity
	dir           string
}

func otherSigns(t *testing.T) *signedByOther {
	t.Helper()
	w := &signedByOther{wired: wire(t), dir: t.TempDir()}
	w.signer, w.about = makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign)), w.issue(t, "about", noResponder)
	write(t, filepath.Join(w.dir, "clients.crl"), encode(t, w.signedBy(w.signer)))
	return w
}

func (w *signedByOther) ofRoot(t *testing.T, l ocsptest.List) []byte {
	t.Helper()
	l.Issuer, l.Key = w.root.cert.RawSubject, w.root.key
	l.Extensions[0] = ocsptest.AuthorityKeyID(w.root.cert.SubjectKeyId)
	return encode(t, l)
}

func (w *signedByOther) inDir(t *testing.T, changes ...func(*revocation.Config)) *revocation.Checker {
	t.Helper()
	return w.operated(t, revocation.List{Dir: w.dir}, append([]func(*revocation.Config){func(c *revocation.Config) { c.Issuers = certs(w.ca, w.signer, w.root) }}, changes...)...)
}

// finding K129: the certificate of the signer may be revoked, or its hold lifted, by a delta among Config.Lists,
// and be revoked by the newest list although that has expired, as any other certificate.
func TestListSigner_ADeltaRevokesTheSigner(t *testing.T) {
	inBubble(t, "it lifts a hold", func(t *testing.T) {
		w := otherSigns(t)
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer, ocsptest.ReasonCode(onHold)))))
		write(t, filepath.Join(w.dir, "root-delta.crl"), w.ofRoot(t, w.numberedDelta(10, 11, now.Add(-time.Hour), now.Add(day), entryFor(w.signer, ocsptest.ReasonCode(evidence.ReasonRemoveFromCRL)))))
		w.says(t, w.inDir(t), w.about, isGood, nil)
	})
	inBubble(t, "it revokes", func(t *testing.T) {
		w := otherSigns(t)
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day))))
		write(t, filepath.Join(w.dir, "root-delta.crl"), w.ofRoot(t, w.numberedDelta(10, 11, now.Add(-time.Hour), now.Add(day), entryFor(w.signer))))
		w.says(t, w.inDir(t), w.about, isUnavailable, revocation.ErrCRLIssuer)
	})
}

// A delta by the other key continues a list by that key, also for the certificates of the CA.
func TestListSigner_ADeltaByTheSignerCompletesItsList(t *testing.T) {
	inBubble(t, "in the directory", func(t *testing.T) {
		w := otherSigns(t)
		delta := w.numberedDelta(7, 8, now.Add(-time.Minute), now.Add(day), entryFor(w.about))
		delta.Key, delta.Extensions[0] = w.signer.key, ocsptest.AuthorityKeyID(w.signer.cert.SubjectKeyId)
		write(t, filepath.Join(w.dir, "delta.crl"), encode(t, delta))
		w.says(t, w.inDir(t), w.about, isRevoked, nil)
	})
}

func TestListSigner_AnExpiredListRevokesTheSigner(t *testing.T) {
	inBubble(t, "newer but expired", func(t *testing.T) {
		w := otherSigns(t)
		write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day))))
		newer := w.listAt(now.Add(-time.Hour), now.Add(-time.Minute-skew), entryFor(w.signer))
		newer.Extensions[1] = ocsptest.CRLNumber(11)
		write(t, filepath.Join(w.dir, "root-newer.crl"), w.ofRoot(t, newer))
		w.says(t, w.inDir(t), w.about, isUnavailable, revocation.ErrCRLIssuer)
	})
}

// finding K136: the CA above may sign its lists with another key, too.
func TestListSigner_AListByAnotherKeyOfTheCAAboveRevokesTheSigner(t *testing.T) {
	inBubble(t, "in the directory", func(t *testing.T) {
		w := otherSigns(t)
		ofRoot := makeCert(t, "Root", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign))
		list := w.rootList(entryFor(w.signer))
		list.Key, list.Extensions[0] = ofRoot.key, ocsptest.AuthorityKeyID(ofRoot.cert.SubjectKeyId)
		write(t, filepath.Join(w.dir, "root.crl"), encode(t, list))
		checker := w.inDir(t, func(c *revocation.Config) {
			c.Scope, c.Issuers = revocation.ChainExceptAnchor, append(c.Issuers, ofRoot.cert)
		})
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
	})
}

// finding K130: the request that brings the list of the CA above must not be answered by what was known before.
func TestListSigner_TheFirstRequestKnowsThatTheSignerIsRevoked(t *testing.T) {
	inBubble(t, "the root's list is fetched", func(t *testing.T) {
		w := otherSigns(t)
		w.net.serve(rootsURL, body(encode(t, w.rootList(entryFor(w.signer)))))
		checker := w.checker(t, sources(revocation.CRLOnly), func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{Dir: w.dir}}, certs(w.ca, w.signer)
		})
		bare := w.issue(t, "bare", noResponder, noPoints)
		assert.NoError(t, checker.Preload(t.Context()))
		w.says(t, checker, bare, isUnavailable, revocation.ErrCRLIssuer)
	})
}

// finding K131: a permanent revocation stays in effect when the list that contained it is gone (guarantee 2 of the
// package); here that is replaced, but it may also have been unloaded to make room.
func TestListSigner_APermanentRevocationOfTheSignerStays(t *testing.T) {
	for name, code := range map[string]byte{"permanent": 1, "hold": onHold} {
		inBubble(t, name, func(t *testing.T) {
			w := otherSigns(t)
			write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(10, now.Add(7*day), entryFor(w.signer, ocsptest.ReasonCode(code)))))
			checker := w.inDir(t)
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
			write(t, filepath.Join(w.dir, "root.crl"), w.ofRoot(t, w.numberedBase(11, now.Add(7*day))))
			w.clock.advance(2 * time.Minute)
			w.nudge(t, checker)
			if code == onHold {
				w.says(t, checker, w.about, isGood, nil)
				return
			}
			w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
		})
	}
}

// finding K132: a CA may have thousands of lists, of which one is for the certificate of the signer. For each of the
// others, and each certificate that was judged, an error was made.
func TestListSigner_ListsForOthersThanTheSignerCostNothing(t *testing.T) {
	inBubble(t, "shards", func(t *testing.T) {
		w := otherSigns(t)
		for i := range 200 {
			l := w.rootList()
			l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(uri(fmt.Sprintf("http://crl.example/%d.crl", i))))
			write(t, filepath.Join(w.dir, fmt.Sprint("r", i, ".crl")), encode(t, l))
		}
		checker := w.inDir(t)
		w.says(t, checker, w.about, isGood, nil)
		others := make([]*identity, 11)
		for i := range others {
			others[i] = w.issue(t, fmt.Sprint("other ", i), noResponder)
		}
		asked := 0
		assert.Less(t, testing.AllocsPerRun(len(others)-1, func() {
			_, err := checker.CheckChain(t.Context(), w.chain(others[asked]))
			assert.NoError(t, err)
			asked++
		}), 200.0)
	})
}

// finding K134: one more revocation, here of the signer, lets nobody in: what its newest list says for good counts
// against a certificate although the list has expired, as long as an older one is in its place.
func TestListSigner_TheExpiredListOfARevokedSignerAccuses(t *testing.T) {
	for name, entries := range map[string]func(*signedByOther) []ocsptest.Entry{
		"the signer is good":    func(*signedByOther) []ocsptest.Entry { return nil },
		"the signer is revoked": func(w *signedByOther) []ocsptest.Entry { return []ocsptest.Entry{entryFor(w.signer)} },
	} {
		inBubble(t, name, func(t *testing.T) {
			w := otherSigns(t)
			newer := w.signedBy(w.signer, entryFor(w.about))
			newer.ThisUpdate, newer.NextUpdate = ocsptest.UTCAt(now.Add(-30*time.Minute)), ocsptest.UTCAt(now.Add(-time.Minute-skew))
			newer.Extensions[1] = ocsptest.CRLNumber(8)
			write(t, filepath.Join(w.dir, "newer.crl"), encode(t, newer))
			write(t, filepath.Join(w.dir, "root.crl"), encode(t, w.rootList(entries(w)...)))
			checker := w.inDir(t, softFail)
			found, err := checker.CheckChain(t.Context(), w.chain(w.about))
			assert.Error(t, err)
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		})
	}
}
