package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// RFC 5280, sections 4.2.1.15 and 5.2.6: the locations of deltas, in lists and certificates.
func TestFreshestURLs(t *testing.T) {
	s := newScene(t)
	pointOf := ocsptest.Point
	named := func(names ...string) []byte {
		all := make([][]byte, 0, len(names))
		for _, name := range names {
			all = append(all, ocsptest.URI(name))
		}
		return ocsptest.FullName(all...)
	}
	issuerName := ocsptest.Element(ocsptest.Explicit(2), ocsptest.URI("http://crl.example/issuer"))
	directory := ocsptest.FullName(ocsptest.Element(ocsptest.Explicit(4), s.ca.cert.RawSubject))
	const a, b = "http://crl.example/a", "https://crl.example/b?x=%20"
	for _, c := range []struct {
		name   string
		points [][]byte
		want   []string
	}{
		{"one", [][]byte{pointOf(named(a))}, []string{a}},
		{"two names of one point", [][]byte{pointOf(named(a, b))}, []string{a, b}},
		{"two points", [][]byte{pointOf(named(a)), pointOf(named(b))}, []string{a, b}},
		{"five", [][]byte{pointOf(named(a, b)), pointOf(named(a, b, a))}, []string{a, b, a, b}},
		{"case 91 only a directory", [][]byte{pointOf(named("ldap:///CN=CA?deltaRevocationList"))}, nil},
		{"case 91 a directory first", [][]byte{pointOf(named("ldap://dc.example/CN=CA", a))}, []string{a}},
		{"a directory name", [][]byte{pointOf(directory), pointOf(named(a))}, []string{a}},
		{"a scheme in capitals", [][]byte{pointOf(named("HTTP://crl.example/a"))}, []string{"HTTP://crl.example/a"}},
		{"other schemes", [][]byte{pointOf(named("ftp://crl.example/a", "file:///etc/passwd", "javascript:0", "httpx://crl.example/"))}, nil},
		{"no scheme or host", [][]byte{pointOf(named("//crl.example/a", "crl.example/a", "http:", "http:///a", "http:a", ""))}, nil},
		{"what no URL holds", [][]byte{pointOf(named("http://crl.example/a b", "http://crl.example/\x00", "http://crl.example/\x7f", "http://crl.example/é", "http://crl.example/\xff"))}, nil},
		{"a broken URL", [][]byte{pointOf(named("http://[::1/a", "http://crl.example/%zz"))}, nil},
		{"a point of an indirect list", [][]byte{pointOf(named(a), issuerName), pointOf(named(b))}, []string{b}},
		{"a point without a name", [][]byte{pointOf(ocsptest.Reasons(ocsptest.Context(1), 1), issuerName), pointOf(named(b))}, []string{b}},
		{"a point that cannot be read", [][]byte{pointOf(named(a)), {5, 0}}, nil},
		{"no points", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := ocsptest.FreshestCRL(c.points...)
			l := s.list()
			l.Extensions = append(l.Extensions, e)
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Good, nil)
			list := parse(t, s.ca, encode(t, l))
			assert.Equal(t, c.want, list.FreshestURLs())
			if len(c.want) > 0 {
				list.FreshestURLs()[0] = "http://evil.example"
				assert.Equal(t, c.want, list.FreshestURLs(), "the caller has a copy")
			}
			assert.Equal(t, c.want, withDelta(t, list, s, s.delta(7, 8)).FreshestURLs())
			cert := makeCert(t, "client", newKey(t), s.ca, asClient, extra(e))
			assert.Equal(t, c.want, evidence.PointersOf(cert.cert).Deltas)
		})
	}
	assert.Empty(t, evidence.PointersOf(s.client.cert).Deltas)
	other := ocsptest.DistributionPoints(ocsptest.Point(named(a)))
	assert.Empty(t, evidence.PointersOf(makeCert(t, "client", newKey(t), s.ca, asClient, extra(other)).cert).Deltas, "distribution points are for complete lists")
}
