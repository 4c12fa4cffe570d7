package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// The doc of NotRevoked: if there are more than four chains, the shortest four are checked, and the
// others count neither for the identity nor for a rule on the issuer.
func TestNotRevoked_ChainsThatAreNotAskedAboutDoNotCount(t *testing.T) {
	issuing := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Issuing CA")
	var intermediates, roots []*x509.Certificate
	for range 4 {
		root := certauthtest.NewCA(t, "Near Root")
		roots = append(roots, root.Certificate)
		intermediates = append(intermediates, crossSign(t, issuing, root))
	}
	far := certauthtest.NewCA(t, "Far Root")
	between := far.NewIntermediate(t, "Policy CA")
	byBetween := crossSign(t, issuing, between)
	roots, intermediates = append(roots, far.Certificate), append([]*x509.Certificate{byBetween, between.Certificate}, intermediates...)
	leaf := issuing.Issue(t, "client").Certificate
	asking := func(asked *int) certauth.NotRevoked {
		return certauth.NotRevoked{Checker: askedFunc(func(chain []*x509.Certificate) certauth.Revocation {
			*asked++
			assert.Len(t, chain, 3, "one of the shortest")
			return certauth.Revocation{Status: certauth.RevocationGood}
		})}
	}
	chain := certauth.Chain{Roots: certauth.Certificates(roots...), Intermediates: certauth.Certificates(intermediates...)}
	asked := 0
	id, err := judge(t, certauth.All{chain, asking(&asked)}, leaf)
	require.NoError(t, err)
	assert.Positive(t, asked)
	require.Len(t, id.Chains, 4)
	for _, chain := range id.Chains {
		assert.Equal(t, "Near Root", chain[len(chain)-1].Subject.CommonName)
	}
	fromFar := certauth.IssuedBy{Certificates: certauth.Certificates(byBetween)}
	_, err = judge(t, certauth.All{chain, fromFar}, leaf)
	require.NoError(t, err, "the chain verifies")
	for name, policy := range map[string]certauth.All{
		"the rule on the issuer comes after":   {chain, asking(&asked), fromFar},
		"the rule on the issuer stands before": {chain, fromFar, asking(&asked)},
	} {
		_, err := judge(t, policy, leaf)
		assert.Equal(t, certauth.ReasonIssuerNotAllowed, reasonOf(err), "%s: %v", name, err)
	}
	// If all chains can be checked, none is omitted.
	four := certauth.Chain{Roots: certauth.Certificates(roots[:4]...), Intermediates: certauth.Certificates(intermediates[2:]...)}
	id, err = judge(t, certauth.All{four, asking(&asked)}, leaf)
	require.NoError(t, err)
	assert.Len(t, id.Chains, 4)
}

// askedFunc is a checker that never returns an error.
type askedFunc func([]*x509.Certificate) certauth.Revocation

func (f askedFunc) CheckChain(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	return f(chain), nil
}

// Not accepts what its rule refuses, but only if the rule could read it: a name or a value that
// cannot be compared with the list is not a different name or value.
func TestNot_AcceptsAnotherValueAndNoUnreadableOne(t *testing.T) {
	w := newWorld(t)
	not := func(p certauth.Policy) certauth.Policy { return w.behind(certauth.Not{Policy: p}) }
	const oid = "1.3.6.1.4.1.99999.3"
	text := certauth.Extension{OID: oid, Text: []string{"blocked"}}
	held := func(tag byte, value string) *x509.Certificate {
		return w.issue(t, withExtension(oid, append([]byte{tag, byte(len(value))}, value...)))
	}
	const refused, accepted = certauth.ReasonPolicyRefused, certauth.ReasonNone
	runVerdicts(t, []verdict{
		{"the principal that is excluded", not(certauth.UPNs{"eve@blocked.example"}), w.issue(t, san(t, upn(t, "eve@blocked.example"))), refused},
		{"another principal", not(certauth.UPNs{"eve@blocked.example"}), w.issue(t, san(t, upn(t, "alice@blocked.example"))), accepted},
		{"no principal at all", not(certauth.UPNs{"eve@blocked.example"}), w.issue(t), accepted},
		{"the address that is excluded", not(certauth.IPs{"10.1.2.3"}), w.issue(t, certauthtest.IP("10.1.2.3")), refused},
		{"another address", not(certauth.IPs{"10.1.2.3"}), w.issue(t, certauthtest.IP("10.1.2.4")), accepted},
		{"the URI that is excluded", not(certauth.URIs{"https://a.example/x"}), w.issue(t, certauthtest.URI(t, "https://a.example/x")), refused},
		{"another URI", not(certauth.URIs{"https://a.example/x"}), w.issue(t, certauthtest.URI(t, "https://a.example/y")), accepted},
		{"the mailbox that is excluded", not(certauth.Emails{"eve@a.example"}), w.issue(t, certauthtest.Email("eve@a.example")), refused},
		{"another mailbox", not(certauth.Emails{"eve@a.example"}), w.issue(t, certauthtest.Email("alice@a.example")), accepted},
		{"the host that is excluded", not(certauth.DNSNames{"a.example"}), w.issue(t, certauthtest.DNS("a.example")), refused},
		{"another host", not(certauth.DNSNames{"a.example"}), w.issue(t, certauthtest.DNS("b.example")), accepted},
		{"the common name that is excluded", not(certauth.CommonNames{"client"}), w.issue(t), refused},
		{"another common name", not(certauth.CommonNames{"eve"}), w.issue(t), accepted},
		{"no common name", not(certauth.CommonNames{"eve"}), w.issue(t, rawSubject(t, organization("a"))), accepted},
		{"the organization that is excluded, beside another", not(certauth.Organizations{"b"}), w.issue(t, rawSubject(t, organization("a"), organization("b"))), refused},
		{"two other organizations", not(certauth.Organizations{"c"}), w.issue(t, rawSubject(t, organization("a"), organization("b"))), accepted},
		{"another subject", not(certauth.Subject{"CN=eve"}), w.issue(t), accepted},
		{"the text that is excluded", not(text), held(asn1.TagUTF8String, "blocked"), refused},
		{"another text", not(text), held(asn1.TagUTF8String, "welcome"), accepted},
		{"another text in a PrintableString", not(text), held(asn1.TagPrintableString, "welcome"), accepted},
		{"another text in an IA5String", not(text), held(asn1.TagIA5String, "welcome"), accepted},
		{"no such extension", not(text), w.issue(t), accepted},
		{"the value that is asked for", w.behind(certauth.Extension{OID: oid, Value: [][]byte{{5, 0}}}), w.issue(t, withExtension(oid, []byte{5, 0})), accepted},
		{"the value that is excluded", not(certauth.Extension{OID: oid, Value: [][]byte{{5, 0}}}), w.issue(t, withExtension(oid, []byte{5, 0})), refused},
		{"another value", not(certauth.Extension{OID: oid, Value: [][]byte{{5, 0}}}), held(asn1.TagUTF8String, "welcome"), accepted},
	})
	for name, row := range map[string]struct {
		policy certauth.Policy
		leaf   *x509.Certificate
	}{
		"an organization that is not read":          {not(certauth.Organizations{"b"}), w.issue(t, rawSubject(t, latin1Organization("\xF6")))},
		"one that is not read, in front":            {not(certauth.Organizations{"b"}), w.issue(t, rawSubject(t, latin1Organization("\xF6"), organization("a")))},
		"one that is not read, after":               {not(certauth.Organizations{"b"}), w.issue(t, rawSubject(t, organization("a"), latin1Organization("\xF6")))},
		"a subject the other way round":             {not(certauth.Subject{"CN=eve,O=a"}), w.issue(t, rawSubject(t, utf8Name("eve"), organization("a")))},
		"a principal with two at signs":             {not(certauth.UPNs{"eve@blocked.example"}), w.issue(t, san(t, upn(t, "eve@x@blocked.example")))},
		"a principal and one with two at signs":     {not(certauth.UPNs{"eve@blocked.example"}), w.issue(t, san(t, upn(t, "alice@a.example"), upn(t, "eve@x@blocked.example")))},
		"bytes that are no UTF-8 in a UTF8String":   {not(text), held(asn1.TagUTF8String, "bl\xFFcked")},
		"a tag that is no string of those named":    {not(text), held(asn1.TagNumericString, "1")},
		"a wildcard where a host name was expected": {not(certauth.DNSNames{"a.blocked.example"}), w.issue(t, certauthtest.DNS("*.blocked.example"))},
	} {
		_, err := judge(t, row.policy, row.leaf)
		assert.Error(t, err, "%s: Not made an acceptance of what could not be read", name)
	}
}

func latin1Organization(value string) []attribute {
	return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 10}, asn1.TagT61String, value)}
}

// A certificate may name several organizations and units, of which one is sufficient, but only one
// common name.
func TestSubject_OneOfSeveralOrganizationsIsEnough(t *testing.T) {
	w := newWorld(t)
	unit := func(value string) []attribute {
		return []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.TagUTF8String, value)}
	}
	leaf := w.issue(t, rawSubject(t, organization("a"), organization("b"), unit("c"), unit("d"), utf8Name("e")))
	const no = certauth.ReasonNameNotAllowed
	runVerdicts(t, []verdict{
		{"the first organization", w.behind(certauth.Organizations{"a"}), leaf, certauth.ReasonNone},
		{"the second organization", w.behind(certauth.Organizations{"b"}), leaf, certauth.ReasonNone},
		{"another organization", w.behind(certauth.Organizations{"c"}), leaf, no},
		{"the first unit", w.behind(certauth.OrganizationalUnits{"c"}), leaf, certauth.ReasonNone},
		{"the second unit", w.behind(certauth.OrganizationalUnits{"d"}), leaf, certauth.ReasonNone},
		{"another unit", w.behind(certauth.OrganizationalUnits{"a"}), leaf, no},
		{"the one common name", w.behind(certauth.CommonNames{"e"}), leaf, certauth.ReasonNone},
		{"one of two common names", w.behind(certauth.CommonNames{"e"}), w.issue(t, rawSubject(t, utf8Name("e"), utf8Name("f"))), no},
	})
}

// A deny list, or an excluded name, that cannot tell whether the certificate matches must not decide that it does not. RFC 5280
// does not limit names; a name with more RDNs than are compared neither matches nor differs.
func TestIssuer_ThatCannotBeComparedIsRefused(t *testing.T) {
	var rdns [][]attribute
	for range 65 {
		rdns = append(rdns, organization("x"))
	}
	ca := certauthtest.NewCA(t, "", rawSubject(t, rdns...))
	leaf := ca.Issue(t, "client").Certificate
	pin, chain, name := certauth.Certificates(leaf), chainOf(ca), certauth.IssuerName{"CN=Somebody"}
	other := []certauth.IssuerSerial{{Issuer: "CN=Somebody", Serial: "01"}}
	own := []certauth.IssuerSerial{{Issuer: "CN=Somebody", Serial: leaf.SerialNumber.Text(16)}}
	runVerdicts(t, []verdict{
		{"the pin alone", pin, leaf, certauth.ReasonNone},
		{"a list of keys, which asks for no issuer", certauth.All{pin, certauth.Denied{PublicKeys: []string{pinOfNobody}}}, leaf, certauth.ReasonNone},
		{"a list of other serial numbers", certauth.All{pin, certauth.Denied{Serials: other}}, leaf, certauth.ReasonNone},
		{"a list of its serial number", certauth.All{pin, certauth.Denied{Serials: own}}, leaf, certauth.ReasonCertificateDenied},
		{"the chain alone", chain, leaf, certauth.ReasonNone},
		{"the issuer's name", certauth.All{chain, name}, leaf, certauth.ReasonCertificateMalformed},
		{"the issuer's name, excluded", certauth.All{chain, certauth.Not{Policy: name}}, leaf, certauth.ReasonCertificateMalformed},
		{"a list of both", certauth.All{pin, certauth.Denied{Serials: own, PublicKeys: []string{pinOfNobody}}}, leaf, certauth.ReasonCertificateDenied},
	})
	_, err := judge(t, certauth.All{chain, certauth.Not{Policy: certauth.Any{certauth.CommonNames{"eve"}, name}}}, leaf)
	assert.Error(t, err, "one of two names that are excluded cannot be compared")
}

// The doc of Any: each member is judged as if it stood alone. That an earlier member pinned the
// certificate vouches for no name inside the next one, not even below another Any.
func TestAny_InnerBranchInheritsNothingFromItsSiblings(t *testing.T) {
	leaf := newWorld(t).leaf.Certificate
	var vouched []bool
	look := certauth.PolicyFunc{Name: "look", Func: func(_ context.Context, id *certauth.Identity) error {
		vouched = append(vouched, id.NamesVouched())
		return nil
	}}
	byKey := certauth.PublicKeys{spkiPin(leaf)}
	whole := certauth.Certificates(leaf)
	for name, tc := range map[string]struct {
		policy certauth.Policy
		want   bool
	}{
		"the inner Any alone":       {certauth.All{certauth.Any{byKey}, look}, false},
		"after an accepting pin":    {certauth.Any{whole, certauth.Named{Name: "key", Policy: certauth.All{certauth.Any{byKey}, look}}}, false},
		"after two":                 {certauth.Any{whole, certauth.Named{Name: "both", Policy: whole}, certauth.Named{Name: "key", Policy: certauth.All{certauth.Any{byKey, byKey}, look}}}, false},
		"its own pin still vouches": {certauth.Any{byKey, certauth.Named{Name: "pin", Policy: certauth.All{certauth.Any{whole}, look}}}, true},
	} {
		vouched = nil
		_, err := judge(t, tc.policy, leaf)
		require.NoError(t, err, name)
		require.NotEmpty(t, vouched, name)
		assert.NotContains(t, vouched, !tc.want, name)
	}
}

// noAddress is a connection that knows neither of its addresses, like some in-memory listeners and
// closed sockets.
type noAddress struct{ net.Conn }

func (noAddress) RemoteAddr() net.Addr { return nil }
func (noAddress) LocalAddr() net.Addr  { return nil }

func TestPeer_OfAConnectionWithoutAddressesIsUnknown(t *testing.T) {
	ctx := certauth.ConnContext(t.Context(), noAddress{})
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.4:1"
	peer := certauth.PeerOf(r)
	assert.False(t, peer.Addr.IsValid(), "RemoteAddr does not replace the address of the socket")
	assert.False(t, peer.Socket)
	assert.Equal(t, "10.0.0.4", peer.String(), "for the log only")
}
