package certauth_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// noon is the current time in the tests about dates. Certificates contain whole seconds.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// aroundNoon returns a CA whose dates include every test date.
func aroundNoon(t *testing.T) *certauthtest.CA {
	t.Helper()
	return certauthtest.NewCA(t, "Test Root CA", certauthtest.Valid(noon.AddDate(-5, 0, 0), noon.AddDate(5, 0, 0)))
}

// Front ends row 64; RFC 5280, section 4.1.2.5: both ends belong to the validity period.
func TestChain_BothEndsBelongToTheValidity(t *testing.T) {
	ca := aroundNoon(t)
	before, after := noon.AddDate(0, -1, 0), noon.AddDate(0, 1, 0)
	for _, tc := range []struct {
		name     string
		from, to time.Time
		want     certauth.Reason
	}{
		{"in the middle", before, after, certauth.ReasonNone},
		{"begins exactly now", noon, after, certauth.ReasonNone},
		{"begins in a second", noon.Add(time.Second), after, certauth.ReasonCertificateNotYetValid},
		{"ends exactly now", before, noon, certauth.ReasonNone},
		{"ended a second ago", before, noon.Add(-time.Second), certauth.ReasonCertificateExpired},
		{"valid for this second alone", noon, noon, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leaf := ca.Issue(t, "client", certauthtest.Valid(tc.from, tc.to)).Certificate
			for _, anchor := range []struct {
				name   string
				policy certauth.Policy
			}{
				{"chain", chainOf(ca)},
				{"thumbprint", certauth.Thumbprints{thumbprint(leaf)}},
				{"public key", certauth.PublicKeys{spkiPin(leaf)}},
				{"certificate", certauth.Certificates(leaf)},
			} {
				_, err := judgeAt(t, noon, anchor.policy, leaf)
				assert.Equal(t, tc.want, reasonOf(err), "%s: %v", anchor.name, err)
			}
		})
	}
}

// finding C38: with a clock skew, a chain whose CAs are valid together only for a short time within the skew was not
// found.
func TestChain_OneTimeWithinTheSkewSuitsAllCertificates(t *testing.T) {
	long, skew := certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0)), time.Minute
	for _, tc := range []struct {
		name           string
		ended, renewed time.Duration // how long before noon the issuing CA ended and the root began
		leaf           certauthtest.Template
		want           certauth.Reason
	}{
		{"a time before now", 20 * time.Second, 40 * time.Second, long, certauth.ReasonNone},
		{"a single second", 30 * time.Second, 30 * time.Second, long, certauth.ReasonNone},
		{"a time after now", -40 * time.Second, -20 * time.Second, long, certauth.ReasonNone},
		{"none", 31 * time.Second, 30 * time.Second, long, certauth.ReasonChainUntrusted},
		{"none with the leaf", 31 * time.Second, time.Hour, certauthtest.Valid(noon.Add(-30*time.Second), noon.AddDate(1, 0, 0)), certauth.ReasonChainUntrusted},
		{"one that is not within the skew", 61 * time.Second, 90 * time.Second, long, certauth.ReasonCertificateExpired},
		{"one that is not within the skew yet", -90 * time.Second, -61 * time.Second, long, certauth.ReasonCertificateNotYetValid},
	} {
		root := certauthtest.NewCA(t, "Root", certauthtest.Valid(noon.Add(-tc.renewed), noon.AddDate(1, 0, 0)))
		issuing := root.NewIntermediate(t, "Issuing", certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.Add(-tc.ended)))
		chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)}
		_, err := judgeAt(t, noon, certauth.All{certauth.Validity{ClockSkew: skew}, chain}, issuing.Issue(t, "client", tc.leaf).Certificate)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", tc.name, err)
		if tc.want == certauth.ReasonChainUntrusted {
			assert.ErrorContains(t, err, `CA certificate "CN=Issuing,O=certauthtest" ends before`)
			assert.ErrorContains(t, err, "so they are never valid together")
		}
	}
}

func TestChain_CACertificatesExpireToo(t *testing.T) {
	year := certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	for _, tc := range []struct {
		name     string
		from, to time.Time
		want     certauth.Reason
	}{
		{"ends exactly now", noon.AddDate(-2, 0, 0), noon, certauth.ReasonNone},
		{"ended a second ago", noon.AddDate(-2, 0, 0), noon.Add(-time.Second), certauth.ReasonCertificateExpired},
		{"begins exactly now", noon, noon.AddDate(2, 0, 0), certauth.ReasonNone},
		{"begins in a second", noon.Add(time.Second), noon.AddDate(2, 0, 0), certauth.ReasonCertificateNotYetValid},
	} {
		t.Run("the root "+tc.name, func(t *testing.T) {
			ca := certauthtest.NewCA(t, "Root", certauthtest.Valid(tc.from, tc.to))
			_, err := judgeAt(t, noon, chainOf(ca), ca.Issue(t, "client", year).Certificate)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
		})
		t.Run("the intermediate "+tc.name, func(t *testing.T) {
			root := aroundNoon(t)
			ca := root.NewIntermediate(t, "Issuing CA", certauthtest.Valid(tc.from, tc.to))
			policy := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(ca)}
			_, err := judgeAt(t, noon, policy, ca.Issue(t, "client", year).Certificate)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
		})
	}
}

// "Expired" is reported only for a certificate that is otherwise trusted.
func TestChain_ExpiredStrangerIsUntrustedNotExpired(t *testing.T) {
	stranger := certauthtest.NewCA(t, "Stranger", certauthtest.Valid(noon.AddDate(-5, 0, 0), noon.AddDate(5, 0, 0)))
	leaf := stranger.Issue(t, "client", certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(0, -1, 0))).Certificate
	_, err := judgeAt(t, noon, chainOf(aroundNoon(t)), leaf)
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
}

// The same if an untrusted sender sends along a CA certificate that expired long ago: only an
// issuer that leads to a root may change the reason to a date.
func TestChain_StrangersExpiredCAIsUntrustedNotExpired(t *testing.T) {
	old := certauthtest.NewCA(t, "Stranger", certauthtest.Valid(noon.AddDate(-5, 0, 0), noon.AddDate(0, -1, 0)))
	leaf := old.Issue(t, "client", certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))).Certificate
	_, err := judgeAt(t, noon, chainOf(aroundNoon(t)), leaf, old.Certificate)
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
}

// An expired CA certificate and its renewal with the same key: the chain through the renewal
// counts, in whatever order they are given.
func TestChain_RenewedCAIsUsedInsteadOfTheExpiredOne(t *testing.T) {
	root := aroundNoon(t)
	issuing := root.NewIntermediate(t, "Issuing CA", certauthtest.Valid(noon.AddDate(-2, 0, 0), noon.AddDate(1, 0, 0)))
	expired := root.IssueFor(t, publicOnly{public: issuing.Certificate.PublicKey}, "", certauthtest.AsCA(), certauthtest.Usage(),
		certauthtest.Valid(noon.AddDate(-3, 0, 0), noon.AddDate(0, 0, -1)), func(c *x509.Certificate) {
			c.RawSubject, c.SubjectKeyId = issuing.Certificate.RawSubject, issuing.Certificate.SubjectKeyId
		}).Certificate
	leaf := issuing.Issue(t, "client", certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))).Certificate
	for _, order := range [][]*x509.Certificate{{expired, issuing.Certificate}, {issuing.Certificate, expired}} {
		policy := certauth.Chain{Roots: certsOf(root), Intermediates: certauth.Certificates(order...)}
		id, err := judgeAt(t, noon, policy, leaf)
		require.NoError(t, err)
		require.Len(t, id.Chains, 1)
		assert.True(t, id.Chains[0][1].Equal(issuing.Certificate))
	}
}

// finding R6: a chain that verified at the current time and was refused for another reason, such as
// a name constraint or its length, hid a chain through a CA at the edge of its validity, within the
// clock skew. A caller was refused because it sent a CA along.
func TestChain_OneThatVerifiesNowHidesNoneWithinTheSkew(t *testing.T) {
	long := certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	root, other := certauthtest.NewCA(t, "Root", long), certauthtest.NewCA(t, "Other Root", long)
	middle := root.NewIntermediate(t, "Middle CA", long)
	for edge, validity := range map[string]certauthtest.Template{
		"has just ended":       certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.Add(-30*time.Second)),
		"is about to begin":    certauthtest.Valid(noon.Add(30*time.Second), noon.AddDate(1, 0, 0)),
		"has ended for longer": certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.Add(-61*time.Second)),
	} {
		want := certauth.ReasonNone
		if edge == "has ended for longer" {
			want = certauth.ReasonChainUntrusted
		}
		issuing := root.NewIntermediate(t, "Issuing CA", validity)
		again := func(by *certauthtest.CA, change ...certauthtest.Template) *x509.Certificate {
			change = append(change, certauthtest.AsCA(), certauthtest.Usage(), long, func(c *x509.Certificate) {
				c.RawSubject, c.SubjectKeyId = issuing.Certificate.RawSubject, issuing.Certificate.SubjectKeyId
			})
			return by.IssueFor(t, publicOnly{public: issuing.Certificate.PublicKey}, "", change...).Certificate
		}
		constrained := again(root, func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"partner.example"} })
		farther, byOther := again(middle), again(other)
		leaf := issuing.Issue(t, "client", long, certauthtest.DNS("orders.partner.example")).Certificate
		chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing), MaxDepth: 2}
		both, either := chain, chain
		both.Intermediates = certauth.Certificates(issuing.Certificate, constrained)
		either.Roots, either.Intermediates = certsOf(root, other), certauth.Certificates(issuing.Certificate, byOther)
		byIssuing := certauth.IssuedBy{Certificates: certsOf(issuing)}
		for _, tc := range []struct {
			name   string
			policy certauth.All
			sent   []*x509.Certificate
			want   certauth.Reason
		}{
			{"another certificate of it excludes the name", certauth.All{both}, []*x509.Certificate{leaf}, want},
			{"the same, sent along", certauth.All{chain}, []*x509.Certificate{leaf, constrained}, want},
			{"a longer way, sent along", certauth.All{chain}, []*x509.Certificate{leaf, farther, middle.Certificate}, want},
			{"another root", certauth.All{either}, []*x509.Certificate{leaf}, certauth.ReasonNone},
			{"another root, which is not asked for", certauth.All{either, byIssuing}, []*x509.Certificate{leaf}, map[certauth.Reason]certauth.Reason{
				certauth.ReasonNone: certauth.ReasonNone, certauth.ReasonChainUntrusted: certauth.ReasonIssuerNotAllowed,
			}[want]},
		} {
			t.Run(edge+", "+tc.name, func(t *testing.T) {
				policy := append(certauth.All{certauth.Validity{ClockSkew: time.Minute}}, tc.policy...)
				_, err := judgeAt(t, noon, policy, tc.sent...)
				assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			})
		}
	}
}

func TestChain_MaxDepthCountsTheCertificatesAboveTheLeaf(t *testing.T) {
	root := certauthtest.NewCA(t, "CA 1")
	cas := []*certauthtest.CA{root}
	for len(cas) < 10 {
		cas = append(cas, cas[len(cas)-1].NewIntermediate(t, "CA "+string(rune('1'+len(cas)))))
	}
	for _, tc := range []struct {
		name         string
		cas, maximum int
		want         certauth.Reason
	}{
		{"the root issues directly, 1 allowed", 1, 1, certauth.ReasonNone},
		{"one intermediate, 1 allowed", 2, 1, certauth.ReasonChainUntrusted},
		{"one intermediate, 2 allowed", 2, 2, certauth.ReasonNone},
		{"five CAs, the default", 5, 0, certauth.ReasonNone},
		{"six CAs, the default", 6, 0, certauth.ReasonChainUntrusted},
		{"six CAs, 6 allowed", 6, 6, certauth.ReasonNone},
		{"ten CAs, 10 allowed", 10, 10, certauth.ReasonNone},
		{"ten CAs, 9 allowed", 10, 9, certauth.ReasonChainUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy := certauth.Chain{Roots: certsOf(root), MaxDepth: tc.maximum}
			if tc.cas > 1 {
				policy.Intermediates = certsOf(cas[1:tc.cas]...)
			}
			id, err := judge(t, policy, cas[tc.cas-1].Issue(t, "client").Certificate)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			if err == nil {
				assert.Len(t, id.Chains[0], tc.cas+1)
			}
		})
	}
}

// RFC 5280, section 4.2.1.9: the CA's own limit on the CAs below it also applies.
func TestChain_PathLengthOfTheCAIsKept(t *testing.T) {
	zero := func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }
	root := certauthtest.NewCA(t, "Root")
	limited := root.NewIntermediate(t, "Limited CA", zero)
	below := limited.NewIntermediate(t, "CA below")
	policy := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(limited, below)}
	runVerdicts(t, []verdict{
		{"a leaf below the limited CA", policy, limited.Issue(t, "client").Certificate, certauth.ReasonNone},
		{"a CA below the limited CA", policy, below.Issue(t, "client").Certificate, certauth.ReasonChainUntrusted},
	})
}

// finding C19: RFC 5280, section 6.1.4 (l): a self-issued CA certificate, as a CA makes one for its new key (RFC 4210,
// section 4.4), does not count for the path length of the CAs above. openssl verify accepts it too.
func TestChain_SelfIssuedCAsDoNotCountForThePathLength(t *testing.T) {
	zero := func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }
	narrow, wide := newRoot(t, "Root", zero), newRoot(t, "Root")
	another := func(by *party, change ...certauthtest.Template) *party { return by.newCA(t, "Root", change...) } // key of the same CA
	spelled := func(c *x509.Certificate) { c.Subject.CommonName = "ROOT" }
	for _, tc := range []struct {
		name string
		cas  []*party // from the root down
		want certauth.Reason
	}{
		{"one other key", []*party{narrow, another(narrow)}, certauth.ReasonNone},
		{"one other key, in another spelling", []*party{narrow, another(narrow, spelled)}, certauth.ReasonNone},
		{"two other keys", []*party{narrow, another(narrow), nil}, certauth.ReasonNone},
		{"the other key has a path length itself", []*party{wide, another(wide, zero)}, certauth.ReasonNone},
		{"a CA of another name", []*party{narrow, narrow.newCA(t, "Issuing")}, certauth.ReasonChainUntrusted},
	} {
		if last := len(tc.cas) - 1; tc.cas[last] == nil {
			tc.cas[last] = another(tc.cas[last-1])
		}
		issuing := tc.cas[len(tc.cas)-1]
		below := issuing.newCA(t, "Below")
		intermediates := certsFrom(append(tc.cas[1:], below)...)
		policy := certauth.Chain{Roots: certsFrom(tc.cas[0]), Intermediates: intermediates}
		t.Run(tc.name, func(t *testing.T) {
			leaf := issuing.newClient(t).Certificate
			everyWay(t, tc.want, policy, leaf)
			sent := []*x509.Certificate{leaf}
			for _, ca := range tc.cas[1:] {
				sent = append(sent, ca.Certificate)
			}
			everyWay(t, tc.want, certauth.Chain{Roots: policy.Roots}, sent...)
		})
		t.Run(tc.name+", with a CA below", func(t *testing.T) {
			everyWay(t, certauth.ReasonChainUntrusted, policy, below.newClient(t).Certificate)
		})
	}
}
