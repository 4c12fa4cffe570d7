package revocation_test

import (
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// An authority information access that crypto/x509 reads, but that is malformed according to RFC
// 5280, section 4.2.2.1, may name any source: AllowNoSource does not treat it as one that names
// none.
func TestChecker_MalformedAuthorityInformationNamesASource(t *testing.T) {
	authority := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	issuers := ocsptest.OID(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2})
	seq := func(parts ...[]byte) []byte { return ocsptest.Element(ocsptest.TagSequence, parts...) }
	location, null := ocsptest.URI("http://pki.example/ca.cer"), []byte{5, 0}
	sound := seq(seq(issuers, location))
	for _, c := range []struct {
		name  string
		value []byte
		names bool
	}{
		{"where the CA's certificate is", sound, false},
		{"two such places", seq(seq(issuers, location), seq(issuers, location)), false},
		{"something after the list", append(append([]byte{}, sound...), null...), true},
		{"something behind a location", seq(seq(issuers, location, null)), true},
		{"a description without a location", seq(seq(issuers)), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			client := w.issue(t, "client", unpointed, extra(ocsptest.Extension{OID: authority, Value: c.value}))
			found, err := w.checker(t, leafOnly, allowNoSource).CheckChain(t.Context(), w.chain(client))
			if !c.names {
				require.NoError(t, err)
				assert.Equal(t, isWaived.String(), found.Status.String())
				return
			}
			require.ErrorIs(t, err, revocation.ErrNoSource)
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		})
	}
}

// The operator is told about the pointers that cannot be followed: about three of them, four names
// of each, and the number of the others.
func TestChecker_RefusalTellsThePointersThatCannotBeFollowed(t *testing.T) {
	w := wire(t)
	lists := func(n int) change {
		var names [][]byte
		for range n {
			names = append(names, ocsptest.URI("ldap:///x"))
		}
		return point(ocsptest.FullName(names...))
	}
	indirect := ocsptest.Element(ocsptest.Explicit(2), directory(w.root.cert.RawSubject))
	indirectly := func(n int) change {
		var names [][]byte
		for range n {
			names = append(names, ocsptest.URI("http://pki.example/all.crl"))
		}
		return point(ocsptest.FullName(names...), indirect)
	}
	for name, c := range map[string]struct {
		with  change
		says  string
		never string
	}{
		"a CRL":                       {lists(1), "the CRL distribution point ", "delta"},
		"a delta CRL":                 {extra(freshest("ldap:///x")), "the delta CRL at ", "the CRL distribution point"},
		"reasons alone":               {point(ocsptest.Reasons(ocsptest.Context(1), 1)), "by a name relative to the CA", "cannot be read"},
		"three lists":                 {lists(3), "the CRL distribution point ", " more"},
		"five lists":                  {lists(5), "; and 2 more", "; and 3 more"},
		"an indirect CRL, four names": {indirectly(4), "indirect CRLs are not supported", " more"},
		"an indirect CRL, six names":  {indirectly(6), ", and 2 more", "; and"},
	} {
		client := w.issue(t, "client", unpointed, c.with)
		_, err := w.checker(t, leafOnly, allowNoSource).CheckChain(t.Context(), w.chain(client))
		require.ErrorIs(t, err, revocation.ErrNoSource, name)
		assert.ErrorContains(t, err, c.says, name)
		assert.NotContains(t, err.Error(), c.never, name)
	}
}

// The refusal names the setting because of which a usable pointer is not followed.
func TestChecker_RefusalNamesTheSettingThatLeavesPointersOut(t *testing.T) {
	w := wire(t)
	crlAlone := w.issue(t, "client", unpointed, point(uri(crlURL)))
	responderAlone := w.issue(t, "client", unpointed, responderAt(ocsptest.URI(ocspURL)))
	for _, c := range []struct {
		name   string
		client *identity
		config func(*revocation.Config)
		says   string
	}{
		{"OCSPOnly and a CRL", crlAlone, sources(revocation.OCSPOnly), "OCSPOnly leaves that out"},
		{"CRLOnly and a responder", responderAlone, sources(revocation.CRLOnly), "CRLOnly leaves that out"},
	} {
		_, err := w.checker(t, leafOnly, c.config).CheckChain(t.Context(), w.chain(c.client))
		require.ErrorIs(t, err, revocation.ErrNoSource, c.name)
		assert.ErrorContains(t, err, c.says, c.name)
	}
}
