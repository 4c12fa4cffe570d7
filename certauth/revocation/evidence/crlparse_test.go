package evidence_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Unreadable data signed by the issuer itself is malformed, even if the truncated part would not
// have contained our certificate (RFC 5280, section 5.1).
func TestVerifyCRL_TBSCertListIsReadToTheEnd(t *testing.T) {
	s := newScene(t)
	algorithm := ocsptest.AlgorithmFor(s.ca.key)
	version, issuer := ocsptest.Integer(big.NewInt(1)), s.ca.cert.RawSubject
	from, to := ocsptest.UTCAt(now.Add(-day)), ocsptest.UTCAt(now.Add(day))
	entries := ocsptest.Element(ocsptest.TagSequence, entryFor(s.other).DER())
	extensions := ocsptest.Extensions([]ocsptest.Extension{ocsptest.AuthorityKeyID(s.ca.cert.SubjectKeyId), ocsptest.CRLNumber(7)})
	wrapped := ocsptest.Element(ocsptest.Explicit(0), extensions)
	malformed := evidence.ErrMalformed
	for name, tc := range map[string]struct {
		parts [][]byte
		want  error
	}{
		"all parts":                        {[][]byte{version, algorithm.Identifier, issuer, from, to, entries, wrapped}, nil},
		"no entries":                       {[][]byte{version, algorithm.Identifier, issuer, from, to, wrapped}, nil},
		"entries that are cut off":         {[][]byte{version, algorithm.Identifier, issuer, from, to, {0x30, 0x05, 0x01}}, malformed},
		"entries with an indefinite end":   {[][]byte{version, algorithm.Identifier, issuer, from, to, {0x30, 0x80, 0x00, 0x00}}, malformed},
		"extensions that are cut off":      {[][]byte{version, algorithm.Identifier, issuer, from, to, entries, {0xA0, 0x05, 0x30}}, malformed},
		"bytes after the extensions":       {[][]byte{version, algorithm.Identifier, issuer, from, to, entries, wrapped, {5, 0}}, malformed},
		"a nextUpdate that is cut off":     {[][]byte{version, algorithm.Identifier, issuer, from, {0x17, 0x0D, '2'}}, malformed},
		"no thisUpdate":                    {[][]byte{version, algorithm.Identifier, issuer, entries, wrapped}, malformed},
		"no issuer":                        {[][]byte{version, algorithm.Identifier, from, to, entries, wrapped}, malformed},
		"an issuer that is a SET":          {[][]byte{version, algorithm.Identifier, append([]byte{0x31}, issuer[1:]...), from, to, entries, wrapped}, malformed},
		"the algorithm after the issuer":   {[][]byte{version, issuer, algorithm.Identifier, from, to, entries, wrapped}, malformed},
		"version 3":                        {[][]byte{ocsptest.Integer(big.NewInt(2)), algorithm.Identifier, issuer, from, to, entries, wrapped}, malformed},
		"a version of nine octets":         {[][]byte{ocsptest.Element(ocsptest.TagInteger, bytes.Repeat([]byte{1}, 9)), algorithm.Identifier, issuer, from, to, entries, wrapped}, malformed},
		"extensions in version 1":          {[][]byte{algorithm.Identifier, issuer, from, to, entries, wrapped}, malformed},
		"no parts":                         {nil, malformed},
		"extensions under another tag":     {[][]byte{version, algorithm.Identifier, issuer, from, to, entries, ocsptest.Element(ocsptest.Explicit(1), extensions)}, malformed},
		"extensions without the explicit":  {[][]byte{version, algorithm.Identifier, issuer, from, to, entries, extensions}, malformed},
		"entries after the extensions":     {[][]byte{version, algorithm.Identifier, issuer, from, to, wrapped, entries}, malformed},
		"thisUpdate that is GeneralString": {[][]byte{version, algorithm.Identifier, issuer, append([]byte{0x1B}, from[1:]...), to, entries, wrapped}, malformed},
	} {
		t.Run(name, func(t *testing.T) {
			l := ocsptest.List{TBS: ocsptest.Element(ocsptest.TagSequence, tc.parts...), Key: s.ca.key}
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			expectGoodUnless(t, result, err, tc.want)
		})
	}
}

// RFC 5280, sections 5.2.1 and 5.2.3: these extensions are read completely, otherwise the list is
// refused.
func TestVerifyCRL_ExtensionsOfTheListAreReadToTheEnd(t *testing.T) {
	s := newScene(t)
	keyID := func(value []byte) ocsptest.Extension {
		return ocsptest.Extension{OID: ocsptest.OIDAuthorityKeyID, Value: value}
	}
	number := func(value ...byte) ocsptest.Extension {
		return ocsptest.Extension{OID: ocsptest.OIDCRLNumber, Value: value}
	}
	sequence := func(content ...[]byte) []byte { return ocsptest.Element(ocsptest.TagSequence, content...) }
	id := ocsptest.Element(ocsptest.Context(0), s.ca.cert.SubjectKeyId)
	twenty := append([]byte{2, 20}, bytes.Repeat([]byte{0x7F}, 20)...)
	malformed := evidence.ErrMalformed
	for name, tc := range map[string]struct {
		extension ocsptest.Extension
		want      error
	}{
		"a key identifier":                            {keyID(sequence(id)), nil},
		"no key identifier, the issuer's name":        {keyID(sequence(ocsptest.Element(ocsptest.Explicit(1)), ocsptest.Element(ocsptest.Context(2), []byte{1}))), nil},
		"an authority key identifier with none":       {keyID(sequence()), nil},
		"an authority key identifier that is NULL":    {keyID([]byte{5, 0}), malformed},
		"an authority key identifier that is a SET":   {keyID(ocsptest.Element(0x31, id)), malformed},
		"bytes after the authority key identifier":    {keyID(append(sequence(id), 5, 0)), malformed},
		"a key identifier that is cut off":            {keyID(sequence([]byte{0x80, 5, 1})), malformed},
		"the authority key identifier is cut off":     {keyID(sequence(id)[:6]), malformed},
		"an empty authority key identifier extension": {keyID([]byte{}), malformed},
		"number 0":                      {number(2, 1, 0), nil},
		"number 127":                    {number(2, 1, 0x7F), nil},
		"number 128":                    {number(2, 2, 0, 0x80), nil},
		"a number of 20 octets":         {number(twenty...), nil},
		"a number of 21 octets":         {number(append([]byte{2, 21, 0}, bytes.Repeat([]byte{0xFF}, 20)...)...), malformed},
		"number -128":                   {number(2, 1, 0x80), malformed},
		"number -1":                     {number(2, 1, 0xFF), malformed},
		"bytes after the number":        {number(2, 1, 7, 0), malformed},
		"a number of no octets":         {number(2, 0), malformed},
		"a number with a zero too many": {number(2, 2, 0, 1), malformed},
	} {
		t.Run(name, func(t *testing.T) {
			l := s.list()
			l.Extensions = []ocsptest.Extension{tc.extension}
			result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
			expectGoodUnless(t, result, err, tc.want)
		})
	}
}

// A name of up to 16 KiB is compared, a longer one is not, because it is read before any signature
// is verified.
func TestVerifyCRL_NameOfTheIssuerIsBounded(t *testing.T) {
	s := newScene(t)
	nameOf := func(size int) []byte {
		attribute := func(n int) []byte {
			text := ocsptest.Element(asn1.TagUTF8String, bytes.Repeat([]byte{'x'}, n))
			return ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(0x31, ocsptest.Element(ocsptest.TagSequence, ocsptest.OID(asn1.ObjectIdentifier{2, 5, 4, 3}), text)))
		}
		name := attribute(size - (len(attribute(size)) - size))
		require.Len(t, name, size)
		return name
	}
	for size, want := range map[int]error{16 << 10: evidence.ErrCRLIssuer, 16<<10 + 1: evidence.ErrMalformed} {
		l := s.list()
		l.Issuer = nameOf(size)
		result, err := bothWays(t)(encode(t, l), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Unavailable, want)
	}
}

// The doc of Lookup: another name, or a key identifier that is not the issuer's, means another
// issuer. If one of them has no key identifier, the name decides.
func TestCRL_LookupComparesNameAndKey(t *testing.T) {
	keyed := func(id ...byte) change { return func(c *x509.Certificate) { c.SubjectKeyId = id } }
	plain := newScene(t)
	unnamed := func(ca *identity) *x509.Certificate { // a certificate whose issuer has no key identifier to name
		return makeCert(t, "client", newKey(t), &identity{cert: &x509.Certificate{RawSubject: ca.cert.RawSubject, PublicKey: ca.cert.PublicKey}, key: ca.key}, asClient).cert
	}
	one := makeCert(t, "Clients CA", newKey(t), plain.root, asCA, keyed(1))
	two := makeCert(t, "Clients CA", newKey(t), plain.root, asCA, keyed(2))
	other := makeCert(t, "Other CA", newKey(t), plain.root, asCA, keyed(1))
	list := func(ca *identity) *evidence.CRL {
		l := plain.list()
		l.Issuer, l.Key, l.Extensions = ca.cert.RawSubject, ca.key, []ocsptest.Extension{ocsptest.CRLNumber(7)}
		return parse(t, ca, encode(t, l))
	}
	bare := &identity{cert: new(x509.Certificate), key: one.key}
	*bare.cert = *one.cert
	bare.cert.SubjectKeyId = nil
	mismatch := evidence.ErrIssuerMismatch
	for name, tc := range map[string]struct {
		list *evidence.CRL
		cert *x509.Certificate
		want error
	}{
		"its own client":                       {list(one), makeCert(t, "client", newKey(t), one, asClient).cert, nil},
		"the client of another key":            {list(one), makeCert(t, "client", newKey(t), two, asClient).cert, mismatch},
		"the client of another name":           {list(one), makeCert(t, "client", newKey(t), other, asClient).cert, mismatch},
		"another name and no key identifier":   {list(one), unnamed(other), mismatch},
		"the same name, no key identifier":     {list(one), unnamed(one), nil},
		"an issuer without one":                {list(bare), makeCert(t, "client", newKey(t), one, asClient).cert, nil},
		"a list that is none":                  {new(evidence.CRL), makeCert(t, "client", newKey(t), one, asClient).cert, mismatch},
		"an issuer without one, of other name": {list(bare), makeCert(t, "client", newKey(t), other, asClient).cert, mismatch},
	} {
		result, err := tc.list.Lookup(tc.cert, at(now))
		if tc.want != nil {
			require.ErrorIs(t, err, tc.want, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, evidence.Good, result.Status, name)
	}
}
