package evidence_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// numbered returns URLs of one host, from 1 on.
func numbered(n int) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf("http://pki.example/%d", i+1))
	}
	return urls
}

// distribution returns an extension with these points, each of which has these URLs.
func distribution(id asn1.ObjectIdentifier, points ...[]string) pkix.Extension {
	var all [][]byte
	for _, urls := range points {
		var names [][]byte
		for _, one := range urls {
			names = append(names, ocsptest.URI(one))
		}
		all = append(all, ocsptest.Point(ocsptest.FullName(names...)))
	}
	return pkix.Extension{Id: id, Value: ocsptest.Element(ocsptest.TagSequence, all...)}
}

// RFC 5280, sections 4.2.1.13, 4.2.1.15 and 4.2.2.1: which sources a certificate names. A
// certificate that names any, in whatever form, is never treated as one whose CA publishes nothing.
func TestPointersOf_EverySourceIsNamedAndTheFirstAreUsed(t *testing.T) {
	points, freshest := asn1.ObjectIdentifier{2, 5, 29, 31}, asn1.ObjectIdentifier{2, 5, 29, 46}
	netscape := func(last int) pkix.Extension {
		return pkix.Extension{Id: asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, last}, Value: []byte("\x16\x01x")}
	}
	access := func(method int, location []byte, behind ...byte) pkix.Extension {
		id := ocsptest.OID(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, method})
		one := ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.TagSequence, id, location))
		return pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: append(one, behind...)}
	}
	of := func(point []byte) pkix.Extension {
		return pkix.Extension{Id: points, Value: ocsptest.Element(ocsptest.TagSequence, point)}
	}
	relative := ocsptest.Point(ocsptest.Element(ocsptest.Explicit(0), ocsptest.Element(ocsptest.Explicit(1), []byte{0x31, 0})))
	const ldap = "ldap:///CN=Contoso%20CA"
	for _, tc := range []struct {
		name       string
		responders []string
		extensions []pkix.Extension
		want       evidence.Pointers // without Unused
		unused     []string          // parts of Unused
	}{
		{name: "nothing"},
		{name: "the CA's certificate and a key usage", extensions: []pkix.Extension{
			access(2, ocsptest.URI("http://pki.example/ca.cer")), {Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 2, 7, 128}},
		}},
		{name: "one responder", responders: numbered(1), want: evidence.Pointers{Named: true, Responders: numbered(1)}},
		{name: "three responders", responders: numbered(3), want: evidence.Pointers{Named: true, Responders: numbered(3)}},
		{name: "four responders", responders: numbered(4), want: evidence.Pointers{Named: true, Responders: numbered(3)}},
		{
			name: "unusable responders do not count", responders: append([]string{ldap, "pki.example"}, numbered(3)...),
			want: evidence.Pointers{Named: true, Responders: numbered(3)},
		},
		{
			name: "a responder by a directory name", extensions: []pkix.Extension{access(1, directory([]byte{0x30, 0}))},
			want: evidence.Pointers{Named: true}, unused: []string{"OCSP responder", "directory name"},
		},
		{
			name: "an information access that cannot be read", extensions: []pkix.Extension{access(2, ocsptest.URI("http://pki.example/ca.cer"), 0)},
			want: evidence.Pointers{Named: true},
		},
		{
			name:       "a location behind a location",
			extensions: []pkix.Extension{access(2, append(ocsptest.URI("http://pki.example/ca.cer"), ocsptest.URI("http://pki.example/")...))},
			want:       evidence.Pointers{Named: true},
		},
		{
			name:       "another CRL issuer alone",
			extensions: []pkix.Extension{of(ocsptest.Point(ocsptest.Element(ocsptest.Explicit(2), directory([]byte{0x30, 0}))))},
			want:       evidence.Pointers{Named: true}, unused: []string{"(no name)", "indirect CRLs are not supported"},
		},
		{
			name:       "a point by an address",
			extensions: []pkix.Extension{of(ocsptest.Point(ocsptest.FullName(ocsptest.Element(ocsptest.Context(1), []byte("crl@pki.example")))))},
			want:       evidence.Pointers{Named: true}, unused: []string{"in another form", "is not a URL"},
		},
		{
			name: "a point with one URL", extensions: []pkix.Extension{distribution(points, numbered(1))},
			want: evidence.Pointers{Named: true, Lists: [][]string{numbered(1)}},
		},
		{
			name: "four points with four URLs", extensions: []pkix.Extension{distribution(points, numbered(4), numbered(4), numbered(4), numbered(4))},
			want: evidence.Pointers{Named: true, Lists: [][]string{numbered(4), numbered(4), numbered(4), numbered(4)}},
		},
		{
			name: "five points, and five URLs", extensions: []pkix.Extension{distribution(points, numbered(5), numbered(1), numbered(2), numbered(3), numbered(4))},
			want: evidence.Pointers{Named: true, Lists: [][]string{numbered(4), numbered(1), numbered(2), numbered(3)}},
		},
		{
			name: "points without a usable URL do not count", extensions: []pkix.Extension{distribution(points, []string{ldap}, append([]string{ldap}, numbered(2)...))},
			want: evidence.Pointers{Named: true, Lists: [][]string{numbered(2)}}, unused: []string{`the CRL distribution point "ldap:`, `scheme "ldap"`},
		},
		{
			name: "a point by a relative name", extensions: []pkix.Extension{of(relative)},
			want: evidence.Pointers{Named: true}, unused: []string{"CRL distribution point by a name relative to the CA"},
		},
		{
			name: "a point of another CRL issuer", extensions: []pkix.Extension{of(ocsptest.Point(uri(shardA), ocsptest.Element(ocsptest.Explicit(2), directory([]byte{0x30, 0}))))},
			want: evidence.Pointers{Named: true}, unused: []string{shardA, "indirect CRLs are not supported"},
		},
		{
			name: "points that cannot be read", extensions: []pkix.Extension{{Id: points, Value: []byte{0x30, 0}}},
			want: evidence.Pointers{Named: true}, unused: []string{"the CRL distribution point in an extension that cannot be read"},
		},
		{
			name: "five deltas", extensions: []pkix.Extension{distribution(freshest, numbered(5)[:3], numbered(5)[3:])},
			want: evidence.Pointers{Named: true, NamesDelta: true, Deltas: numbered(4)},
		},
		{
			name: "a delta by ldap", extensions: []pkix.Extension{distribution(freshest, []string{ldap})},
			want: evidence.Pointers{Named: true, NamesDelta: true}, unused: []string{"the delta CRL", `scheme "ldap"`},
		},
		{
			name: "deltas that cannot be read", extensions: []pkix.Extension{{Id: freshest, Value: []byte{0x30, 0}}},
			want: evidence.Pointers{Named: true, NamesDelta: true}, unused: []string{"the delta CRL", "cannot be read"},
		},
		{name: "a Netscape revocation URL", extensions: []pkix.Extension{netscape(3)}, want: evidence.Pointers{Named: true}, unused: []string{"Netscape"}},
		{name: "a Netscape revocation URL of the CA", extensions: []pkix.Extension{netscape(4)}, want: evidence.Pointers{Named: true}, unused: []string{"Netscape"}},
		{name: "another Netscape extension", extensions: []pkix.Extension{netscape(1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := evidence.PointersOf(&x509.Certificate{OCSPServer: tc.responders, Extensions: tc.extensions})
			for _, part := range tc.unused {
				assert.Contains(t, got.Unused, part)
			}
			if len(tc.unused) == 0 {
				assert.Empty(t, got.Unused)
			}
			got.Unused = ""
			assert.Equal(t, tc.want, got)
		})
	}
}

// A certificate may name many unusable sources; a refusal lists three of them.
func TestPointersOf_TellsThreeUnusedSources(t *testing.T) {
	for n, more := range map[int]string{3: "", 4: "and 1 more", 6: "and 3 more"} {
		var urls []string
		for i := range n {
			urls = append(urls, fmt.Sprintf("ftp://pki.example/%d", i+1))
		}
		unused := evidence.PointersOf(&x509.Certificate{Extensions: []pkix.Extension{distribution(asn1.ObjectIdentifier{2, 5, 29, 31}, urls)}}).Unused
		assert.Contains(t, unused, "ftp://pki.example/3")
		assert.NotContains(t, unused, "ftp://pki.example/4")
		if more == "" {
			assert.NotContains(t, unused, "more")
		} else {
			assert.Contains(t, unused, more)
		}
	}
}

// In an IA5String, a URL consists of the bytes 0x20 to 0x7e, and the space must be escaped (RFC
// 3986, section 2); a scheme begins with an ASCII letter (section 3.1).
func TestPointersOf_SaysWhyAURLIsNotFetched(t *testing.T) {
	for url, says := range map[string]string{
		" " + "http://pki.example/":      "byte 0x20",
		"http://pki.example/\x7f":        "byte 0x7f",
		"http://pki.example/~a":          "",
		"HTTPS://pki.example/a":          "",
		"pki.example":                    "no scheme",
		"://pki.example":                 "cannot be read as a URL",
		"pki.example/ca.crl?a:b":         "no scheme",
		"ldap://pki.example":             `scheme "ldap"`,
		"http:pki.example":               "cannot be read as a URL",
		"http://pki.example:port/ca.crl": "cannot be read as a URL",
	} {
		got := evidence.PointersOf(&x509.Certificate{Extensions: []pkix.Extension{distribution(asn1.ObjectIdentifier{2, 5, 29, 31}, []string{url})}})
		if says == "" {
			assert.Equal(t, [][]string{{url}}, got.Lists)
			assert.Empty(t, got.Unused, url)
			continue
		}
		assert.Empty(t, got.Lists, url)
		assert.Contains(t, got.Unused, says, url)
	}
}

// At most four names of a point are listed.
func TestPointersOf_TellsFourNamesOfAPoint(t *testing.T) {
	for n, more := range map[int]string{3: "", 4: "", 5: "and 1 more", 7: "and 3 more"} {
		var names [][]byte
		for _, one := range numbered(n) {
			names = append(names, ocsptest.URI(one))
		}
		other := ocsptest.Point(ocsptest.FullName(names...), ocsptest.Element(ocsptest.Explicit(2), directory([]byte{0x30, 0})))
		unused := evidence.PointersOf(&x509.Certificate{Extensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 31}, Value: ocsptest.Element(ocsptest.TagSequence, other)},
		}}).Unused
		for _, told := range numbered(min(n, 4)) {
			assert.Contains(t, unused, told)
		}
		assert.NotContains(t, unused, "http://pki.example/5")
		if more == "" {
			assert.NotContains(t, unused, "more")
		} else {
			assert.Contains(t, unused, more)
		}
	}
}
