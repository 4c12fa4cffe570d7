package certauth_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// The refusal of an Any reports each refusal once, without members of an inner Any in which another
// member accepted.
func TestAny_RefusalTellsOfWhatRefused(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("a.example"))
	leaf := w.leaf.Certificate
	yes, no := certauth.DNSNames{"a.example"}, certauth.DNSNames{"b.example"}
	other := certauth.CommonNames{"somebody else"}
	pin := certauth.Thumbprints{pinOfNobody}
	mine := certauth.Thumbprints{thumbprint(leaf)}
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		tells  map[string]int
	}{
		{"a member of an inner Any that accepted", certauth.Any{w.behind(certauth.Any{other, yes}, no), pin}, map[string]int{"CommonNames": 0, "DNSNames": 1, "Thumbprints": 1}},
		{"a rule whose refusal Not wanted", certauth.Any{w.behind(certauth.Not{Policy: other}, no), pin}, map[string]int{"CommonNames": 0, "DNSNames": 1}},
		{"a rule after an Any, refused on two paths", certauth.All{certauth.Any{mine, certauth.Certificates(leaf)}, other}, map[string]int{"CommonNames": 1}},
		{"a rule within an Any after an Any", certauth.All{certauth.Any{mine, certauth.Certificates(leaf)}, certauth.Any{other, no}}, map[string]int{"CommonNames": 1, "DNSNames": 1}},
	} {
		_, err := judge(t, tc.policy, leaf)
		require.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err), "%s: %v", tc.name, err)
		for rule, times := range tc.tells {
			assert.Equal(t, times, strings.Count(err.Error(), rule), "%s: %s in %v", tc.name, rule, err)
		}
	}
}

// errors.Is finds the cause of the member's refusal that an Any reports, and of no other member.
func TestAny_CauseIsThatOfTheMemberThatIsReported(t *testing.T) {
	w := newWorld(t)
	chosen, other := errors.New("denied"), errors.New("refused")
	denied := says(&certauth.Error{Reason: certauth.ReasonCertificateRevoked, Err: fmt.Errorf("the store: %w", chosen)})
	_, err := judge(t, certauth.Any{w.behind(says(other)), w.behind(denied)}, w.leaf.Certificate)
	require.Equal(t, certauth.ReasonCertificateRevoked, reasonOf(err))
	assert.ErrorIs(t, err, chosen)
	assert.NotErrorIs(t, err, other)
	_, err = judge(t, certauth.Any{w.behind(says(other))}, w.leaf.Certificate)
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	assert.Same(t, other, refused.Err, "one member refuses as if it stood alone")
}

// A refusal tells the operator which certificate is on the deny list.
func TestDenied_RefusalNamesTheCertificate(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing CA")
	leaf := issuing.Issue(t, "client").Certificate
	chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)}
	serial := func(issuer string, of *x509.Certificate) certauth.Denied {
		return certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: issuer, Serial: of.SerialNumber.Text(16)}}}
	}
	for _, tc := range []struct {
		name   string
		denied certauth.Denied
		want   string
	}{
		{"the leaf's key", certauth.Denied{PublicKeys: []string{spkiPin(leaf)}}, "the key of the leaf is listed"},
		{"a CA's key", certauth.Denied{PublicKeys: []string{spkiPin(issuing.Certificate)}}, `the key of CA "CN=Issuing CA,O=certauthtest" is listed`},
		{"the leaf's serial", serial("CN=Issuing CA,O=certauthtest", leaf), " of the leaf, issued by "},
		{"a CA's serial", serial("CN=Root,O=certauthtest", issuing.Certificate), ` of CA "CN=Issuing CA,O=certauthtest", issued by `},
	} {
		_, err := judge(t, certauth.All{chain, tc.denied}, leaf)
		require.Equal(t, certauth.ReasonCertificateDenied, reasonOf(err), "%s: %v", tc.name, err)
		assert.ErrorContains(t, err, tc.want, tc.name)
	}
}
