package chainsearch

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/chaingen"
	"github.com/seed2886b8ae/go-certauth/internal/randomly"
)

// account returns the whole content of an answer as text.
func account(leaf *x509.Certificate, a Result) string {
	text := fmt.Sprintln("from", a.From.UTC(), "until", a.Until.UTC())
	for _, chain := range a.Chains {
		text += serialsOf(chain) + "\n"
	}
	if a.Dated != nil {
		text += fmt.Sprintln("dated", nameIn(a.Dated, leaf), a.Dated.SerialNumber)
	}
	if a.Refused != nil {
		text += fmt.Sprintln(a.Refused.Kind, a.Refused.Hint, a.Refused.Err)
	}
	return text
}

// twice compares a search that knows nothing with one that knows every signature of a CA.
type twice struct{ accepted, refused int }

func (c *twice) ask(t *testing.T, settings Settings, roots, intermediates *Pool, certs []*x509.Certificate, now time.Time, about string) {
	t.Helper()
	leaf := leafOf(certs...)
	want := find(settings, anew(roots), anew(intermediates), now, certs...)
	cas, admitted := CAs{roots, intermediates}, &Admissions{}
	for range 2 {
		got := settings.Find(leaf, cas, now, admitted)
		require.Equal(t, account(certs[0], want), account(certs[0], got), about)
	}
	if want.Refused == nil {
		c.accepted++
	} else {
		c.refused++
	}
}

// anew returns the same pool without knowledge.
func anew(known *Pool) *Pool {
	certs := known.certs
	if len(certs) == 0 {
		return known
	}
	pool, err := NewPool(certs, "test")
	if err != nil {
		panic(err)
	}
	return &pool
}

// Whatever is known about the signatures of CAs on CAs, a search has the same outcome in the same
// words: for random CAs with dates, usages, path lengths, constraints, policies, forged
// certificates, equal names, new keys, cross-certificates and CAs that are sent along.
func TestChain_KnownSignaturesChangeNoAnswer(t *testing.T) {
	for _, kind := range []struct {
		name    string
		withRSA int // keys
	}{{"P-256", 0}, {"RSA", 7}, {"mixed", 3}} {
		t.Run(kind.name, func(t *testing.T) {
			seed, worlds := randomly.Seed(t, 30)
			keys := signers(t, kind.withRSA)
			var c twice
			for number := range worlds {
				askWorld(t, &c, seed, uint64(number), keys)
			}
			t.Logf("%d accepted, %d refused", c.accepted, c.refused)
			assertSaysSomething(t, c, worlds, 3, 6)
		})
	}
}

const leavesOfWorld = 10

func askWorld(t *testing.T, c *twice, seed, number uint64, keys []crypto.Signer) {
	t.Helper()
	w := newWorld(t, seed, number, keys)
	roots := []*x509.Certificate{w.cas[0].Certificate}
	switch {
	case w.one(6): // any
		roots = append(roots, w.cas[w.IntN(len(w.cas))].Certificate)
	case w.roots > 1:
		roots = append(roots, w.cas[1].Certificate)
	}
	first := w.roots
	if w.one(4) { // a root that is also listed as an intermediate
		first = 0
	}
	rootPool, intermediatePool := w.poolOf(roots), w.poolOf(w.subset(w.cas[first:]))
	for range leavesOfWorld {
		certs := []*x509.Certificate{w.leaf()}
		if w.one(3) {
			certs = append(certs, w.subset(w.cas)...)
		}
		now := w.now.Add(time.Duration(w.IntN(5)-2) * time.Minute)
		c.ask(t, w.settings(), rootPool, intermediatePool, certs, now, fmt.Sprintf("seed %d, world %d", seed, number))
	}
}

// assertSaysSomething fails if one of the outcomes is too rare. The few cases of the everyday suite
// vary a lot between seeds, so a share is required only for many cases.
func assertSaysSomething(t *testing.T, c twice, worlds, acceptedOneIn, refusedOneIn int) {
	t.Helper()
	if worlds < 100 {
		assert.NotZero(t, c.accepted)
		assert.NotZero(t, c.refused)
		return
	}
	assert.Greater(t, c.accepted, worlds/acceptedOneIn, "too few to be meaningful")
	assert.Greater(t, c.refused, worlds/refusedOneIn, "too few to be meaningful")
}

// The same for chains with constraints of every form and names in several spellings.
func TestChain_KnownSignaturesChangeNoAnswerOfGeneratedChains(t *testing.T) {
	seed, count := randomly.Seed(t, 300)
	generator, err := chaingen.New(seed)
	require.NoError(t, err)
	var c twice
	for i := range count {
		chain, err := generator.Chain(i)
		require.NoError(t, err)
		roots, err := NewPool([]*x509.Certificate{chain.Root}, "test")
		if err != nil { // no CA
			continue
		}
		var cas []*x509.Certificate
		for _, ca := range chain.Others {
			if ca.IsCA {
				cas = append(cas, ca)
			}
		}
		intermediates := &Pool{}
		if len(cas) > 0 {
			pool, err := NewPool(cas, "test")
			require.NoError(t, err)
			intermediates = &pool
		}
		c.ask(t, Settings{MaxDepth: MaxCertificates}, &roots, intermediates, []*x509.Certificate{chain.Leaf}, chaingen.Now, fmt.Sprintf("seed %d, chain %d", seed, i))
	}
	t.Logf("%d accepted, %d refused", c.accepted, c.refused)
	assertSaysSomething(t, c, count, 10, 20)
}

// unsigned removes the signature of a CA, so that it would not verify again.
func unsigned(c *candidate) {
	cert := *c.cert
	cert.Signature = nil
	c.cert = &cert
}

// The signature of a CA on another is verified only for the first leaf. After that, not even a forged
// leaf, with the name and the key identifier of a CA, costs more than one signature.
func TestChain_SignaturesOfCAsAreVerifiedOnce(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	upper := root.NewIntermediate(t, "Upper")
	issuing := upper.NewIntermediate(t, "Issuing")
	forger := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Upper").NewIntermediate(t, "Issuing")
	forged := forger.Issue(t, "client").Certificate
	forged.AuthorityKeyId = issuing.Certificate.SubjectKeyId
	again := root.CrossSign(t, upper)
	namesake := certauthtest.NewCA(t, "Root").Certificate
	for _, tc := range []struct {
		name          string
		roots         []*x509.Certificate
		intermediates []*x509.Certificate
	}{
		{"two intermediates", []*x509.Certificate{root.Certificate}, []*x509.Certificate{issuing.Certificate, upper.Certificate}},
		{"two certificates of one of them", []*x509.Certificate{root.Certificate}, []*x509.Certificate{issuing.Certificate, upper.Certificate, again}},
		{"another root of the same name (finding S56)", []*x509.Certificate{root.Certificate, namesake}, []*x509.Certificate{issuing.Certificate, upper.Certificate, again}},
		{"the root among the intermediates", []*x509.Certificate{root.Certificate}, []*x509.Certificate{issuing.Certificate, upper.Certificate, root.Certificate}},
		{"an intermediate for a root", []*x509.Certificate{upper.Certificate}, []*x509.Certificate{issuing.Certificate}},
		{"an intermediate for a root and among the intermediates", []*x509.Certificate{upper.Certificate}, []*x509.Certificate{issuing.Certificate, upper.Certificate}},
	} {
		roots, intermediates := newPool(t, tc.roots...), newPool(t, tc.intermediates...)
		ask := func(leaf *x509.Certificate) certcheck.Kind {
			return kindOf(find(Settings{MaxDepth: defaultMaxDepth}, roots, intermediates, time.Now(), leaf))
		}
		forget := func() {
			for _, same := range intermediates.bySubject {
				for _, c := range same {
					unsigned(c)
				}
			}
		}
		assert.Equal(t, certcheck.Untrusted, ask(forged), tc.name)
		for _, c := range intermediates.bySubject {
			c[0].signed.Range(func(any, any) bool { assert.Fail(t, "something is learned from a forged leaf", tc.name); return false })
		}
		assert.Equal(t, none, ask(issuing.Issue(t, "first").Certificate), tc.name)
		forget()
		assert.Equal(t, none, ask(issuing.Issue(t, "second").Certificate), tc.name)
		assert.Equal(t, certcheck.Untrusted, ask(forged), tc.name)

		intermediates = newPool(t, tc.intermediates...) // as a reload makes it
		forget()
		assert.Equal(t, certcheck.Untrusted, ask(issuing.Issue(t, "third").Certificate), "%s: new material is verified again", tc.name)
	}
}

// The signature of a configured CA on one that is sent along is verified when it is admitted, and
// not again in that search or the next. A certificate from another CA with the same name and key
// identifier is not mistaken for it.
func TestChain_SignaturesOfCAsSentAlongAreVerifiedOnce(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	cas, admitted := CAs{newPool(t, root.Certificate), &Pool{}}, &Admissions{}
	ask := func(certs ...*x509.Certificate) certcheck.Kind {
		return kindOf(Settings{MaxDepth: defaultMaxDepth}.Find(leafOf(certs...), cas, time.Now(), admitted))
	}
	// sent returns a copy as in the next request. Without a signature, none can be verified.
	sent := func(signature []byte) *x509.Certificate {
		cert, err := x509.ParseCertificate(issuing.Certificate.Raw)
		require.NoError(t, err)
		cert.Signature = signature
		return cert
	}
	assert.Equal(t, certcheck.Untrusted, ask(issuing.Issue(t, "client").Certificate, sent(nil)), "it has not been sent yet")
	assert.Equal(t, none, ask(issuing.Issue(t, "client").Certificate, sent(issuing.Certificate.Signature)))
	assert.Equal(t, none, ask(issuing.Issue(t, "client").Certificate, sent(nil)))

	forger := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Issuing")
	assert.Equal(t, certcheck.Untrusted, ask(forger.Issue(t, "client").Certificate, forger.Certificate))
	assert.Equal(t, certcheck.Untrusted, ask(forger.Issue(t, "client").Certificate, sent(nil)))

	for range 2 * len(admitted.last) { // however many there are, the last are remembered
		another := root.NewIntermediate(t, "Issuing")
		assert.Equal(t, none, ask(another.Issue(t, "client").Certificate, another.Certificate))
		assert.NotNil(t, admitted.signerOf(another.Certificate, candidatesOf([]*x509.Certificate{root.Certificate})))
	}
	assert.Nil(t, admitted.signerOf(issuing.Certificate, candidatesOf([]*x509.Certificate{root.Certificate})))
}

// With a clock skew, one time must suit all CAs of a chain, including those whose signatures are
// known.
func TestChain_OneMomentSuitsAllCAs(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name string
		root time.Time // begins
		want certcheck.Kind
	}{
		{"the issuing CA has just ended", now.Add(-time.Hour), none},
		{"the issuing CA had ended before the root began", now.Add(-20 * time.Second), certcheck.Untrusted},
	} {
		root := certauthtest.NewCA(t, "Root", certauthtest.Valid(tc.root, now.Add(time.Hour)))
		issuing := root.NewIntermediate(t, "Issuing", certauthtest.Valid(now.Add(-time.Hour), now.Add(-30*time.Second)))
		leaf := issuing.Issue(t, "client", certauthtest.Valid(now.Add(-time.Hour), now.Add(time.Hour))).Certificate
		roots, intermediates := newPool(t, root.Certificate), newPool(t, issuing.Certificate)
		var c twice
		settings := Settings{MaxDepth: defaultMaxDepth, Skew: time.Minute}
		c.ask(t, settings, roots, intermediates, []*x509.Certificate{leaf}, now, tc.name)
		assert.Equal(t, tc.want, kindOf(find(settings, roots, intermediates, now, leaf)), tc.name)
	}
}
