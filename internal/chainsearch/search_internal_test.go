package chainsearch

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// Key identifiers determine the order, as in OpenSSL: first the CA that the child names, then those
// of which one of the two has no identifier.
func TestSearch_KeyIdentifiersOrderTheCandidates(t *testing.T) {
	ca := func(id string) *candidate { return &candidate{cert: &x509.Certificate{SubjectKeyId: []byte(id)}} }
	named, other, third, none := ca("a"), ca("b"), ca("c"), ca("")
	below := &x509.Certificate{AuthorityKeyId: []byte("a")}
	for _, tc := range []struct {
		name       string
		child      *x509.Certificate
		cas, order []*candidate
	}{
		{"named and another", below, []*candidate{other, named}, []*candidate{named, other}},
		{"named and two others", below, []*candidate{other, none, named}, []*candidate{named, none, other}},
		{"one without and another", below, []*candidate{other, none}, []*candidate{none, other}},
		{"others alone", below, []*candidate{other, third}, []*candidate{other, third}},
		{"a child that names none", &x509.Certificate{}, []*candidate{other, none, named}, []*candidate{other, none, named}},
	} {
		assert.Equal(t, tc.order, byKinship(tc.child, tc.cas), tc.name)
	}
}

// The doc of Chain: among CAs with the same kinship, valid ones come before the others, also before newer ones.
func TestSearch_ValidCAsComeFirst(t *testing.T) {
	now := time.Now()
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing", certauthtest.Valid(now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)))
	of := func(from, until time.Time) *x509.Certificate {
		return root.IssueFor(t, certified{public: issuing.Certificate.PublicKey}, "", certauthtest.AsCA(), certauthtest.Usage(), certauthtest.Valid(from, until), func(c *x509.Certificate) {
			c.RawSubject, c.SubjectKeyId = issuing.Certificate.RawSubject, issuing.Certificate.SubjectKeyId
		}).Certificate
	}
	future, ended := of(now.Add(time.Hour), now.AddDate(1, 0, 0)), of(now.Add(-time.Hour), now.Add(-time.Minute))
	intermediates := newPool(t, ended, issuing.Certificate, future)
	s := &search{
		CAs: CAs{newPool(t, root.Certificate), intermediates}, Settings: Settings{MaxDepth: defaultMaxDepth, Skew: 2 * time.Hour}, now: now, span: newSpan(now),
		leaf: leafOf(issuing.Issue(t, "client").Certificate), known: map[*candidate]issuers{},
	}
	chains, _, best := s.verify()
	require.Nil(t, best.refused)
	var order []*x509.Certificate
	for _, chain := range chains {
		order = append(order, chain[1])
	}
	assert.Equal(t, []*x509.Certificate{issuing.Certificate, future, ended}, order)
}

// However many configured CAs have the name that an untrusted sender's CAs ask for, one search
// makes at most 72 signature checks to admit them: nine presented CAs with eight candidates each.
func TestSearch_AdmissionChecksAreBoundedOverRootsAndIntermediates(t *testing.T) {
	_, roots := sameNameRoots(t, 8)
	_, intermediates := sameNameRoots(t, 8)
	s := &search{CAs: CAs{roots, intermediates}, Settings: Settings{MaxDepth: defaultMaxDepth}, now: time.Now()}
	s.admit(strangers(t, 9))
	assert.Empty(t, s.presented)
	assert.Equal(t, 72, s.admission.made)
}

// finding C35: the leaf's key identifier named another CA than the one that has signed the leaf. The
// search found the latter above the former and therefore missed a chain that is as long as permitted.
func TestChain_KeyIdentifierOfTheLeafLeavesOutNoChain(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	upper := root.NewIntermediate(t, "Upper")
	issuing := upper.NewIntermediate(t, "Issuing")
	named := issuing.NewIntermediate(t, "Issuing").Certificate
	intermediates := newPool(t, upper.Certificate, issuing.Certificate, named)
	leaf := issuing.Issue(t, "client").Certificate
	for _, id := range [][]byte{leaf.AuthorityKeyId, named.SubjectKeyId} {
		leaf.AuthorityKeyId = id
		assert.Len(t, find(Settings{MaxDepth: 3}, newPool(t, root.Certificate), intermediates, time.Now(), leaf).Chains, 1)
		assert.Len(t, find(Settings{MaxDepth: 3}, newPool(t, root.Certificate, issuing.Certificate), intermediates, time.Now(), leaf).Chains, 2)
	}
}

// An answer under the system's roots is valid for ten minutes at most.
func TestSpan_SystemAnswersHoldTenMinutes(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	now := time.Now()
	answer := underSystem(now, 0, root.Certificate, root.Issue(t, "client").Certificate)
	require.Nil(t, answer.Refused, "%v", textOf(answer))
	assert.True(t, answer.From.Equal(now.Add(-10*time.Minute)), "%v", answer.From)
	assert.True(t, answer.Until.Equal(now.Add(10*time.Minute)), "%v", answer.Until)
}
