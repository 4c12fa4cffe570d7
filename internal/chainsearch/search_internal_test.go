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
	ca := func(id string) *candidate {
		return &candidate{cert: &x509.Certificate{Raw: []byte("CA " + id), RawSubjectPublicKeyInfo: []byte("key of " + id), SubjectKeyId: []byte(id), NotAfter: time.Now().Add(time.Hour)}}
	}
	named, other, third, none := ca("a"), ca("b"), ca("c"), ca("")
	below := &x509.Certificate{AuthorityKeyId: []byte("a")}
	for _, tc := range []struct {
		name         string
		child        *x509.Certificate
		candidates   []*candidate
		narrow, wide []*candidate
	}{
		{"named and another", below, []*candidate{other, named}, []*candidate{named}, []*candidate{named, other}},
		{"named and two others", below, []*candidate{other, none, named}, []*candidate{named}, []*candidate{named, none, other}},
		{"one without and another", below, []*candidate{other, none}, []*candidate{none}, []*candidate{none, other}},
		{"others alone", below, []*candidate{other, third}, []*candidate{other, third}, []*candidate{other, third}},
		{"a child that names none", &x509.Certificate{}, []*candidate{other, none, named}, []*candidate{other, none, named}, []*candidate{other, none, named}},
	} {
		s := &search{now: time.Now(), span: newSpan(time.Now())}
		roots, others := s.choose(child{cert: tc.child, narrow: true}, tc.candidates, tc.candidates)
		assert.Equal(t, tc.narrow, roots, tc.name)
		assert.Equal(t, tc.narrow, others, tc.name)
		assert.Equal(t, len(tc.narrow) < len(tc.wide), s.passed, tc.name)
		s = &search{now: time.Now(), span: newSpan(time.Now())}
		roots, others = s.choose(child{cert: tc.child}, tc.candidates, tc.candidates)
		assert.Equal(t, tc.wide, roots, tc.name)
		assert.Equal(t, tc.wide, others, tc.name)
		assert.False(t, s.passed, tc.name)
	}
}

// However many configured CAs have the name that an untrusted sender's CAs ask for, one search
// makes at most 72 signature checks to admit them: nine presented CAs with eight candidates each.
func TestSearch_AdmissionChecksAreBoundedOverRootsAndIntermediates(t *testing.T) {
	_, roots := sameNameRoots(t, 8)
	_, intermediates := sameNameRoots(t, 8)
	s := &search{CAs: CAs{roots, intermediates}, Settings: Settings{MaxDepth: defaultMaxDepth}, now: time.Now()}
	s.admit(strangers(t, 9))
	assert.Empty(t, s.presented)
	assert.Equal(t, 72, s.admission.checks)
}

// The admission tries every candidate; the search after it begins with the likely ones.
func TestSearch_BeginsWithTheCandidatesThatAreNamed(t *testing.T) {
	root, namesake := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	roots, err := NewPool([]*x509.Certificate{root.Certificate, namesake.Certificate}, "test")
	require.NoError(t, err)
	leaf := root.Issue(t, "client").Certificate
	s := &search{CAs: CAs{&roots, &Pool{}}, Settings: Settings{MaxDepth: defaultMaxDepth}, now: time.Now(), leaf: leafOf(leaf)}
	s.admit([]*x509.Certificate{issuing.Certificate})
	s.run(MaxCertificates)
	require.Len(t, s.foundRoots, 1)
	assert.Same(t, root.Certificate, s.foundRoots[0].cert)
	assert.True(t, s.passed, "over the other root")
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
