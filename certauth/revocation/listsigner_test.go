package revocation_test

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// signedBy returns the scene's list, signed by another certificate with the CA's name.
func (w *wired) signedBy(by *identity, entries ...ocsptest.Entry) ocsptest.List {
	l := w.list(entries...)
	l.Key = by.key
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(by.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
	return l
}

// finding C16: a list that the CA signs with a key other than that of its certificates was not
// found, although the self-issued certificate of that key was in Config.Issuers (RFC 5280, section
// 6.3.3 (f)).
func TestChecker_ListByAnotherKeyOfTheCA(t *testing.T) {
	listsAlone := keyUsage(x509.KeyUsageCRLSign)
	notCA := func(c *x509.Certificate) { c.IsCA = false }
	plain := func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 }
	over := valid(now.Add(-100*day), now.Add(-day))
	type kinOf func(*testing.T, *wired) *identity
	issuedBy := func(by func(*wired) *identity, name string, changes ...change) kinOf {
		return func(t *testing.T, w *wired) *identity {
			return makeCert(t, name, newKey(t), by(w), append([]change{asCA}, changes...)...)
		}
	}
	ca, root := func(w *wired) *identity { return w.ca }, func(w *wired) *identity { return w.root }
	stranger := func(*wired) *identity { return nil }
	const ours = "Clients CA"
	for _, c := range []struct {
		name   string
		signer kinOf
		want   certauth.RevocationStatus // the status of a certificate that the list does not name
	}{
		{"self-issued", issuedBy(ca, ours), isGood},
		{"self-issued, for lists alone", issuedBy(ca, ours, listsAlone), isGood},
		{"self-issued, for lists alone and no CA", issuedBy(ca, ours, listsAlone, notCA), isGood},
		{"self-issued in other spelling", issuedBy(ca, "clients  ca"), isGood},
		{"finding K126: self-issued, constrained to directory names (section 4.2.1.10: critical, and about certificates alone)", issuedBy(ca, ours, constrained), isGood},
		{"self-issued, with a critical extension that nobody knows", issuedBy(ca, ours, puzzling), isUnavailable},
		{"for lists alone, issued by the CA above", issuedBy(root, ours, listsAlone), isGood},
		{"issued by the CA above: another CA, for all that is known", issuedBy(root, ours), isUnavailable},
		{"self-issued, no CA and without key usage", issuedBy(ca, ours, plain), isUnavailable},
		{"self-issued, without the right to sign lists", issuedBy(ca, ours, keyUsage(x509.KeyUsageCertSign)), isUnavailable},
		{"self-issued, with a key usage that allows nothing", issuedBy(ca, ours, noUsage), isUnavailable},
		{"self-issued, run out", issuedBy(ca, ours, over), isUnavailable},
		{"of another name", issuedBy(ca, "Other CA"), isUnavailable},
		{"of our name, by itself", issuedBy(stranger, ours), isUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			signer := c.signer(t, w)
			list := w.signedBy(signer, entryFor(w.other))
			list.Issuer = signer.cert.RawSubject
			der := encode(t, list)
			good, revoked := w.issue(t, "good", unpointed), w.other
			for name, checker := range map[string]*revocation.Checker{
				"in a file, the CA configured as well": w.operated(t, revocation.List{File: fileOf(t, der)}, func(c *revocation.Config) { c.Issuers = certs(w.ca, signer) }),
				"in a file, its signer alone":          w.operated(t, revocation.List{File: fileOf(t, der)}, func(c *revocation.Config) { c.Issuers = certs(signer) }),
				"at a URL":                             w.operated(t, revocation.List{URL: crlURL}, func(c *revocation.Config) { c.Issuers = certs(signer, w.ca) }),
				"at the certificate's point": w.checker(t, leafOnly, sources(revocation.CRLOnly), func(c *revocation.Config) {
					c.Issuers = certs(signer)
				}),
			} {
				w.net.serve(crlURL, body(der))
				about := good
				if name == "at the certificate's point" {
					about = w.issue(t, "good", noResponder)
				}
				found, _ := checker.CheckChain(t.Context(), w.chain(about))
				assert.Equal(t, c.want.String(), found.Status.String(), name)
				found, _ = checker.CheckChain(t.Context(), w.chain(revoked))
				if c.want == isGood {
					assert.Equal(t, isRevoked.String(), found.Status.String(), name)
				} else {
					assert.Equal(t, isUnavailable.String(), found.Status.String(), name)
				}
			}
		})
	}
}

func fileOf(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.crl")
	write(t, path, content)
	return path
}

// noUsage is a keyUsage extension without any bit.
func noUsage(c *x509.Certificate) {
	c.KeyUsage = 0
	extra(ocsptest.Extension{OID: []int{2, 5, 29, 15}, Critical: true, Value: []byte{3, 1, 0}})(c)
}

// constrained adds critical name constraints that permit directory names below C=DE.
func constrained(c *x509.Certificate) {
	name := ocsptest.Element(ocsptest.TagSequence, directory([]byte("\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE")))
	permitted := ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.Explicit(0), name))
	extra(ocsptest.Extension{OID: []int{2, 5, 29, 30}, Critical: true, Value: permitted})(c)
}

// puzzling adds a critical extension that nobody knows.
func puzzling(c *x509.Certificate) {
	extra(ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}})(c)
}

// The CA's older certificate is above the newer one in the chain, and signs the lists.
func TestChecker_ListByTheOtherKeyInTheChain(t *testing.T) {
	w := wire(t)
	older := makeCert(t, "Clients CA", newKey(t), nil, asCA)
	newer := makeCert(t, "Clients CA", newKey(t), older, asCA, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{crlURL} })
	client := makeCert(t, "client", newKey(t), newer, asClient, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{crlURL} })
	chain := certs(client, newer, older)
	for name, c := range map[string]struct {
		list ocsptest.List
		want certauth.RevocationStatus
	}{
		"by the older key, nothing in it":     {w.signedBy(older), isGood},
		"by the older key, the client in it":  {w.signedBy(older, entryFor(client)), isRevoked},
		"by the older key, the newer CA":      {w.signedBy(older, entryFor(newer)), isRevoked},
		"by the newer key: not about itself":  {w.signedBy(newer), isUnavailable},
		"by the newer key, the client in it":  {w.signedBy(newer, entryFor(client)), isRevoked},
		"by another CA of the name":           {w.signedBy(makeCert(t, "Clients CA", newKey(t), nil, asCA)), isUnavailable},
		"by the certificate that is in doubt": {w.signedBy(client), isUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w.net.serve(crlURL, body(encode(t, c.list)))
			found, err := w.checker(t, sources(revocation.CRLOnly)).CheckChain(t.Context(), chain)
			assert.Equal(t, c.want.String(), found.Status.String(), "%v", err)
			whole, _ := w.checker(t, sources(revocation.CRLOnly)).Check(t.Context(), chain)
			assert.Equal(t, c.want.String(), whole.Revocation.Status.String())
		})
	}
}

// finding K50: a partner that certified another partner's CA, and a second certificate of that CA's name
// with a key of its own, could sign that CA's lists.
//
// finding K198: so could a partner whose root has the name of the other partner's CA.
func TestChecker_AnotherPartnerSignsNoLists(t *testing.T) {
	listsAlone := keyUsage(x509.KeyUsageCRLSign)
	for name, c := range map[string]struct {
		above   int // of the second certificate and the root, how many are above the CA
		changes []change
	}{
		"with a certificate above the CA":                      {2, nil},
		"with a certificate beside the CA, which is for lists": {0, []change{listsAlone}},
		"with the root": {1, nil},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			hostile := makeCert(t, "Hostile Root", newKey(t), nil, asCA)
			second := makeCert(t, "Clients CA", newKey(t), hostile, append([]change{asCA}, c.changes...)...)
			above := []*identity{hostile}
			switch c.above {
			case 1:
				second = makeCert(t, "Clients CA", newKey(t), nil, asCA)
				above = []*identity{second}
			case 2:
				above = []*identity{second, hostile}
			}
			copied := makeCert(t, "Clients CA", w.ca.key, above[0], asCA)
			forged := w.signedBy(second)
			forged.Entries = nil
			checker := w.checker(t, crlOnly)
			w.outage()
			accomplice := append([]*identity{w.issue(t, "accomplice"), copied}, above...)
			_, err := checker.CheckChain(presented.With(t.Context(), certs(second)), certs(accomplice...))
			require.Error(t, err)
			w.net.serve(crlURL, body(encode(t, forged))) // by whoever is on the path
			w.clock.advance(time.Minute)
			w.says(t, checker, w.other, isUnavailable, revocation.ErrBadSignature)
			w.net.serve(crlURL, body(encode(t, w.list())))
			w.clock.advance(time.Minute)
			w.says(t, checker, w.other, isRevoked, nil)
		})
	}
}

// finding K198, the other way round: what such a root says against another partner's clients counts only below it.
func TestChecker_AnotherPartnerRevokesNobody(t *testing.T) {
	inBubble(t, "whose root has the CA's name", func(t *testing.T) {
		w := wire(t)
		hostile := makeCert(t, "Clients CA", newKey(t), nil, asCA)
		copied := makeCert(t, "Clients CA", w.ca.key, hostile, asCA)
		checker := w.checker(t, crlOnly)
		w.net.serve(crlURL, body(encode(t, w.signedBy(hostile, entryFor(w.client)))))
		found, err := checker.CheckChain(t.Context(), certs(w.client, copied, hostile))
		require.NoError(t, err)
		require.Equal(t, isRevoked.String(), found.Status.String())
		w.net.serve(crlURL, body(encode(t, w.list())))
		w.says(t, checker, w.client, isGood, nil)
	})
}

// A CA that was renewed with a new key may have one list per key, and the newer list may lack
// entries of the older one.
func TestChecker_ListOfTheNewKeyClearsNothingThatTheOldKeysListIsFor(t *testing.T) {
	w := wire(t)
	link := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
	stale := w.listAt(now.Add(-9*day), now.Add(-day))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "0.crl"), encode(t, stale))
	write(t, filepath.Join(dir, "1.crl"), encode(t, w.signedBy(link, entryFor(w.other))))
	checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Issuers = certs(w.ca, link) })
	found, err := checker.CheckChain(t.Context(), w.chain(w.client))
	require.ErrorIs(t, err, revocation.ErrNotFresh)
	assert.Equal(t, isUnavailable.String(), found.Status.String())
	found, err = checker.CheckChain(t.Context(), w.chain(w.other))
	require.NoError(t, err)
	assert.Equal(t, isRevoked.String(), found.Status.String(), "what it says against a certificate counts")
}

// finding K45: when the list of the other key was read again, it displaced the list of the key that
// issued the certificates, and certificates that only the latter revokes were good. The list of a
// key in Verify.CRLIssuers did so at once.
func TestChecker_ListOfTheNewKeyDisplacesNoneOfTheOldKey(t *testing.T) {
	for _, source := range []string{"files", "one file after the other", "URLs", "files, and the key in Verify.CRLIssuers"} {
		inBubble(t, source, func(t *testing.T) {
			w := wire(t)
			link, vouched := makeCert(t, "Clients CA", newKey(t), w.ca, asCA), []*x509.Certificate(nil)
			if strings.HasSuffix(source, "CRLIssuers") {
				link = makeCert(t, "Clients CA", link.key, w.root, asCA) // nothing but the Config says whose it is
				vouched = certs(link)
			}
			byLink := func(thisUpdate time.Time) []byte {
				l := w.listAt(thisUpdate, thisUpdate.Add(7*day))
				l.Key, l.Entries = link.key, nil
				return encode(t, l)
			}
			byCA := encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(9*day), entryFor(w.client)))
			dir := t.TempDir()
			first, second := filepath.Join(dir, "0.crl"), filepath.Join(dir, "1.crl")
			lists := []revocation.List{{File: first}, {File: second}}
			put := func(at string, der []byte) { write(t, at, der) }
			switch source {
			case "one file after the other":
				second, lists = first, lists[:1]
			case "URLs":
				first, second = "http://lists.example/0.crl", "http://lists.example/1.crl"
				lists = []revocation.List{{URL: first}, {URL: second}}
				put = func(at string, der []byte) { w.net.serve(at, body(der)) }
			}
			put(second, byLink(now.Add(-time.Hour)))
			put(first, byCA)
			checker := w.operated(t, revocation.List{}, func(c *revocation.Config) {
				c.Lists, c.Issuers, c.Verify.CRLIssuers = lists, certs(w.ca, link), vouched
			})
			w.says(t, checker, w.issue(t, "first"), isGood, nil) // the two keys are known to be of one CA
			w.clock.advance(7 * time.Hour)
			put(second, byLink(now.Add(6*time.Hour)))
			require.NoError(t, checker.Preload(t.Context()))
			w.says(t, checker, w.client, isRevoked, nil)
			w.says(t, checker, w.issue(t, "second"), isGood, nil)
		})
	}
}

// finding K48: after 4096 CAs had been seen, those in use were forgotten with the others, and a list that
// was in use before was verified without the keys of its CA that became known since.
func TestChecker_ManyCAsDisplaceNoneInUse(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		hostile := makeCert(t, "Hostile CA", newKey(t), nil, asCA)
		leaf := makeCert(t, "leaf", newKey(t), hostile, asClient)
		for i := range 4096 { // the Checker relies on the signatures of the chain
			name, err := asn1.Marshal(pkix.Name{CommonName: fmt.Sprint("CA ", i)}.ToRDNSequence())
			require.NoError(t, err)
			ca, client := *hostile.cert, *leaf.cert
			ca.RawSubject, client.RawIssuer = name, name
			client.RawTBSCertificate = append(name[:len(name):len(name)], client.RawTBSCertificate...)
			_, err = checker.CheckChain(t.Context(), []*x509.Certificate{&client, &ca, hostile.cert})
			require.ErrorIs(t, err, revocation.ErrNoSource)
		}
		signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		l := w.listAt(now.Add(8*time.Hour), now.Add(5*day), entryFor(w.other))
		l.Key = signer.key
		w.net.serve(crlURL, body(encode(t, l)))
		w.clock.advance(2 * day)
		found, err := checker.CheckChain(presented.With(t.Context(), certs(signer)), w.chain(w.issue(t, "another")))
		require.NoError(t, err)
		assert.Equal(t, isGood.String(), found.Status.String())
	})
}

// A CA that nothing refers to any more takes no memory.
func TestChecker_ForgottenCertificatesKeepNoCA(t *testing.T) {
	w := wire(t)
	checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxRecords = 1 })
	hostile := makeCert(t, "Hostile CA", newKey(t), nil, asCA)
	leaf := makeCert(t, "leaf", newKey(t), hostile, asClient)
	for i := range 100 {
		name, err := asn1.Marshal(pkix.Name{CommonName: fmt.Sprint("CA ", i)}.ToRDNSequence())
		require.NoError(t, err)
		ca, client := *hostile.cert, *leaf.cert
		ca.RawSubject, client.RawIssuer = name, name
		_, err = checker.CheckChain(t.Context(), []*x509.Certificate{&client, &ca, hostile.cert})
		require.ErrorIs(t, err, revocation.ErrNoSource)
	}
	assert.True(t, eventually(t, nil, func() bool {
		runtime.GC()
		return checker.Authorities() == 1
	}))
	runtime.KeepAlive(checker)
}

// finding C16: the certificate of the key that signs the lists is sent along with the client's.
// finding C18: it was ignored if it spells the CA's name differently.
func TestChecker_ListByAKeyWhoseCertificateIsPresented(t *testing.T) {
	for name, c := range map[string]struct {
		by      func(*wired) *identity
		want    certauth.Reason
		subject string // "Clients CA" if empty
	}{
		"self-issued":                      {by: func(w *wired) *identity { return w.ca }, want: certauth.ReasonNone},
		"self-issued, in other spelling":   {by: func(w *wired) *identity { return w.ca }, want: certauth.ReasonNone, subject: "clients  ca"},
		"of the same name, by itself":      {by: func(*wired) *identity { return nil }, want: certauth.ReasonRevocationUnavailable},
		"of the same name, by the CA over": {by: func(w *wired) *identity { return w.root }, want: certauth.ReasonRevocationUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, cmp.Or(c.subject, "Clients CA"), newKey(t), c.by(w), asCA)
			w.net.serve(crlURL, body(encode(t, w.signedBy(signer, entryFor(w.other)))))
			checker := w.checker(t, leafOnly, sources(revocation.CRLOnly))
			policy := w.behindChain(checker)
			_, reason := w.ask(t, policy, w.client, signer)
			assert.Equal(t, c.want, reason)
			if c.want == certauth.ReasonNone {
				_, reason = w.ask(t, policy, w.client)
				assert.Equal(t, certauth.ReasonNone, reason, "the key is known by now")
				_, reason = w.ask(t, policy, w.other, signer)
				assert.Equal(t, certauth.ReasonCertificateRevoked, reason)
			}
		})
	}
	t.Run("nobody sends it", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.signedBy(makeCert(t, "Clients CA", newKey(t), w.ca, asCA)))))
		_, reason := w.ask(t, w.behindChain(w.checker(t, leafOnly, sources(revocation.CRLOnly))), w.client)
		assert.Equal(t, certauth.ReasonRevocationUnavailable, reason)
	})
}

// A signature by another key of the CA was accepted for up to an hour after that key's certificate
// had expired, if a verdict relied on it.
func TestListSigner_AVerdictEndsWithTheCertificateOfTheSigner(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(-day), now.Add(30*time.Minute)))
		checker := w.operated(t, revocation.List{File: fileOf(t, encode(t, w.signedBy(signer)))}, func(c *revocation.Config) {
			c.Issuers, c.PollInterval = certs(w.ca, signer), day
		})
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(30*time.Minute + skew)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(time.Second)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNoSource)
	})
}

// finding K60: while the first request of a CA looked for the CA's other keys, the next requests
// were judged as if there were none. AllowNoSource then accepted a certificate that the operator's
// list, signed by such a key, revokes.
func TestListSigner_NoRequestIsJudgedBeforeTheKeysOfItsCAAreKnown(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		first, revoked := w.issue(t, "first", unpointed), w.issue(t, "revoked", unpointed)
		var checker *revocation.Checker
		var armed atomic.Bool
		release := make(chan struct{})
		checker = w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{File: fileOf(t, encode(t, w.signedBy(signer, entryFor(revoked))))}}, certs(signer)
			c.AllowNoSource = true
			c.Now = func() time.Time {
				// Once the CA itself is remembered, its other key is looked for.
				if checker != nil && checker.Authorities() > len(c.Issuers) && armed.CompareAndSwap(true, false) {
					<-release
				}
				return w.clock.now()
			}
		})
		require.NoError(t, checker.Preload(t.Context()))
		armed.Store(true)
		done := make(chan struct{})
		go func() {
			defer close(done)
			found, err := checker.CheckChain(t.Context(), w.chain(first))
			assert.NoError(t, err)
			assert.Equal(t, isGood.String(), found.Status.String())
		}()
		synctest.Wait()
		found, err := checker.CheckChain(t.Context(), w.chain(revoked))
		assert.NoError(t, err)
		assert.Equal(t, isRevoked.String(), found.Status.String())
		close(release)
		<-done
	})
}

// finding K64: another key of a CA whose certificate was not valid yet when the CA was first seen
// was never taken into account afterwards, so that the clients were refused, or accepted by
// AllowNoSource although the list of that key revokes them.
func TestListSigner_AKeyCountsFromTheDayOnWhichItsCertificateBecomesValid(t *testing.T) {
	for name, c := range map[string]struct{ allow, isAnchor bool }{
		"strict": {}, "AllowNoSource": {allow: true}, "the CA is the anchor": {allow: true, isAnchor: true},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(day), now.Add(300*day)))
			client, revoked := w.issue(t, "client", unpointed), w.issue(t, "revoked", unpointed)
			bySigner := w.listAt(now.Add(day), now.Add(9*day), entryFor(revoked))
			bySigner.Key = signer.key
			path := fileOf(t, encode(t, w.rootList()))
			checker := w.checker(t, leafOnly, func(config *revocation.Config) {
				config.Lists, config.Issuers, config.AllowNoSource = []revocation.List{{File: path}}, certs(w.root, signer), c.allow
			})
			ask := func(about *identity) certauth.RevocationStatus {
				chain := w.chain(about)
				if c.isAnchor {
					chain = chain[:2]
				}
				found, _ := checker.CheckChain(t.Context(), chain)
				synctest.Wait()
				return found.Status
			}
			ask(client)
			ask(revoked)
			w.clock.advance(day + time.Hour)
			write(t, path, encode(t, bySigner))
			assert.Equal(t, isGood.String(), ask(client).String())
			assert.Equal(t, isRevoked.String(), ask(revoked).String())
		})
	}
}
