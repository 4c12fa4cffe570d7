package chainsearch

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
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

func poolFor(t *testing.T, certs ...*x509.Certificate) *Pool {
	t.Helper()
	pool := &Pool{certs: certs, bySubject: map[string][]*candidate{}}
	for _, c := range candidatesOf(certs) {
		pool.bySubject[c.name] = append(pool.bySubject[c.name], c)
	}
	return pool
}

func candidatesOf(certs []*x509.Certificate) []*candidate {
	var all []*candidate
	for _, cert := range certs {
		all = append(all, newCandidate(cert))
	}
	return all
}

func (s *search) runFor(leaf *x509.Certificate) {
	s.leaf = leafOf(leaf)
	s.run(MaxCertificates)
}

func manyCAs(keyIDs bool) []*x509.Certificate {
	var certs []*x509.Certificate
	for i := range 100 {
		keyID := ""
		if keyIDs {
			keyID = fmt.Sprint("key ", i)
		}
		certs = append(certs, caOf("CN=CA", "CN=Upper CA", keyID, "", i))
	}
	return certs
}

// crypto/x509 with re-keyed CAs (reproduced): a hundred roots of one name cost 51 times as much as
// one. Each candidate costs at most one signature check, so the number of candidates is the limit.
func TestLimits_SameNameCAsStayCheap(t *testing.T) {
	leafOf := func(authorityKeyID string) *x509.Certificate {
		return &x509.Certificate{RawIssuer: []byte("CN=CA"), AuthorityKeyId: []byte(authorityKeyID)}
	}
	for _, tc := range []struct {
		name          string
		roots         []*x509.Certificate
		intermediates []*x509.Certificate
		presented     []*x509.Certificate
		leaf          *x509.Certificate
		wantRoots     int
		wantOthers    int
		wide          int // found in a wide search, roots and others
	}{
		{"100 roots with key identifiers, one of them named", manyCAs(true), nil, nil, leafOf("key 42"), 1, 0, maxSameName},
		{"100 roots with key identifiers, none of them named", manyCAs(true), nil, nil, leafOf("key 100"), maxSameName, 0, maxSameName},
		{"100 roots with key identifiers, the leaf names none", manyCAs(true), nil, nil, leafOf(""), maxSameName, 0, maxSameName},
		{"100 roots without key identifiers", manyCAs(false), nil, nil, leafOf("key 42"), maxSameName, 0, maxSameName},
		{"100 intermediates with key identifiers", nil, manyCAs(true), nil, leafOf("key 42"), 0, 1, maxSameName},
		{"100 intermediates without", nil, manyCAs(false), nil, leafOf("key 42"), 0, maxSameName, maxSameName},
		{"as many presented as there may be", nil, nil, manyCAs(false)[:9], leafOf("key 42"), 0, 9, 9},
		{"the same beside 100 intermediates", nil, manyCAs(false), manyCAs(false)[:9], leafOf("key 42"), 0, maxSameName + 9, maxSameName + 9},
		{"another name", manyCAs(true), manyCAs(true), manyCAs(true), &x509.Certificate{RawIssuer: []byte("CN=Other")}, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := search{CAs: CAs{poolFor(t, tc.roots...), poolFor(t, tc.intermediates...)}, presented: candidatesOf(tc.presented), Settings: Settings{MaxDepth: 1}, now: time.Unix(1000, 0)}
			s.runFor(tc.leaf)
			assert.Len(t, s.foundRoots, tc.wantRoots)
			assert.Len(t, s.foundIntermediates, tc.wantOthers)
			assert.Equal(t, tc.wantRoots+tc.wantOthers == 1, s.passed)
			s.wide = true
			s.runFor(tc.leaf)
			assert.Equal(t, tc.wide, len(s.foundRoots)+len(s.foundIntermediates))
			assert.False(t, s.passed)
		})
	}
}

// However the names branch, one search collects at most maxCandidates of each kind.
func TestLimits_OneSearchIsBounded(t *testing.T) {
	var intermediates []*x509.Certificate
	for level := range 10 {
		for i := range 20 {
			intermediates = append(intermediates, caOf(fmt.Sprint("CN=", level), fmt.Sprint("CN=", level+1), "", "", 100*level+i))
		}
	}
	s := search{CAs: CAs{poolFor(t), poolFor(t, intermediates...)}, Settings: Settings{MaxDepth: MaxCertificates}, now: time.Unix(5000, 0)}
	s.runFor(&x509.Certificate{RawIssuer: []byte("CN=0")})
	assert.Len(t, s.foundIntermediates, maxCandidates)
	assert.Empty(t, s.foundRoots)
}

// The doc of Chain: configured certificates before presented ones, and the youngest first.
func TestCAPool_OrderOfCandidates(t *testing.T) {
	old, young := caOf("CN=CA", "CN=Root", "", "", 1), caOf("CN=CA", "CN=Root", "", "", 9)
	sent := caOf("CN=CA", "CN=Root", "", "", 10)
	expired := caOf("CN=CA", "CN=Root", "", "", 8)
	expired.NotAfter = time.Unix(500, 0)
	pool := poolFor(t, young, expired, old)
	s := search{CAs: CAs{poolFor(t), pool}, presented: candidatesOf([]*x509.Certificate{sent}), Settings: Settings{MaxDepth: 1}, now: time.Unix(1000, 0)}
	s.runFor(&x509.Certificate{RawIssuer: []byte("CN=CA")})
	require.Len(t, s.foundIntermediates, 4)
	for i, want := range []*x509.Certificate{young, old, sent, expired} {
		assert.True(t, s.foundIntermediates[i].cert.Equal(want), "place %d", i)
	}

	// Presented certificates never displace configured ones.
	var crowd []*x509.Certificate
	for i := range 9 {
		crowd = append(crowd, caOf("CN=CA", "CN=Root", "", "", 100+i))
	}
	s = search{CAs: CAs{poolFor(t), poolFor(t, young, old)}, presented: candidatesOf(crowd), Settings: Settings{MaxDepth: 1}, now: time.Unix(1000, 0)}
	s.runFor(&x509.Certificate{RawIssuer: []byte("CN=CA")})
	require.Len(t, s.foundIntermediates, 2+len(crowd))
	assert.True(t, s.foundIntermediates[0].cert.Equal(young))
	assert.True(t, s.foundIntermediates[1].cert.Equal(old))
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
	s := search{CAs: CAs{poolFor(t), poolFor(t)}, Settings: Settings{MaxDepth: 5}}
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
		s := search{CAs: CAs{Intermediates: &Pool{}}, Settings: Settings{System: system, MaxDepth: defaultMaxDepth}, now: time.Now()}
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
