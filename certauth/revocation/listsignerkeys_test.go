package revocation_test

import (
	"crypto/x509"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K231: a list by one key of a CA with a high number, such as one that somebody else has signed with a stolen
// key, kept out the lists by the CA's other keys as long as its key was not known to be revoked, also after it was
// unloaded, so that clients were good whom these revoke.
func TestListSigner_AListByAnotherKeyKeepsNoListOut(t *testing.T) {
	inBubble(t, "a number that no CA reaches", func(t *testing.T) {
		w := otherSigns(t)
		victim := w.issue(t, "victim", noResponder)
		w.net.serve(rootsURL, body(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		forged := w.signedBy(w.signer)
		forged.Extensions[1] = ocsptest.CRLNumber(1 << 60)
		checker := w.fetched(t)
		w.arrives(t, checker, encode(t, forged))
		w.arrives(t, checker, encode(t, w.list(entryFor(victim))))
		w.says(t, checker, victim, isRevoked, nil)
	})
}

// finding K232: a list by another key of a CA replaced the one by the key that had issued the certificates, so that a
// client whom this one revokes was good. A CA may keep a list for each of its keys.
func TestListSigner_AListByAnotherKeyReplacesNone(t *testing.T) {
	inBubble(t, "at a distribution point", func(t *testing.T) {
		w := otherSigns(t)
		victim := w.issue(t, "victim", noResponder)
		w.net.serve(rootsURL, body(w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))))
		checker := w.fetched(t)
		w.arrives(t, checker, encode(t, w.list(entryFor(victim))))
		byOther := w.signedBy(w.signer)
		byOther.ThisUpdate = ocsptest.UTCAt(w.clock.now())
		w.arrives(t, checker, encode(t, byOther))
		w.says(t, checker, victim, isRevoked, nil)
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
	})
}

// finding K233: as K232, for a key of Verify.CRLIssuers; and if the certificate of that key had expired, SoftFail
// accepted a client whom the replaced list, which had expired, too, called revoked.
func TestListSigner_AListByAConfiguredKeyReplacesNone(t *testing.T) {
	scene := func(t *testing.T, ends, last time.Time, changes ...func(*revocation.Config)) (*wired, *identity, *revocation.Checker) {
		t.Helper()
		w := wire(t)
		signer := makeCert(t, "Clients CA", newKey(t), nil, asCA, keyUsage(x509.KeyUsageCRLSign), valid(now.Add(-100*day), ends))
		victim := w.issue(t, "victim", noResponder)
		checker := w.checker(t, append(changes, crlOnly, func(c *revocation.Config) { c.Verify.CRLIssuers = certs(signer) })...)
		w.arrives(t, checker, encode(t, w.listAt(now.Add(-time.Hour), last, entryFor(victim))))
		w.clock.advance(2 * time.Hour)
		byOther := w.signedBy(signer)
		byOther.Extensions[1], byOther.ThisUpdate = ocsptest.CRLNumber(1<<60), ocsptest.UTCAt(now.Add(-2*time.Minute))
		w.arrives(t, checker, encode(t, byOther))
		return w, victim, checker
	}
	inBubble(t, "current", func(t *testing.T) {
		w, victim, checker := scene(t, now.Add(365*day), now.Add(7*day))
		w.says(t, checker, victim, isRevoked, nil)
	})
	inBubble(t, "expired", func(t *testing.T) {
		w, victim, checker := scene(t, now.Add(-time.Minute), now.Add(time.Hour), softFail)
		_, err := checker.CheckChain(t.Context(), w.chain(victim))
		assert.ErrorContains(t, err, "expired evidence said revoked")
	})
}

// finding K236: what the anchor of another partner, with the name of the CA above, says against the signer of lists counted
// if it arrived beside a list of that CA, so that all clients of the CA were refused.
func TestListSigner_AnotherPartnerRevokesNoSignerBesideTheCurrentList(t *testing.T) {
	inBubble(t, "at the distribution point of the CA above", func(t *testing.T) {
		w := otherSigns(t)
		hostile := makeCert(t, "Root", newKey(t), nil, asCA)
		chain := certs(w.issue(t, "accomplice", noResponder), w.ca, makeCert(t, "Root", w.root.key, hostile, asCA), hostile)
		w.net.serve(crlURL, soon(encode(t, w.signedBy(w.signer))))
		own := w.ofRoot(t, w.numberedBase(10, now.Add(7*day)))
		forged := w.numberedBase(11, now.Add(7*day), entryFor(w.signer))
		forged.Issuer, forged.Key = hostile.cert.RawSubject, hostile.key
		forged.Extensions = append(forged.Extensions[:2], ocsptest.IssuingPoint(ocsptest.Reasons(ocsptest.Context(3), 1, 2)))
		forged.Extensions[0] = ocsptest.AuthorityKeyID(hostile.cert.SubjectKeyId)
		checker := w.fetched(t)
		w.net.serve(rootsURL, soon(own))
		w.says(t, checker, w.about, isGood, nil)
		for _, der := range [][]byte{own, encode(t, forged)} {
			w.net.serve(rootsURL, soon(der))
			for range 3 {
				_, _ = checker.CheckChain(t.Context(), chain)
				synctest.Wait()
				w.clock.advance(2 * time.Minute)
			}
		}
		w.net.serve(rootsURL, soon(own))
		w.says(t, checker, w.issue(t, "honest", noResponder), isGood, nil)
	})
}
