package chainsearch

import (
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// sameNameRoots returns n roots with one name and a key each, the oldest first. Like those of many
// small CAs they have no key identifier.
func sameNameRoots(t *testing.T, n int) (cas []*certauthtest.CA, pool *Pool) {
	t.Helper()
	var certs []*x509.Certificate
	for i := range n {
		born := time.Now().AddDate(-1, 0, i)
		ca := certauthtest.NewCA(t, "Root", certauthtest.Valid(born, born.AddDate(10, 0, 0)))
		bare := *ca.Certificate // CreateCertificate gives every CA its own identifier
		bare.SubjectKeyId = nil
		ca.Certificate = &bare
		cas, certs = append(cas, ca), append(certs, &bare)
	}
	made, err := NewPool(certs, "test")
	require.NoError(t, err)
	return cas, &made
}

func admit(roots *Pool, presented ...*x509.Certificate) *search {
	s := &search{CAs: CAs{roots, &Pool{}}, Settings: Settings{MaxDepth: defaultMaxDepth}, now: time.Now()}
	s.admit(presented)
	return s
}

// An untrusted sender names the configured root as the issuer of its CAs: each costs one signature
// check with the root's key, in any order, and no more.
func TestSearch_FailedAdmissionsAreBounded(t *testing.T) {
	t.Run("one root", func(t *testing.T) {
		_, roots := sameNameRoots(t, 1)
		s := admit(roots, strangers(t, 9)...)
		assert.Empty(t, s.presented)
		assert.Equal(t, 9, s.admission.made)
	})
	t.Run("eight roots of one name", func(t *testing.T) {
		_, roots := sameNameRoots(t, 8)
		s := admit(roots, strangers(t, 9)...)
		assert.Empty(t, s.presented)
		assert.Equal(t, maxAdmissionChecks, s.admission.made)
	})
	t.Run("a hundred roots of one name", func(t *testing.T) {
		_, roots := sameNameRoots(t, 100)
		s := admit(roots, strangers(t, 9)...)
		assert.Equal(t, maxAdmissionChecks, s.admission.made)
	})
	t.Run("genuine CAs with strangers that name them", func(t *testing.T) {
		cas, roots := sameNameRoots(t, 1)
		first := cas[0].NewIntermediate(t, "Root")
		copies := []*x509.Certificate{first.Certificate, cas[0].CrossSign(t, first), cas[0].CrossSign(t, first)}
		s := admit(roots, append(copies, strangers(t, 6)...)...)
		assert.Len(t, s.presented, 3)
		assert.LessOrEqual(t, s.admission.made, 3+6*2, "copies of one key are one candidate")
	})
	t.Run("what is configured costs nothing", func(t *testing.T) {
		cas, roots := sameNameRoots(t, 1)
		s := admit(roots, cas[0].Certificate)
		assert.Zero(t, s.admission.made)
	})
}

// strangers returns CAs that claim to be signed by the root with that name.
func strangers(t *testing.T, n int) []*x509.Certificate {
	t.Helper()
	stranger := certauthtest.NewCA(t, "Root")
	bare := *stranger.Certificate
	bare.SubjectKeyId = nil
	stranger.Certificate = &bare
	var crowd []*x509.Certificate
	for range n {
		crowd = append(crowd, stranger.NewIntermediate(t, "Any").Certificate)
	}
	return crowd
}

// finding R2: the doc of Chain promised eight candidates of one name, but after three wrong ones a
// presented issuing CA was dropped.
func TestSearch_PresentedCAIsTriedWithEveryCandidate(t *testing.T) {
	for younger := range 8 {
		t.Run(fmt.Sprintf("%d younger roots of the same name", younger), func(t *testing.T) {
			cas, roots := sameNameRoots(t, younger+1)
			var honest []*x509.Certificate
			for i := range 9 {
				honest = append(honest, cas[0].NewIntermediate(t, fmt.Sprint("Issuing ", i)).Certificate)
			}
			s := admit(roots, honest...)
			assert.Len(t, s.presented, 9, "of the oldest root, each of them")
		})
	}
}

// finding R2: a signature that did not verify was checked, and counted, again after every
// admission, so that two bad CAs hid a good chain.
func TestSearch_BadPresentedCAsHideNothing(t *testing.T) {
	cas, roots := sameNameRoots(t, 1)
	root := cas[0]
	var good []*x509.Certificate
	for ca := root; len(good) < 4; {
		ca = ca.NewIntermediate(t, fmt.Sprint("CA ", len(good)))
		good = append(good, ca.Certificate)
	}
	bad := strangers(t, 5)
	slices.Reverse(good)
	for name, order := range map[string][]*x509.Certificate{
		"bad first":    slices.Concat(bad, good),
		"bad last":     slices.Concat(good, bad),
		"bad between":  slices.Concat(good[:2], bad, good[2:]),
		"top to down":  slices.Concat(bad, []*x509.Certificate{good[3], good[2], good[1], good[0]}),
		"in one order": slices.Concat(good[:1], bad[:1], good[1:2], bad[1:2], good[2:3], bad[2:3], good[3:], bad[3:]),
	} {
		t.Run(name, func(t *testing.T) {
			s := admit(roots, order...)
			assert.Len(t, s.presented, 4)
			assert.Equal(t, 9, s.admission.made, "each once")
		})
	}
	t.Run("SHA-1 costs nothing", func(t *testing.T) {
		old := root.NewIntermediate(t, "Old", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }).Certificate
		s := admit(roots, old)
		assert.Empty(t, s.presented)
		assert.Zero(t, s.admission.made)
	})
}

// For a signature of ECDSA, whoever sees it can compute a further key with which it verifies. A caller with a
// CA of its own can certify such a key with the name of another CA. That this key is remembered refuses no
// caller who sends the same certificate along.
func TestSearch_AnotherKeyThatSeemsToHaveSignedRefusesNobody(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	cas, admitted := CAs{newPool(t, root.Certificate), &Pool{}}, &Admissions{}
	admitted.remember(issuing.Certificate.Raw, certauthtest.NewCA(t, "Root").Certificate)
	for range 2 {
		answer := Settings{MaxDepth: defaultMaxDepth}.Find(leafOf(issuing.Issue(t, "client").Certificate, issuing.Certificate), cas, time.Now(), admitted)
		assert.Equal(t, none, kindOf(answer), "%v", textOf(answer))
	}
}
