package certauth_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

const (
	qcpWeb    = "0.4.0.194112.1.4" // ETSI EN 319 411-2: QCP-w
	other     = "1.3.6.1.4.1.99999.4.1"
	mapped    = "1.3.6.1.4.1.99999.4.2"
	anyPolicy = "2.5.29.32.0"
)

func under(t testing.TB, policies ...string) certauthtest.Template {
	t.Helper()
	var ids []x509.OID
	for _, policy := range policies {
		id, err := x509.ParseOID(policy)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return func(c *x509.Certificate) { c.Policies = ids }
}

// RFC 5280, section 6.1.1 (c) and (d): the user-initial-policy-set, with an explicit policy
// required.
func TestChain_PoliciesHoldInEveryCertificateBelowTheRoot(t *testing.T) {
	requireExplicit := ext(true, []byte{0x30, 3, 0x80, 1, 0}, 2, 5, 29, 36)
	mapping := ext(true, seq(t, seq(t, marshal(t, mustOID(t, qcpWeb)), marshal(t, mustOID(t, mapped)))), 2, 5, 29, 33)
	inhibitAny := ext(true, []byte{2, 1, 0}, 2, 5, 29, 54)
	none := under(t)
	for _, tc := range []struct {
		name string
		want []string // nil requires none
		root certauthtest.Template
		ca   []certauthtest.Template
		leaf certauthtest.Template
		ok   bool
	}{
		{"nothing asked, nothing there", nil, none, []certauthtest.Template{none}, none, true},
		{"nothing asked, policies that do not meet", nil, none, []certauthtest.Template{under(t, other)}, under(t, qcpWeb), true},
		{"asked and in both", []string{qcpWeb}, none, []certauthtest.Template{under(t, qcpWeb)}, under(t, qcpWeb), true},
		{"asked, and the leaf has none", []string{qcpWeb}, none, []certauthtest.Template{under(t, qcpWeb)}, none, false},
		{"asked, and the CA has none", []string{qcpWeb}, none, []certauthtest.Template{none}, under(t, qcpWeb), false},
		{"asked, and the leaf has another", []string{qcpWeb}, none, []certauthtest.Template{under(t, qcpWeb, other)}, under(t, other), false},
		{"asked, and the CA has another", []string{qcpWeb}, none, []certauthtest.Template{under(t, other)}, under(t, qcpWeb), false},
		{"one of two is enough", []string{qcpWeb, other}, none, []certauthtest.Template{under(t, qcpWeb, other)}, under(t, other), true},
		{"any policy on the CA", []string{qcpWeb}, none, []certauthtest.Template{under(t, anyPolicy)}, under(t, qcpWeb), true},
		{"any policy on the CA, another on the leaf", []string{qcpWeb}, none, []certauthtest.Template{under(t, anyPolicy)}, under(t, other), false},
		{"any policy on both", []string{qcpWeb}, none, []certauthtest.Template{under(t, anyPolicy)}, under(t, anyPolicy), true},
		{"any policy on the leaf, inhibited by the CA", []string{qcpWeb}, none, []certauthtest.Template{both(under(t, qcpWeb), inhibitAny)}, under(t, anyPolicy), false},
		{"mapped by the CA", []string{qcpWeb}, none, []certauthtest.Template{both(under(t, qcpWeb), mapping)}, under(t, mapped), true},
		{"not as the CA maps it", []string{qcpWeb}, none, []certauthtest.Template{both(under(t, qcpWeb), mapping)}, under(t, other), false},
		{"what the root says does not count", []string{qcpWeb}, under(t, other), []certauthtest.Template{under(t, qcpWeb)}, under(t, qcpWeb), true},
		{"the root issues directly", []string{qcpWeb}, none, nil, under(t, qcpWeb), true},
		{"the root issues directly, none there", []string{qcpWeb}, none, nil, none, false},
		{"any policy asked, one holds", []string{anyPolicy}, none, []certauthtest.Template{under(t, other)}, under(t, other), true},
		{"any policy asked, none holds", []string{anyPolicy}, none, []certauthtest.Template{under(t, other)}, under(t, qcpWeb), false},
		{"a CA requires one, none asked, one holds", nil, none, []certauthtest.Template{both(under(t, other), requireExplicit)}, under(t, other), true},
		{"a CA requires one, none asked, none there", nil, none, []certauthtest.Template{both(under(t, other), requireExplicit)}, none, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			issuer := newRoot(t, "Root", tc.root)
			policy := certauth.Chain{Roots: certsFrom(issuer), Policies: tc.want}
			if len(tc.ca) > 0 {
				issuer = issuer.newCA(t, "Issuing", tc.ca...)
				policy.Intermediates = certsFrom(issuer)
			}
			leaf := issuer.newClient(t, tc.leaf).Certificate
			want := certauth.ReasonNone
			if !tc.ok {
				want = certauth.ReasonChainUntrusted
			}
			if refused := everyWay(t, want, policy, leaf); refused != nil {
				assert.ErrorContains(t, refused, "polic")
				assert.NotContains(t, refused.Hint, "add the issuing CA")
			}
		})
	}
	t.Run("how it is shown", func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certsFrom(newRoot(t, "Root")), Policies: []string{qcpWeb, other, other}}})
		require.NoError(t, err)
		assert.Contains(t, auth.String(), "chain (at most 5 CA certificates, certificate policy 0.4.0.194112.1.4 or 1.3.6.1.4.1.99999.4.1)\n")
	})
	roots := certsFrom(newRoot(t, "Root"))
	runMisconfigured(t, []misconfigured{
		{"empty", certauth.Chain{Roots: roots, Policies: []string{}}, []string{"Policy.Chain.Policies: empty; name a policy, or set nil to require none"}},
		{"no identifiers", certauth.Chain{Roots: roots, Policies: []string{qcpWeb, "QCP-w", "", "1.2.3.", "01.2.3", "3.1"}}, []string{
			`Policy.Chain.Policies[1]: "QCP-w" is not a dotted object identifier such as 0.4.0.194112.1.4`,
			`Policy.Chain.Policies[2]: "" is not a dotted object identifier such as 0.4.0.194112.1.4`,
			`Policy.Chain.Policies[3]: "1.2.3." is not a dotted object identifier such as 0.4.0.194112.1.4`,
			`Policy.Chain.Policies[4]: "01.2.3" is not a dotted object identifier such as 0.4.0.194112.1.4`,
			`Policy.Chain.Policies[5]: "3.1" is not a dotted object identifier such as 0.4.0.194112.1.4`,
		}},
		{"any beside another", certauth.Chain{Roots: roots, Policies: []string{qcpWeb, anyPolicy}}, []string{"Policy.Chain.Policies[1]: anyPolicy makes the other policies meaningless; give it alone, or remove it"}},
		{"of the system's roots", certauth.All{certauth.Chain{Roots: certauth.InsecureSystemRoots(), Policies: []string{qcpWeb}}, certauth.DNSNames{"a.example"}}, []string{
			"Policy.All[0].Chain.Policies: not supported with the system's roots, because some systems verify chains themselves; name the CAs you trust",
		}},
	})
}
