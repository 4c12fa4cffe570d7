package evidence_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

const (
	shardA = "http://crl.example/a.crl"
	shardB = "http://crl.example/b.crl"
)

func point(fields ...[]byte) change {
	return extra(ocsptest.DistributionPoints(ocsptest.Point(fields...)))
}

func uri(text string) []byte { return ocsptest.FullName(ocsptest.URI(text)) }

// withPoint returns the base list with an issuing distribution point.
func (s *scene) withPoint(fields ...[]byte) ocsptest.List {
	l := s.list()
	l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(fields...))
	return l
}

// Cases 76 to 78, rule C6: the name of the list and the names in the certificate.
func TestVerifyCRL_ScopeByName(t *testing.T) {
	pointOf := ocsptest.Point
	points := func(list ...[]byte) change { return extra(ocsptest.DistributionPoints(list...)) }
	issuerName := ocsptest.Element(ocsptest.Explicit(2), ocsptest.URI("http://crl.example/issuer"))
	directory := func(s *scene) []byte {
		return ocsptest.FullName(ocsptest.Element(ocsptest.Explicit(4), s.ca.cert.RawSubject))
	}
	named := func(name []byte) []byte { return ocsptest.FullName(ocsptest.Element(ocsptest.Explicit(4), name)) }
	attribute := ocsptest.Element(ocsptest.TagSequence, []byte{6, 3, 0x55, 4, 3}, []byte("\x0c\x01a"))
	only := func(name []byte) func(*scene) []byte { return func(*scene) []byte { return name } }
	const good, unavailable = evidence.Good, evidence.Unavailable
	scope := evidence.ErrCRLScope
	for _, c := range []struct {
		name   string
		cert   change
		list   func(*scene) []byte // the name in the list, nil: no IDP
		status evidence.Status
		err    error
	}{
		{"case 76 the list names the certificate's point", point(uri(shardA)), only(uri(shardA)), good, nil},
		{"case 76 the list names another shard", point(uri(shardA)), only(uri(shardB)), unavailable, scope},
		{"case 76 another scheme", point(uri(shardA)), only(uri("https://crl.example/a.crl")), unavailable, scope},
		{"case 76 another case of the host", point(uri(shardA)), only(uri("http://CRL.example/a.crl")), unavailable, scope},
		{"case 76 a slash more", point(uri(shardA)), only(uri(shardA + "/")), unavailable, scope},
		{"case 76 the beginning of the name", point(uri(shardA)), only(uri(shardA[:len(shardA)-1])), unavailable, scope},
		{"case 76 the same text as another kind of name", point(uri(shardA)), only(ocsptest.FullName(ocsptest.Element(ocsptest.Context(2), []byte(shardA)))), unavailable, scope},
		{"case 76 the certificate has no points", nil, only(uri(shardA)), unavailable, scope},
		{"case 76 one of several names of the list", point(uri(shardA)), only(ocsptest.FullName(ocsptest.URI(shardB), ocsptest.URI(shardA))), good, nil},
		{"case 76 one of several names of the point", point(ocsptest.FullName(ocsptest.URI(shardB), ocsptest.URI(shardA))), only(uri(shardA)), good, nil},
		{"case 76 a directory name in both", nil, nil, good, nil}, // made below
		// finding C16: RFC 5280, section 6.3.3, last paragraph: a list with the CA's own name covers all of its
		// certificates.
		{"the CA's own name, and a certificate without points", nil, directory, good, nil},
		{"the CA's own name in other letters, and a certificate without points", nil, func(s *scene) []byte {
			return named(bytes.ReplaceAll(s.ca.cert.RawSubject, []byte("Clients"), []byte("CLIENTS")))
		}, good, nil},
		{"the CA's own name, and a certificate with a point", point(uri(shardA)), directory, good, nil},
		{"another CA's name, and a certificate without points", nil, func(s *scene) []byte { return named(s.root.cert.RawSubject) }, unavailable, scope},
		{"another CA's name, and a certificate with a point", point(uri(shardA)), func(s *scene) []byte { return named(s.root.cert.RawSubject) }, unavailable, scope},
		{"the CA's own name beside another shard's", nil, func(s *scene) []byte {
			return ocsptest.FullName(ocsptest.URI(shardB), ocsptest.Element(ocsptest.Explicit(4), s.ca.cert.RawSubject))
		}, good, nil},
		{"case 76 the list has a relative name alone", point(uri(shardA)), only(ocsptest.RelativeName(attribute)), unavailable, scope},
		{"case 76 the point is one of an indirect CRL", point(uri(shardA), issuerName), only(uri(shardA)), unavailable, scope},
		{"case 76 a point of reasons alone", points(pointOf(ocsptest.Reasons(ocsptest.Context(1), 1), issuerName)), only(uri(shardA)), unavailable, scope},
		{"case 77 the second point matches", points(pointOf(uri(shardB)), pointOf(uri(shardA))), only(uri(shardA)), good, nil},
		{"case 77 the third matches, the second is indirect", points(pointOf(uri(shardB)), pointOf(uri(shardA), issuerName), pointOf(uri(shardA))), only(uri(shardA)), good, nil},
		{"case 78 no name in the list, points in the certificate", point(uri(shardA)), nil, good, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			if c.name == "case 76 a directory name in both" {
				name := directory(s)
				c.cert, c.list = point(name), only(name)
			}
			if c.cert != nil {
				s.client = makeCert(t, "client", newKey(t), s.ca, asClient, c.cert)
			}
			l := s.list()
			if c.list != nil {
				l = s.withPoint(c.list(s))
			}
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, c.status, c.err)
		})
	}
	t.Run("case 76 a shard that names another, and our serial number", func(t *testing.T) {
		s := newScene(t, point(uri(shardA)))
		l := s.withPoint(uri(shardB))
		l.Entries = append(l.Entries, entryFor(s.client))
		result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, unavailable, scope)
	})
	t.Run("case 76 an issuing point that is not marked critical counts all the same", func(t *testing.T) {
		s := newScene(t, point(uri(shardA)))
		l := s.withPoint(uri(shardB))
		l.Extensions[len(l.Extensions)-1].Critical = false
		result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, unavailable, scope)
	})
}

// Case 79, rule C6: the kinds of certificates.
func TestVerifyCRL_ScopeByKind(t *testing.T) {
	s := newScene(t)
	sub := makeCert(t, "Sub CA", newKey(t), s.ca, asCA)
	v1 := version1(t, s)
	const good, unavailable = evidence.Good, evidence.Unavailable
	scope, malformed := evidence.ErrCRLScope, evidence.ErrMalformed
	for name, c := range map[string]struct {
		flag   uint8
		of     *identity
		status evidence.Status
	}{
		"case 79 users only, a client":                   {1, s.client, good},
		"case 79 users only, a CA":                       {1, sub, unavailable},
		"case 79 users only, a certificate of version 1": {1, v1, unavailable},
		"case 79 CAs only, a client":                     {2, s.client, unavailable},
		"case 79 CAs only, a CA":                         {2, sub, good},
		"case 79 attribute certificates only, a client":  {5, s.client, unavailable},
		"case 79 attribute certificates only, a CA":      {5, sub, unavailable},
		"case 80 indirect, a client":                     {4, s.client, unavailable},
		"case 80 indirect, a CA":                         {4, sub, unavailable},
	} {
		one := evidenceCase{name: name, der: encode(t, s.withPoint(ocsptest.Flag(c.flag))), status: c.status}
		if c.status == unavailable {
			one.err = scope
		}
		if c.flag == 4 {
			one.err = evidence.ErrIndirectCRL
		}
		run(t, bothWays(t), c.of, s.ca, []evidenceCase{one})
	}
	assert.ErrorIs(t, evidence.ErrIndirectCRL, scope)
	bad := func(fields ...[]byte) []byte { return encode(t, s.withPoint(fields...)) }
	boolean := func(n, value byte) []byte { return ocsptest.Element(ocsptest.Context(n), []byte{value}) }
	run(t, bothWays(t), s.client, s.ca, []evidenceCase{
		{"rule C6 an empty issuing point", bad(), nil, unavailable, malformed},
		{"rule C6 FALSE is written out", bad(boolean(1, 0)), nil, unavailable, malformed},
		{"rule C6 FALSE of indirect is written out", bad(ocsptest.Flag(1), boolean(4, 0)), nil, unavailable, malformed},
		{"rule C6 TRUE is 01", bad(boolean(1, 1)), nil, unavailable, malformed},
		{"rule C6 TRUE of two bytes", bad(ocsptest.Element(ocsptest.Context(1), []byte{0xFF, 0xFF})), nil, unavailable, malformed},
		{"rule C6 users and CAs", bad(ocsptest.Flag(1), ocsptest.Flag(2)), nil, unavailable, malformed},
		{"rule C6 users and attribute certificates", bad(ocsptest.Flag(1), ocsptest.Flag(5)), nil, unavailable, malformed},
		{"rule C6 in another order", bad(ocsptest.Flag(4), ocsptest.Flag(1)), nil, unavailable, malformed},
		{"rule C6 a field that is not defined", bad(ocsptest.Flag(6)), nil, unavailable, malformed},
		{"rule C6 a name without names", bad(ocsptest.FullName()), nil, unavailable, malformed},
		{"rule C6 an empty set of reasons", bad(ocsptest.Element(ocsptest.Context(3), []byte{0})), nil, unavailable, malformed},
		{"rule C6 reasons with a zero bit at the end", bad(ocsptest.Element(ocsptest.Context(3), []byte{0, 0x40})), nil, unavailable, malformed},
	})
}

// Case 81, rules C1 and C6: lists that each cover some reasons.
func TestVerifyCRL_ScopeByReasons(t *testing.T) {
	inPoint := func(n ...int) []byte { return ocsptest.Reasons(ocsptest.Context(1), n...) }
	inList := func(n ...int) []byte { return ocsptest.Reasons(ocsptest.Context(3), n...) }
	mask := func(n ...int) (m uint16) {
		for _, one := range n {
			m |= 1 << one
		}
		return m
	}
	all := []int{1, 2, 3, 4, 5, 6, 7, 8}
	for _, c := range []struct {
		name string
		cert [][]byte // the certificate's point
		list [][]byte
		want uint16
	}{
		{"all reasons by default", [][]byte{uri(shardA)}, [][]byte{uri(shardA)}, evidence.AllReasons},
		{"all reasons, written out in the list", nil, [][]byte{inList(all...)}, evidence.AllReasons},
		{"some reasons in the list", nil, [][]byte{inList(1, 2)}, mask(1, 2)},
		{"all but one", nil, [][]byte{inList(1, 2, 3, 4, 5, 6, 7)}, mask(1, 2, 3, 4, 5, 6, 7)},
		{"some reasons in the point", [][]byte{uri(shardA), inPoint(1)}, [][]byte{uri(shardA)}, mask(1)},
		{"what list and point share", [][]byte{uri(shardA), inPoint(1, 2, 3)}, [][]byte{uri(shardA), inList(2, 3, 8)}, mask(2, 3)},
		{"list and point share nothing", [][]byte{uri(shardA), inPoint(1)}, [][]byte{uri(shardA), inList(2)}, 0},
		{"the unused bit alone", nil, [][]byte{inList(0)}, 0},
	} {
		t.Run("case 81 "+c.name, func(t *testing.T) {
			s := newScene(t)
			if c.cert != nil {
				s.client = makeCert(t, "client", newKey(t), s.ca, asClient, point(c.cert...))
			}
			l := s.withPoint(c.list...)
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			if c.want == evidence.AllReasons {
				expect(t, result, err, evidence.Good, nil)
			} else {
				expect(t, result, err, evidence.Unavailable, evidence.ErrCRLIncomplete)
			}
			assert.Equal(t, c.want, result.ReasonsCovered)
			l.Entries = append(l.Entries, entryFor(s.client, ocsptest.ReasonCode(1)))
			result, err = bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Revoked, nil)
		})
	}
	t.Run("case 81 two points together cover all", func(t *testing.T) {
		s := newScene(t, extra(ocsptest.DistributionPoints(
			ocsptest.Point(uri(shardA), inPoint(1, 2)), ocsptest.Point(uri(shardB), inPoint(3, 4, 5, 6, 7, 8)))))
		var together uint16
		for _, shard := range []string{shardA, shardB} {
			result, err := bothWays(t)(encode(t, s.withPoint(uri(shard))), s.client.cert, s.ca.cert, at(now))
			expect(t, result, err, evidence.Unavailable, evidence.ErrCRLIncomplete)
			together |= result.ReasonsCovered
		}
		assert.Equal(t, evidence.AllReasons, together)
	})
	t.Run("case 81 two points of one name cover what both do", func(t *testing.T) {
		s := newScene(t, extra(ocsptest.DistributionPoints(
			ocsptest.Point(uri(shardA), inPoint(1, 2, 3, 4)), ocsptest.Point(uri(shardA), inPoint(5, 6, 7, 8)))))
		result, err := bothWays(t)(encode(t, s.withPoint(uri(shardA))), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Good, nil)
	})
}

// Rule C1: unreadable distribution points give no scope to a list with a name.
func TestVerifyCRL_MalformedDistributionPoints(t *testing.T) {
	many := make([][]byte, 0, 65)
	for range 65 {
		many = append(many, ocsptest.Point(uri(shardA)))
	}
	value := ocsptest.DistributionPoints(ocsptest.Point(uri(shardA))).Value
	for name, c := range map[string]struct {
		value []byte
		err   error
	}{
		"sixty-five points": {ocsptest.Element(ocsptest.TagSequence, many...), evidence.ErrLimits},
		"sixty-four points": {ocsptest.Element(ocsptest.TagSequence, many[:64]...), nil},
		"a point with a field that is not defined": {
			ocsptest.DistributionPoints(ocsptest.Point(uri(shardA), ocsptest.Flag(3))).Value, evidence.ErrMalformed,
		},
		"one good point": {value, nil},
	} {
		t.Run("rule C1 "+name, func(t *testing.T) {
			s := newScene(t, extra(ocsptest.Extension{OID: ocsptest.OIDDistributionPoints, Value: c.value}))
			result, err := bothWays(t)(encode(t, s.withPoint(uri(shardA))), s.client.cert, s.ca.cert, at(now))
			if c.err == nil {
				expect(t, result, err, evidence.Good, nil)
			} else {
				expect(t, result, err, evidence.Unavailable, c.err)
			}
		})
	}
}

// A list does not clear a CA certificate whose own key has signed the list.
func TestVerifyCRL_NoCAClearsItself(t *testing.T) {
	s := newScene(t)
	newer := makeCert(t, "Clients CA", newKey(t), s.ca, asCA)
	l := s.list()
	l.Key, l.Extensions = newer.key, nil
	o := at(now)
	o.CRLIssuers = certs(newer)
	result, err := bothWays(t)(encode(t, l), newer.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Unavailable, evidence.ErrCRLIssuer)
	result, err = bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
}
