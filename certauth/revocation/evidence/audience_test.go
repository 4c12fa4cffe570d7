package evidence_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

func audienceOf(t testing.TB, all ...*identity) *evidence.Audience {
	t.Helper()
	var a evidence.Audience
	for _, one := range all {
		s := subjectOf(t, one)
		a.Add(&s)
	}
	return &a
}

// Rule C9: a list that covers none of the certificates that name its URL is not kept, and a list of
// another scope replaces one in use only if no certificate loses coverage. What a list covers is
// RFC 5280, section 5.2.5.
func TestCRL_ServesTheCertificatesThatNameItsPoint(t *testing.T) {
	s := newScene(t)
	named := point(uri(shardA))
	user := makeCert(t, "user", newKey(t), s.ca, asClient, named)
	sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA, named)
	a, b := ocsptest.URI(shardA), ocsptest.URI(shardB)
	reasons := func(n ...int) []byte { return ocsptest.Reasons(ocsptest.Context(3), n...) }
	users, both, cas := []*identity{user}, []*identity{user, sub}, []*identity{sub}
	onlyUsers, onlyCAs, onlyAttribute := ocsptest.Flag(1), ocsptest.Flag(2), ocsptest.Flag(5)
	for _, c := range []struct {
		name  string
		point [][]byte // nil: none
		of    []*identity
		any   bool
	}{
		{"without an issuing distribution point", nil, both, true},
		{"of their point", [][]byte{uri(shardA)}, both, true},
		{"of another point", [][]byte{uri(shardB)}, both, false},
		{"of two points, the second is theirs", [][]byte{ocsptest.FullName(b, a)}, both, true},
		{"of the CA itself", [][]byte{ocsptest.FullName(directory(s.ca.cert.RawSubject))}, both, true},
		{"of another CA", [][]byte{ocsptest.FullName(directory(s.root.cert.RawSubject))}, both, false},
		{"for users, of users", [][]byte{onlyUsers}, users, true},
		{"for users, of CAs", [][]byte{onlyUsers}, cas, false},
		{"for users, of both", [][]byte{onlyUsers}, both, true},
		{"for CAs, of users", [][]byte{onlyCAs}, users, false},
		{"for CAs, of CAs", [][]byte{onlyCAs}, cas, true},
		{"for CAs, of both", [][]byte{onlyCAs}, both, true},
		{"for users at their point", [][]byte{uri(shardA), onlyUsers}, users, true},
		{"for users at another point", [][]byte{uri(shardB), onlyUsers}, users, false},
		{"finding K83: for attribute certificates", [][]byte{onlyAttribute}, both, false},
		{"for some reasons", [][]byte{reasons(1, 2)}, both, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := s.list()
			if c.point != nil {
				l = s.withPoint(c.point...)
			}
			list, audience := parse(t, s.ca, encode(t, l)), audienceOf(t, c.of...)
			err := list.ServesAny(audience, s.ca.cert)
			if c.any {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, evidence.ErrCRLScope)
			}
		})
	}
}

// A refused list is fetched again when a certificate makes a difference to what it may cover.
func TestAudience_AddReportsWhatIsNew(t *testing.T) {
	s := newScene(t)
	cert := func(changes ...change) evidence.Subject {
		return subjectOf(t, makeCert(t, "one", newKey(t), s.ca, changes...))
	}
	a, b := point(uri(shardA)), point(ocsptest.FullName(ocsptest.URI(shardA), ocsptest.URI(shardB)))
	var audience evidence.Audience
	for _, c := range []struct {
		name string
		of   evidence.Subject
		want bool
	}{
		{"the first user", cert(asClient), true},
		{"another user", cert(asClient), false},
		{"a name", cert(asClient, a), true},
		{"the same name", cert(asClient, a), false},
		{"the first CA, with the same name", cert(asCA, a), true},
		{"another CA", cert(asCA, a), false},
		{"a second name of a point", cert(asCA, b), true},
		{"both names again", cert(asClient, b), false},
	} {
		assert.Equal(t, c.want, audience.Add(&c.of), c.name)
	}
	var cas evidence.Audience
	first, second, user := cert(asCA), cert(asCA), cert(asClient)
	assert.True(t, cas.Add(&first), "the first CA")
	assert.False(t, cas.Add(&second), "another CA")
	assert.True(t, cas.Add(&user), "the first user")
}

// An Audience of 64 names is full: it accepts a list of any name.
func TestAudience_IsFullWith64Names(t *testing.T) {
	s := newScene(t)
	other := parse(t, s.ca, encode(t, s.withPoint(uri("http://crl.example/of-nobody.crl"))))
	var audience evidence.Audience
	add := func(n int) bool {
		of := subjectOf(t, makeCert(t, "one", newKey(t), s.ca, asClient, point(uri(fmt.Sprintf("http://crl.example/%d.crl", n)))))
		return audience.Add(&of)
	}
	for n := range 64 {
		assert.ErrorIs(t, other.ServesAny(&audience, s.ca.cert), evidence.ErrCRLScope, "%d names", n)
		assert.True(t, add(n), "name %d", n+1)
	}
	assert.NoError(t, other.ServesAny(&audience, s.ca.cert), "64 names")
	assert.False(t, add(64), "one more name makes no difference")
}
