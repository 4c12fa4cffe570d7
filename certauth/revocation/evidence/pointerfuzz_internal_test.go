package evidence

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// FuzzPointers reads the sources that a certificate names. Whatever they contain, the text about
// them is short and printable, and an extension that names CRLs, or that cannot be read, counts as
// naming a source.
func FuzzPointers(f *testing.F) {
	location := func(method asn1.ObjectIdentifier, name []byte) []byte {
		return ocsptest.Element(ocsptest.TagSequence, ocsptest.Element(ocsptest.TagSequence, ocsptest.OID(method), name))
	}
	directory := ocsptest.Element(ocsptest.Explicit(4), ocsptest.Element(ocsptest.TagSequence))
	for _, name := range [][]byte{ocsptest.URI("http://ocsp.example"), ocsptest.URI(" ldap://x\x00"), directory, nil} {
		f.Add(location(oidOCSP, name), uint8(0))
		f.Add(location(oidNoCheck, name), uint8(0))
		f.Add(ocsptest.DistributionPoints(ocsptest.Point(ocsptest.FullName(name))).Value, uint8(1))
		f.Add(ocsptest.DistributionPoints(ocsptest.Point(ocsptest.FullName(name), ocsptest.Element(ocsptest.Explicit(2), directory))).Value, uint8(2))
	}
	f.Add([]byte{5, 0}, uint8(0))
	f.Add([]byte(nil), uint8(1))
	f.Fuzz(func(t *testing.T, value []byte, kind uint8) {
		ids := []asn1.ObjectIdentifier{oidAuthorityInfo, oidDistributionPoints, oidFreshestCRL, oidNetscapeURL}
		id := ids[int(kind)%len(ids)]
		cert := &x509.Certificate{Extensions: []pkix.Extension{{Id: id, Value: value}}}
		named := PointersOf(cert)
		text := named.Unused
		assert.Less(t, len(text), 4096)
		for i := range len(text) {
			assert.True(t, text[i] >= ' ' && text[i] <= '~', "byte %#x", text[i])
		}
		locations, readable := responderLocations(value)
		assert.Equal(t, !id.Equal(oidAuthorityInfo) || !readable || len(locations) > 0, named.Named)
		if !readable {
			assert.Empty(t, locations)
		}
		if len(locations) > 0 && id.Equal(oidAuthorityInfo) && text == "" {
			for _, location := range locations {
				_, _, why := generalName(location)
				assert.Empty(t, why, "unusable sources are listed")
			}
		}
	})
}
