package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Under Not, IssuedBy "refuses every certificate that has a verified chain through one of these CAs".
//
// finding T23: who has the key of an excluded CA was accepted with a certificate of a further CA that
// the excluded one had certified, because only the issuer of the leaf was compared. So was one
// excluded by IssuerName.
func TestNot_ExcludesWhatACAIssuedThroughAnother(t *testing.T) {
	root := newRoot(t, "Root")
	bad, good := root.newCA(t, "Bad"), root.newCA(t, "Good")
	further := bad.newCA(t, "Further")
	deeper := further.newCA(t, "Deeper")
	chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(bad, good)}
	byKey := certauth.IssuedBy{PublicKeys: []string{spkiPin(bad.Certificate)}}
	byName := certauth.IssuerName{"CN=Bad,O=Partner Ltd"}
	sent := func(leaf *party, cas ...*party) (certs []*x509.Certificate) {
		for _, one := range append([]*party{leaf}, cas...) {
			certs = append(certs, one.Certificate)
		}
		return certs
	}
	cross := good.again(t, further) // another CA certifies the same key and name
	for _, tc := range []struct {
		name        string
		sent        []*x509.Certificate
		key, issuer certauth.Reason // under Not, by key and by name
	}{
		{"finding T23: of the excluded CA", sent(bad.newClient(t)), certauth.ReasonPolicyRefused, certauth.ReasonPolicyRefused},
		{"finding T23: of a CA below it", sent(further.newClient(t), further), certauth.ReasonPolicyRefused, certauth.ReasonPolicyRefused},
		{"finding T23: of a CA two below it", sent(deeper.newClient(t), deeper, further), certauth.ReasonPolicyRefused, certauth.ReasonPolicyRefused},
		{"finding T23: of a CA below it that another has certified too", sent(further.newClient(t), further, cross), certauth.ReasonPolicyRefused, certauth.ReasonPolicyRefused},
		{"finding T23: of a CA that another has certified", sent(further.newClient(t), cross), certauth.ReasonNone, certauth.ReasonNone},
		{"finding T23: of another CA", sent(good.newClient(t)), certauth.ReasonNone, certauth.ReasonNone},
		{"finding T23: of another CA, with the excluded one sent along", sent(good.newClient(t), bad, further), certauth.ReasonNone, certauth.ReasonNone},
		{"finding T23: of the root itself", sent(root.newClient(t)), certauth.ReasonNone, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			everyWay(t, certauth.ReasonNone, chain, tc.sent...)
			everyWay(t, tc.key, certauth.All{chain, certauth.Not{Policy: byKey}}, tc.sent...)
			everyWay(t, tc.issuer, certauth.All{chain, certauth.Not{Policy: byName}}, tc.sent...)
			everyWay(t, tc.issuer, certauth.All{chain, certauth.Not{Policy: certauth.Any{certauth.CommonNames{"nobody"}, byName}}}, tc.sent...)
			everyWay(t, tc.issuer, certauth.All{certauth.Any{chain, chain}, certauth.Not{Policy: certauth.Not{Policy: certauth.Not{Policy: byName}}}}, tc.sent...)
		})
	}
	t.Run("finding T23: the name in another letter case", func(t *testing.T) {
		upper := root.newCA(t, "BAD")
		below := upper.newCA(t, "Further")
		everyWay(t, certauth.ReasonPolicyRefused, certauth.All{root.roots(), certauth.Not{Policy: byName}}, sent(below.newClient(t), below, upper)...)
	})
	t.Run("finding T23: the issuer of a root is in no chain", func(t *testing.T) {
		cross := bad.again(t, root)
		everyWay(t, certauth.ReasonNone, certauth.All{cross.roots(), certauth.Not{Policy: byName}}, sent(root.newClient(t))...)
	})
	for name, subject := range map[string][]byte{
		"of more than 64 parts":               nameOf(t, slices.Repeat([]nameValue{{oidO, asn1.TagUTF8String, "x"}}, 65)...),
		"that can be read only to its middle": nameOf(t, nameValue{oidO, asn1.TagT61String, "xyz\xFC"}),
	} {
		t.Run("finding T23: a name "+name, func(t *testing.T) {
			odd := root.newCA(t, "", func(c *x509.Certificate) { c.RawSubject = subject })
			below := odd.newCA(t, "Further")
			everyWay(t, certauth.ReasonNone, root.roots(), sent(below.newClient(t), below, odd)...)
			everyWay(t, certauth.ReasonPolicyRefused, certauth.All{root.roots(), certauth.Not{Policy: byName}}, sent(below.newClient(t), below, odd)...)
		})
	}
	t.Run("the positive rules concern the issuer of the leaf alone", func(t *testing.T) {
		everyWay(t, certauth.ReasonIssuerNotAllowed, certauth.All{chain, byKey}, sent(further.newClient(t), further)...)
		everyWay(t, certauth.ReasonIssuerNotAllowed, certauth.All{chain, byName}, sent(further.newClient(t), further)...)
	})
}

// Event.Certificate: the subject is unverified if a CA of the chain is revoked or denied. An excluded
// CA can write any partner's name.
//
// finding T23: the record showed a name that an excluded CA had written as verified.
func TestNot_NamesByAnExcludedCAAreUnverified(t *testing.T) {
	root := newRoot(t, "Root")
	bad := root.newCA(t, "Bad")
	further := bad.newCA(t, "Further")
	chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(bad, further)}
	none := certauth.CommonNames{"nobody"}
	for _, tc := range []struct {
		name     string
		rule     certauth.Policy
		by       *party
		verified bool
	}{
		{"by key", certauth.Not{Policy: certauth.IssuedBy{PublicKeys: []string{spkiPin(bad.Certificate)}}}, bad, false},
		{"by key, above the issuer", certauth.Not{Policy: certauth.IssuedBy{PublicKeys: []string{spkiPin(bad.Certificate)}}}, further, false},
		{"by name", certauth.Not{Policy: certauth.IssuerName{"CN=Bad,O=Partner Ltd"}}, bad, false},
		{"by name, within an Any", certauth.Any{certauth.Not{Policy: certauth.IssuerName{"CN=Bad,O=Partner Ltd"}}, none}, bad, false},
		{"by name in another letter case", certauth.Not{Policy: certauth.IssuerName{"CN=BAD,O=Partner Ltd"}}, bad, false},
		{"by name, above the issuer", certauth.Not{Policy: certauth.IssuerName{"CN=Bad,O=Partner Ltd"}}, further, false},
		{"the name of the client", certauth.Not{Policy: certauth.CommonNames{"client"}}, bad, true},
		{"an issuer that is not listed", certauth.IssuerName{"CN=Good,O=Partner Ltd"}, bad, true},
	} {
		t.Run("finding T23: "+tc.name, func(t *testing.T) {
			var events []certauth.Event
			auth, err := certauth.New(certauth.Config{
				Source: fixedSource("test", tc.by.newClient(t).Certificate), Policy: certauth.All{chain, tc.rule},
				Observe: func(_ context.Context, e certauth.Event) { events = append(events, e) },
			})
			require.NoError(t, err)
			auth.Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), request())
			require.Len(t, events, 1)
			assert.Equal(t, certauth.OutcomeDenied, events[0].Outcome)
			assert.Equal(t, tc.verified, events[0].Certificate.Verified, "%v", events[0].Err)
		})
	}
}
