package certauth

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/chaingen"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// tellAll tells every candidate who has signed it, which is more than a search learns.
func tellAll(material chainMaterial) {
	var all []*candidate
	for _, pool := range []*caPool{&material.roots.Value, &material.intermediates.Value} {
		for _, same := range pool.bySubject {
			all = append(all, same...)
		}
	}
	for _, child := range all {
		for _, ca := range all {
			if child.cert.CheckSignatureFrom(ca.cert) == nil {
				child.signer.Store(ca.cert)
			}
		}
	}
}

// account returns the whole content of an answer as text.
func account(leaf *x509.Certificate, a *chainAnswer) string {
	text := fmt.Sprintln("from", a.from.UTC(), "until", a.until.UTC())
	for _, chain := range a.chains {
		for _, cert := range chain.certs {
			text += fmt.Sprint(" ", cert.SerialNumber)
		}
		text += fmt.Sprintln("", chain.serverAuth)
	}
	if a.dated != nil {
		text += fmt.Sprintln("dated", nameIn(a.dated, leaf), a.dated.SerialNumber)
	}
	if a.refused != nil {
		text += fmt.Sprintln(a.refused.Reason, a.refused.Rule, a.refused.Hint, a.refused.Err)
	}
	return text
}

// twice compares a search that knows nothing with one that knows every signature of a CA.
type twice struct {
	known, accepted, refused int // of the searches that took a known way
}

func (c *twice) ask(t *testing.T, settings chainSettings, roots, intermediates *reload.Item[caPool], certs []*x509.Certificate, now time.Time, about string) {
	t.Helper()
	f, refused := newFacts(certs)
	if refused != nil {
		return
	}
	node := func(roots, intermediates *reload.Item[caPool]) (*chainNode, chainMaterial) {
		settings.roots, settings.intermediates = roots, intermediates
		n := &chainNode{chainSettings: settings}
		material, refused := n.material()
		require.Nil(t, refused)
		return n, material
	}
	n, material := node(anew(roots), anew(intermediates))
	want := n.search(f, material, now)
	n, material = node(roots, intermediates)
	tellAll(material)
	got := n.search(f, material, now)
	require.Equal(t, account(f.leaf, want), account(f.leaf, got), about)
	if len(certs) > 1 { // some of which have been admitted now
		require.Equal(t, account(f.leaf, want), account(f.leaf, n.search(f, material, now)), about)
	}

	s := &search{
		roots: &material.roots.Value, intermediates: &material.intermediates.Value, depth: n.maxDepth, now: now, skew: n.skew,
		span: newSpan(now), leaf: f.leaf, issuer: material.keyOfIssuer(f),
	}
	s.admit(certs[1:])
	s.run()
	if n.judgeLeaf(f) != nil || n.knownWay(s, verifyTimes(f.leaf, now, s.skewThatMatters())) == nil {
		return
	}
	c.known++
	if got.refused == nil {
		c.accepted++
	} else {
		c.refused++
	}
}

// anew returns the same pool without knowledge.
func anew(known *reload.Item[caPool]) *reload.Item[caPool] {
	certs := known.Get().certs
	if len(certs) == 0 {
		return known
	}
	pool, err := newCAPool(certs, "test")
	if err != nil {
		panic(err)
	}
	return reload.Fixed("", pool)
}

// propertySeed returns the seed in CERTAUTH_SEED or a new one. CERTAUTH_EXHAUSTIVE=1 makes ten
// times as many cases.
func propertySeed(t *testing.T, usual int) (seed uint64, count int) {
	t.Helper()
	seed, count = mathrand.Uint64(), usual
	if text := os.Getenv("CERTAUTH_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		seed = given
	}
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		count *= 10
	}
	t.Logf("CERTAUTH_SEED=%d repeats these %d", seed, count)
	return seed, count
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
			seed, worlds := propertySeed(t, 30)
			keys := signers(t, kind.withRSA)
			var c twice
			for number := range worlds {
				askWorld(t, &c, seed, uint64(number), keys)
			}
			t.Logf("of %d leaves %d went a known way: %d accepted, %d refused", worlds*leavesOfWorld, c.known, c.accepted, c.refused)
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

// assertSaysSomething fails if known ways decided too rarely. The few cases of the everyday suite
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
	seed, count := propertySeed(t, 300)
	generator, err := chaingen.New(seed)
	require.NoError(t, err)
	var c twice
	for i := range count {
		chain, err := generator.Chain(i)
		require.NoError(t, err)
		roots, err := newCAPool([]*x509.Certificate{chain.Root}, "test")
		if err != nil { // no CA
			continue
		}
		var cas []*x509.Certificate
		for _, ca := range chain.Others {
			if ca.IsCA {
				cas = append(cas, ca)
			}
		}
		intermediates := reload.Fixed("", caPool{})
		if len(cas) > 0 {
			pool, err := newCAPool(cas, "test")
			require.NoError(t, err)
			intermediates = reload.Fixed("", pool)
		}
		c.ask(t, chainSettings{maxDepth: maxCertificates}, reload.Fixed("", roots), intermediates, []*x509.Certificate{chain.Leaf}, chaingen.Now, fmt.Sprintf("seed %d, chain %d", seed, i))
	}
	t.Logf("%d went a known way: %d accepted, %d refused", c.known, c.accepted, c.refused)
	assertSaysSomething(t, c, count, 10, 20)
}

// unsigned removes the signature from what crypto/x509 sees of a CA, so that it would not verify
// again.
func unsigned(c *candidate) { c.view.Signature = nil }

// The signature of a root on an intermediate is verified only for the first leaf. After that,
// nothing above the issuing CA is passed to crypto/x509, not even for a forged leaf: copying the
// name and the key identifier of a CA costs one signature check.
func TestChain_SignaturesOfCAsAreVerifiedOnce(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	upper := root.NewIntermediate(t, "Upper")
	issuing := upper.NewIntermediate(t, "Issuing")
	forger := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Upper").NewIntermediate(t, "Issuing")
	forged := forger.Issue(t, "client").Certificate
	forged.AuthorityKeyId = issuing.Certificate.SubjectKeyId
	for _, tc := range []struct {
		name          string
		roots         []*x509.Certificate
		intermediates []*x509.Certificate
	}{
		{"two intermediates", []*x509.Certificate{root.Certificate}, []*x509.Certificate{issuing.Certificate, upper.Certificate}},
		{"the root among the intermediates", []*x509.Certificate{root.Certificate}, []*x509.Certificate{issuing.Certificate, upper.Certificate, root.Certificate}},
		{"an intermediate for a root", []*x509.Certificate{upper.Certificate}, []*x509.Certificate{issuing.Certificate}},
	} {
		rule := chainRuleOf(t, tc.roots...)
		pool, err := newCAPool(tc.intermediates, "test")
		require.NoError(t, err)
		rule.intermediates = reload.Fixed("", pool)
		material, refused := rule.material()
		require.Nil(t, refused)
		ask := func(leaf *x509.Certificate) Reason {
			return reasonOfAnswer(rule.search(factsIn(t, []*x509.Certificate{leaf}), material, time.Now()))
		}
		assert.Equal(t, ReasonChainUntrusted, ask(forged), tc.name)
		for _, c := range material.intermediates.Value.bySubject {
			assert.Nil(t, c[0].signer.Load(), "%s: nothing is learned from a forged leaf", tc.name)
		}
		assert.Equal(t, ReasonNone, ask(issuing.Issue(t, "first").Certificate), tc.name)
		for _, c := range material.intermediates.Value.bySubject {
			unsigned(c[0])
		}
		assert.Equal(t, ReasonNone, ask(issuing.Issue(t, "second").Certificate), tc.name)
		assert.Equal(t, ReasonChainUntrusted, ask(forged), tc.name)

		again, err := newCAPool(tc.intermediates, "test") // as a reload makes it
		require.NoError(t, err)
		for _, c := range again.bySubject {
			unsigned(c[0])
		}
		rule.intermediates = reload.Fixed("", again)
		material, _ = rule.material()
		assert.Equal(t, ReasonChainUntrusted, ask(issuing.Issue(t, "third").Certificate), "%s: new material is verified again", tc.name)
	}
}

// The signature of a configured CA on one that is sent along is verified when it is admitted, and
// not again in that search or the next. A certificate from another CA with the same name and key
// identifier is not mistaken for it.
func TestChain_SignaturesOfCAsSentAlongAreVerifiedOnce(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	rule := chainRuleOf(t, root.Certificate)
	material, refused := rule.material()
	require.Nil(t, refused)
	ask := func(certs ...*x509.Certificate) Reason {
		return reasonOfAnswer(rule.search(factsIn(t, certs), material, time.Now()))
	}
	// sent returns a copy as in the next request. Without a signature, none can be verified.
	sent := func(signature []byte) *x509.Certificate {
		cert, err := x509.ParseCertificate(issuing.Certificate.Raw)
		require.NoError(t, err)
		cert.Signature = signature
		return cert
	}
	assert.Equal(t, ReasonChainUntrusted, ask(issuing.Issue(t, "client").Certificate, sent(nil)), "it has not been sent yet")
	assert.Equal(t, ReasonNone, ask(issuing.Issue(t, "client").Certificate, sent(issuing.Certificate.Signature)))
	assert.Equal(t, ReasonNone, ask(issuing.Issue(t, "client").Certificate, sent(nil)))

	forger := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Issuing")
	assert.Equal(t, ReasonChainUntrusted, ask(forger.Issue(t, "client").Certificate, forger.Certificate))
	assert.Equal(t, ReasonChainUntrusted, ask(forger.Issue(t, "client").Certificate, sent(nil)))

	for range 2 * len(rule.admitted.last) { // however many there are, the last are remembered
		another := root.NewIntermediate(t, "Issuing")
		assert.Equal(t, ReasonNone, ask(another.Issue(t, "client").Certificate, another.Certificate))
		assert.NotNil(t, rule.admitted.signerOf(another.Certificate.Raw))
	}
	assert.Nil(t, rule.admitted.signerOf(issuing.Certificate.Raw))
}

// With a clock skew, one time must suit all CAs of a chain, including those whose signatures are
// known.
func TestChain_OneMomentSuitsAllCAs(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name string
		root time.Time // begins
		want Reason
	}{
		{"the issuing CA has just ended", now.Add(-time.Hour), ReasonNone},
		{"the issuing CA had ended before the root began", now.Add(-20 * time.Second), ReasonChainUntrusted},
	} {
		root := certauthtest.NewCA(t, "Root", certauthtest.Valid(tc.root, now.Add(time.Hour)))
		issuing := root.NewIntermediate(t, "Issuing", certauthtest.Valid(now.Add(-time.Hour), now.Add(-30*time.Second)))
		leaf := issuing.Issue(t, "client", certauthtest.Valid(now.Add(-time.Hour), now.Add(time.Hour))).Certificate
		roots, err := newCAPool([]*x509.Certificate{root.Certificate}, "test")
		require.NoError(t, err)
		intermediates, err := newCAPool([]*x509.Certificate{issuing.Certificate}, "test")
		require.NoError(t, err)
		var c twice
		settings := chainSettings{maxDepth: defaultMaxDepth, skew: time.Minute}
		c.ask(t, settings, reload.Fixed("", roots), reload.Fixed("", intermediates), []*x509.Certificate{leaf}, now, tc.name)
		settings.roots, settings.intermediates = reload.Fixed("", roots), reload.Fixed("", intermediates)
		n := &chainNode{chainSettings: settings}
		material, refused := n.material()
		require.Nil(t, refused)
		assert.Equal(t, tc.want, reasonOfAnswer(n.search(factsIn(t, []*x509.Certificate{leaf}), material, now)), tc.name)
	}
}

// The short chain of a known way is used only if crypto/x509 would accept every CA above the issuing
// CA, and if no certificate restricts or maps policies (RFC 5280, sections 4.1.2.5, 4.2.1.5, 4.2.1.9,
// 4.2.1.11, 4.2.1.12 and 4.2.1.14). The leaf is always judged by crypto/x509.
func TestChain_KnownWayEndsAtAnObjectionableCertificate(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	upper := root.NewIntermediate(t, "Upper")
	issuing := upper.NewIntermediate(t, "Issuing")
	leaf := issuing.Issue(t, "client").Certificate
	roots, err := newCAPool([]*x509.Certificate{root.Certificate}, "test")
	require.NoError(t, err)
	intermediates, err := newCAPool([]*x509.Certificate{issuing.Certificate, upper.Certificate}, "test")
	require.NoError(t, err)
	material := chainMaterial{roots: &reload.Loaded[caPool]{Value: roots}, intermediates: &reload.Loaded[caPool]{Value: intermediates}}
	tellAll(material)
	now := time.Now()
	s := &search{roots: &roots, intermediates: &intermediates, depth: defaultMaxDepth, now: now, span: newSpan(now), leaf: leaf, issuer: nameKey(leaf.RawIssuer)}
	s.run()
	n := &chainNode{}
	way := n.knownWay(s, []time.Time{now})
	require.Len(t, way, 3)

	const nowhere, leafUp, issuingUp, upperUp = 4, 0, 1, 2 // the lowest certificate for which it matters
	for _, tc := range []struct {
		name   string
		change func(*x509.Certificate)
		from   int
	}{
		{"requireExplicitPolicy 0", func(c *x509.Certificate) { c.RequireExplicitPolicyZero = true }, leafUp},
		{"requireExplicitPolicy 1", func(c *x509.Certificate) { c.RequireExplicitPolicy = 1 }, leafUp},
		{"inhibitPolicyMapping 0", func(c *x509.Certificate) { c.InhibitPolicyMappingZero = true }, leafUp},
		{"inhibitPolicyMapping 1", func(c *x509.Certificate) { c.InhibitPolicyMapping = 1 }, leafUp},
		{"inhibitAnyPolicy 0", func(c *x509.Certificate) { c.InhibitAnyPolicyZero = true }, leafUp},
		{"inhibitAnyPolicy 1", func(c *x509.Certificate) { c.InhibitAnyPolicy = 1 }, leafUp},
		{"one policy mapping", func(c *x509.Certificate) { c.PolicyMappings = make([]x509.PolicyMapping, 1) }, leafUp},
		{"no basic constraints", func(c *x509.Certificate) { c.BasicConstraintsValid = false }, issuingUp},
		{"no CA", func(c *x509.Certificate) { c.IsCA = false }, issuingUp},
		{"valid from now on", func(c *x509.Certificate) { c.NotBefore = now }, nowhere},
		{"valid from a second later", func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }, upperUp},
		{"valid until now", func(c *x509.Certificate) { c.NotAfter = now }, nowhere},
		{"valid until a second ago", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, upperUp},
		{"path length 0, which is checked on the whole chain", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }, nowhere},
		{"for clients", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, nowhere},
		{"for servers", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, upperUp},
		{"for an unknown usage", func(c *x509.Certificate) { c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}} }, upperUp},
	} {
		for i, cert := range []*x509.Certificate{leaf, way[0].cert, way[1].cert, way[2].cert} {
			original := *cert
			tc.change(cert)
			assert.Equal(t, i < tc.from, n.knownWay(s, []time.Time{now}) != nil, "%s: certificate %d", tc.name, i)
			*cert = original
		}
	}
	for name, other := range map[string]*chainNode{
		"the system's roots":     {chainSettings: chainSettings{system: x509.NewCertPool()}},
		"policies are asked for": {chainSettings: chainSettings{policies: "1.2.3.4"}},
	} {
		assert.Nil(t, other.knownWay(s, []time.Time{now}), name)
	}
	assert.Nil(t, n.knownWay(s, []time.Time{now, now.Add(time.Second)}), "one time must suit all CAs")
	for i, ca := range way { // crypto/x509 uses no name with the same key twice
		original := *leaf
		leaf.RawSubjectPublicKeyInfo = ca.cert.RawSubjectPublicKeyInfo
		assert.Nil(t, n.knownWay(s, []time.Time{now}), "the leaf has the key of CA %d", i)
		*leaf = original
	}
	for i := range 2 {
		signer := way[i].signer.Swap(nil)
		assert.Nil(t, n.knownWay(s, []time.Time{now}), "the signer of CA %d is unknown", i)
		way[i].signer.Store(way[2-2*i].cert) // of another key
		assert.Nil(t, n.knownWay(s, []time.Time{now}), "another CA has signed CA %d", i)
		way[i].signer.Store(signer)
	}
	assert.Len(t, n.knownWay(s, []time.Time{now}), 3)
	direct := root.Issue(t, "client").Certificate
	s = &search{roots: &roots, intermediates: &intermediates, depth: defaultMaxDepth, now: now, span: newSpan(now), leaf: direct, issuer: nameKey(direct.RawIssuer)}
	s.run()
	assert.Nil(t, n.knownWay(s, []time.Time{now}), "there is nothing above the issuing CA")
	s.leaf, s.issuer = leaf, nameKey(leaf.RawIssuer)
	s.run()
	// In this case crypto/x509 removes the usages one by one, along the whole chain.
	n.serverAuth = "the partner's CA knows no other usage"
	assert.NotNil(t, n.knownWay(s, []time.Time{now}))
	way[1].cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	assert.Nil(t, n.knownWay(s, []time.Time{now}))
}

// A CA whose new certificate has the name of its root leaves two ways from a leaf with that issuer:
// either key can have signed it.
func TestSearch_SameNameTwiceIsNoOnlyWay(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	renewed := root.NewIntermediate(t, "Root")
	leaf := root.Issue(t, "client").Certificate
	leaf.AuthorityKeyId = nil // names neither
	roots, err := newCAPool([]*x509.Certificate{root.Certificate}, "test")
	require.NoError(t, err)
	intermediates, err := newCAPool([]*x509.Certificate{renewed.Certificate}, "test")
	require.NoError(t, err)
	now := time.Now()
	s := &search{roots: &roots, intermediates: &intermediates, depth: defaultMaxDepth, now: now, span: newSpan(now), leaf: leaf, issuer: nameKey(leaf.RawIssuer)}
	s.run()
	require.Len(t, s.foundRoots, 1)
	require.Len(t, s.foundIntermediates, 1)
	assert.Nil(t, s.onlyWay())
}
