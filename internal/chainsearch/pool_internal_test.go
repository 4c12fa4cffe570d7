package chainsearch

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// caOf returns a CA certificate with the fields that a search uses.
func caOf(subject, issuer, keyID, authorityKeyID string, serial int) *x509.Certificate {
	return &x509.Certificate{
		Raw:                     fmt.Appendf(nil, "%s/%s/%s/%d", subject, issuer, keyID, serial),
		RawSubject:              []byte(subject),
		RawIssuer:               []byte(issuer),
		RawSubjectPublicKeyInfo: fmt.Appendf(nil, "the key of %d", serial),
		SubjectKeyId:            []byte(keyID),
		AuthorityKeyId:          []byte(authorityKeyID),
		IsCA:                    true,
		BasicConstraintsValid:   true,
		NotBefore:               time.Unix(int64(serial), 0),
		NotAfter:                time.Unix(1<<32, 0),
	}
}

func candidatesOf(certs []*x509.Certificate) []*candidate {
	var all []*candidate
	for _, cert := range certs {
		all = append(all, newCandidate(cert))
	}
	return all
}

// crypto/x509 with re-keyed CAs (reproduced): a hundred roots of one name cost 51 times as much as
// one. The number of keys that are tried for a leaf is limited.
func TestLimits_SameNameCAsStayCheap(t *testing.T) {
	cas, roots := sameNameRoots(t, 3*maxKeys)
	for i, ca := range cas { // the oldest first
		leaf := ca.Issue(t, "client").Certificate
		leaf.AuthorityKeyId = nil
		want := none
		if i < len(cas)-maxKeys {
			want = certcheck.Untrusted
		}
		assert.Equal(t, want, kindOf(find(Settings{MaxDepth: 1}, roots, &Pool{}, time.Now(), leaf)), "root %d", i)
	}
	oldest := *cas[0].Certificate
	oldest.SubjectKeyId = []byte("named")
	leaf := cas[0].Issue(t, "client").Certificate
	leaf.AuthorityKeyId = oldest.SubjectKeyId
	certs := []*x509.Certificate{&oldest}
	for _, ca := range cas[1:] {
		certs = append(certs, ca.Certificate)
	}
	assert.Equal(t, none, kindOf(find(Settings{MaxDepth: 1}, newPool(t, certs...), &Pool{}, time.Now(), leaf)), "it is named")
}

// However many ways there are, one search follows a limited number of them, the short ones first. Rules
// that exclude CAs then see every CA above the leaf.
func TestLimits_OneSearchIsBounded(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	short := root.NewIntermediate(t, "Issuing")
	var certs []*x509.Certificate
	below, issuing := short, short
	for level := range 6 {
		upper := certauthtest.NewCA(t, fmt.Sprint("CA ", level))
		for range 4 {
			certs = append(certs, upper.CrossSign(t, below))
		}
		below = upper
	}
	certs = append(certs, root.CrossSign(t, below), short.Certificate)
	leaf := issuing.Issue(t, "client").Certificate
	system := x509.NewCertPool()
	system.AddCert(root.Certificate)
	for name, found := range map[string]Result{
		"a configured root": find(Settings{MaxDepth: 2}, newPool(t, root.Certificate), newPool(t, certs...), time.Now(), leaf),
		// finding C48: a root of the system was asked for its own issuer again and again.
		"a root of the system": find(Settings{MaxDepth: 2, System: system}, nil, newPool(t, certs...), time.Now(), leaf),
	} {
		require.Nil(t, found.Refused, "%s: %v", name, textOf(found))
		assert.Len(t, found.Chains, 1, name)
		require.Len(t, found.Invalid, 1, name)
		assert.ElementsMatch(t, append([]*x509.Certificate{leaf, root.Certificate}, certs...), found.Invalid[0], name)
	}
}

// If all paths that a search follows end below a root, the refusal says why.
func TestLimits_TooManyPathsAreTheReason(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	var certs []*x509.Certificate
	upper := root
	for level := range 4 {
		ca := certauthtest.NewCA(t, fmt.Sprint("CA ", level))
		for range 13 {
			certs = append(certs, upper.CrossSign(t, ca))
		}
		upper = ca
	}
	found := find(Settings{MaxDepth: defaultMaxDepth}, newPool(t, root.Certificate), newPool(t, certs...), time.Now(), upper.Issue(t, "client").Certificate)
	require.NotNil(t, found.Refused)
	assert.ErrorContains(t, found.Refused.Err, "in more than 2000 ways, of which none leads to 1 root")
}

// The doc of Chain: configured certificates before presented ones, and the youngest first.
func TestCAPool_OrderOfCandidates(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	now := time.Now()
	issuing := root.NewIntermediate(t, "CA", certauthtest.Valid(now.AddDate(-3, 0, 0), now.AddDate(1, 0, 0)))
	valid := func(years int) *x509.Certificate {
		return root.IssueFor(t, certified{public: issuing.Certificate.PublicKey}, "", certauthtest.AsCA(), certauthtest.Usage(), certauthtest.Valid(now.AddDate(-years, 0, 0), now.AddDate(1, 0, 0)), func(c *x509.Certificate) {
			c.RawSubject, c.SubjectKeyId = issuing.Certificate.RawSubject, issuing.Certificate.SubjectKeyId
		}).Certificate
	}
	old, young, sent := valid(2), valid(1), valid(0)
	found := find(Settings{MaxDepth: 2}, newPool(t, root.Certificate), newPool(t, old, young), now, issuing.Issue(t, "client").Certificate, sent)
	require.Len(t, found.Chains, 3)
	for i, want := range []*x509.Certificate{young, old, sent} {
		assert.True(t, found.Chains[i][1].Equal(want), "place %d", i)
	}
}

// NewPool puts the youngest first and drops copies.
func TestCAPool_YoungestFirstWithoutCopies(t *testing.T) {
	genuine := certauthtest.NewCA(t, "CA").Certificate
	var certs []*x509.Certificate
	for _, serial := range []int{5, 9, 1, 7, 5} {
		cert := caOf("CN=CA", "CN=Root", "", "", serial)
		cert.PublicKey, cert.RawSubjectPublicKeyInfo = genuine.PublicKey, genuine.RawSubjectPublicKeyInfo
		certs = append(certs, cert)
	}
	pool, err := NewPool(certs, "test")
	require.NoError(t, err)
	assert.Len(t, pool.certs, 4)
	var born []int64
	for _, c := range pool.bySubject[nameKey([]byte("CN=CA"))] {
		born = append(born, c.cert.NotBefore.Unix())
	}
	assert.Equal(t, []int64{9, 7, 5, 1}, born)
}

// A presented certificate that is not a CA is never a candidate.
func TestCAPool_PresentedLeavesAreNoCandidates(t *testing.T) {
	leaf := caOf("CN=CA", "CN=Root", "", "", 1)
	leaf.IsCA = false
	s := search{CAs: CAs{&Pool{}, &Pool{}}, Settings: Settings{MaxDepth: 5}}
	s.admit([]*x509.Certificate{leaf})
	assert.Empty(t, s.presented)
}

// Nine CAs of an untrusted sender, with the root's name and one key, would cost a hundred signature
// checks; none of them becomes a candidate.
func TestSearch_PresentedCAsNeedAConfiguredSigner(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	first := root.NewIntermediate(t, "First")
	second := first.NewIntermediate(t, "Second")
	roots, err := NewPool([]*x509.Certificate{root.Certificate}, "test")
	require.NoError(t, err)
	stranger := certauthtest.NewCA(t, "Root")
	var crowd []*x509.Certificate
	for range 9 {
		crowd = append(crowd, stranger.NewIntermediate(t, "Root").Certificate)
	}
	for _, tc := range []struct {
		name      string
		presented []*x509.Certificate
		want      int
	}{
		{"strangers", crowd, 0},
		{"the true intermediates, in any order", []*x509.Certificate{second.Certificate, first.Certificate}, 2},
		{"the upper one is missing", []*x509.Certificate{second.Certificate}, 0},
		{"a client certificate is no CA", []*x509.Certificate{root.Issue(t, "client").Certificate}, 0},
		{"the same one twice", []*x509.Certificate{first.Certificate, first.Certificate}, 1},
		{"a true one among strangers", append([]*x509.Certificate{first.Certificate}, crowd[:8]...), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := search{CAs: CAs{&roots, &Pool{}}, Settings: Settings{MaxDepth: defaultMaxDepth}, now: time.Now()}
			s.admit(tc.presented)
			assert.Len(t, s.presented, tc.want)
		})
	}
}

// Under the system's roots a presented CA is a candidate if it verifies to one of them.
func TestSearch_PresentedCAsUnderTheSystemsRoots(t *testing.T) {
	root := certauthtest.NewCA(t, "Public Root")
	first := root.NewIntermediate(t, "First")
	second := first.NewIntermediate(t, "Second")
	admitted := func(system *x509.CertPool, presented ...*x509.Certificate) int {
		s := search{CAs: CAs{Intermediates: &Pool{}}, Settings: Settings{System: system, MaxDepth: defaultMaxDepth}, now: time.Now(), leaf: leafOf(second.Issue(t, "client").Certificate)}
		s.admit(presented)
		return len(s.presented)
	}
	public := x509.NewCertPool()
	public.AddCert(root.Certificate)
	assert.Equal(t, 2, admitted(public, second.Certificate, first.Certificate), "in any order")
	assert.Zero(t, admitted(public, second.Certificate), "the upper one is missing")
	assert.Zero(t, admitted(public, certauthtest.NewCA(t, "Public Root").NewIntermediate(t, "First").Certificate), "a stranger's")
	assert.Zero(t, admitted(nil, first.Certificate), "without any roots")
}
