package certauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestChain_AcceptsWhatItsRootsIssued(t *testing.T) {
	w := newWorld(t)
	id, err := judge(t, w.chain(), w.leaf.Certificate)
	require.NoError(t, err)
	assert.True(t, id.Leaf.Equal(w.leaf.Certificate))
	require.Len(t, id.Chains, 1)
	require.Len(t, id.Chains[0], 2)
	assert.True(t, id.Chains[0][0].Equal(w.leaf.Certificate))
	assert.True(t, id.Chains[0][1].Equal(w.ca.Certificate))
	assert.True(t, id.NamesVouched())
}

// CVE-2026-35616 FortiClient EMS: the chain was "verified" by comparing names.
func TestChain_MatchingNamesWithoutSignaturesFail(t *testing.T) {
	w := newWorld(t)
	issuing := w.ca.NewIntermediate(t, "Issuing CA")
	genuine := issuing.Issue(t, "client").Certificate
	impostor := certauthtest.NewCA(t, "Test Root CA", func(c *x509.Certificate) { c.SubjectKeyId = w.ca.Certificate.SubjectKeyId })
	selfMade := certauthtest.NewCA(t, "Issuing CA", func(c *x509.Certificate) { c.SubjectKeyId = issuing.Certificate.SubjectKeyId })
	forgedIssuing := forge(t, issuing.Certificate, w.ca.Certificate)
	for _, tc := range []struct {
		name string
		sent []*x509.Certificate
	}{
		{"a leaf that a namesake of the root with its key identifier issued", []*x509.Certificate{impostor.Issue(t, "client").Certificate}},
		{"the same with the namesake sent along", []*x509.Certificate{impostor.Issue(t, "client").Certificate, impostor.Certificate}},
		{"a forged copy of a genuine leaf", []*x509.Certificate{forge(t, genuine, issuing.Certificate), issuing.Certificate}},
		{"a leaf below a forged copy of a genuine intermediate", []*x509.Certificate{selfMade.Issue(t, "client").Certificate, forgedIssuing}},
		{"a self-signed certificate that carries the root's name", []*x509.Certificate{forge(t, w.leaf.Certificate, w.ca.Certificate)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := judge(t, w.chain(), tc.sent...)
			assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
		})
	}
}

// The sender of a passthrough preset supplies its own root in the chain.
func TestChain_ForwardedCertificatesNeverBecomeRoots(t *testing.T) {
	w := newWorld(t)
	own := certauthtest.NewCA(t, "Attacker Root")
	middle := own.NewIntermediate(t, "Attacker CA")
	leaf := middle.Issue(t, "client").Certificate
	for _, tc := range []struct {
		name string
		sent []*x509.Certificate
	}{
		{"leaf, intermediate and root", []*x509.Certificate{leaf, middle.Certificate, own.Certificate}},
		{"leaf and root", []*x509.Certificate{own.Issue(t, "client").Certificate, own.Certificate}},
		{"the configured root sent along beside them", []*x509.Certificate{leaf, middle.Certificate, own.Certificate, w.ca.Certificate}},
		{"a self-signed leaf twice", []*x509.Certificate{certauthtest.SelfSigned(t, "client").Certificate, leaf}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := judge(t, w.chain(), tc.sent...)
			assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
		})
	}
}

// The same attack in its strongest form: the sender's CA is outside its validity by less than the
// skew, so that there is no answer to the question which date is wrong. It must still be refused.
func TestChain_StrangersCAWithinTheSkewIsNotTrusted(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := newWorld(t)
	year := certauthtest.Valid(now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	for _, tc := range []struct {
		name     string
		from, to time.Time
	}{
		{"expired half a skew ago", now.AddDate(-1, 0, 0), now.Add(-30 * time.Minute)},
		{"valid in half a skew", now.Add(30 * time.Minute), now.AddDate(1, 0, 0)},
		{"valid now", now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)},
		{"expired two skews ago", now.AddDate(-1, 0, 0), now.Add(-2 * time.Hour)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stranger := certauthtest.NewCA(t, "Attacker CA", certauthtest.Valid(tc.from, tc.to))
			leaf := stranger.Issue(t, "client", year).Certificate
			policy := certauth.All{w.chain(), certauth.Validity{ClockSkew: time.Hour}}
			id, err := judgeAt(t, now, policy, leaf, stranger.Certificate)
			require.Error(t, err, "a stranger's certificate was accepted")
			assert.Nil(t, id)
			assert.ErrorIs(t, err, certauth.ReasonChainUntrusted)
		})
	}
}

// HAProxy and Apache (reproduced), nginx 8409f9df6219, nodejs/node #65579: the forwarded chain is
// missing on resumption; App Service sends only the leaf.
func TestChain_ConfiguredIntermediatesCompleteTheChain(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	policyCA := root.NewIntermediate(t, "Policy CA")
	issuing := policyCA.NewIntermediate(t, "Issuing CA")
	leaf := issuing.Issue(t, "client").Certificate
	with := func(cas ...*certauthtest.CA) certauth.Chain {
		return certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(cas...)}
	}
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		sent   []*x509.Certificate
		want   certauth.Reason
	}{
		{"both configured, leaf alone sent", with(policyCA, issuing), []*x509.Certificate{leaf}, certauth.ReasonNone},
		{"one configured, the other sent", with(policyCA), []*x509.Certificate{leaf, issuing.Certificate}, certauth.ReasonNone},
		{"none configured, both sent", chainOf(root), []*x509.Certificate{leaf, issuing.Certificate, policyCA.Certificate}, certauth.ReasonNone},
		{"none configured, both sent in the wrong order", chainOf(root), []*x509.Certificate{leaf, policyCA.Certificate, issuing.Certificate}, certauth.ReasonNone},
		{"one configured, none sent", with(policyCA), []*x509.Certificate{leaf}, certauth.ReasonChainUntrusted},
		{"none configured, none sent", chainOf(root), []*x509.Certificate{leaf}, certauth.ReasonChainUntrusted},
		{"an intermediate as the only root", chainOf(issuing), []*x509.Certificate{leaf}, certauth.ReasonNone},
		{"intermediates alone are not trusted", certauth.Chain{Roots: certsOf(certauthtest.NewCA(t, "Other")), Intermediates: certsOf(policyCA, issuing)}, []*x509.Certificate{leaf}, certauth.ReasonChainUntrusted},
		{"copies of the leaf do not matter", with(policyCA, issuing), []*x509.Certificate{leaf, leaf, leaf}, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := judge(t, tc.policy, tc.sent...)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			if err == nil {
				assert.Len(t, id.Chains, 1)
			}
		})
	}
	t.Run("the hint names App Service and Chain.Intermediates", func(t *testing.T) {
		_, err := judge(t, with(policyCA), leaf)
		var refused *certauth.Error
		require.ErrorAs(t, err, &refused)
		assert.Contains(t, refused.Hint, "Chain.Intermediates")
	})
}

func TestChain_SeveralChainsAreAllKept(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing CA")
	// The same CA certified a second time: subject, key and key identifier are the same.
	cross := crossSign(t, issuing, rootB)
	leaf := issuing.Issue(t, "client").Certificate
	policy := certauth.Chain{
		Roots:         certsOf(rootA, rootB),
		Intermediates: certauth.Certificates(issuing.Certificate, cross),
	}
	id, err := judge(t, policy, leaf)
	require.NoError(t, err)
	require.Len(t, id.Chains, 2)
	var roots []string
	for _, chain := range id.Chains {
		require.Len(t, chain, 3)
		roots = append(roots, chain[2].Subject.CommonName)
	}
	slices.Sort(roots)
	assert.Equal(t, []string{"Root A", "Root B"}, roots)
}

// crossSign lets another CA certify the key and name of a CA. The kit does not expose its keys, so
// the certifying key is that of a CA made by the kit for this purpose.
func crossSign(t *testing.T, ca, by *certauthtest.CA) *x509.Certificate {
	t.Helper()
	public := publicOnly{public: ca.Certificate.PublicKey}
	return by.IssueFor(t, public, "", certauthtest.AsCA(), certauthtest.Usage(), func(c *x509.Certificate) {
		c.RawSubject, c.SubjectKeyId = ca.Certificate.RawSubject, ca.Certificate.SubjectKeyId
	}).Certificate
}

// Limbo's ca-as-leaf: x509.Verify accepts a CA certificate as the client.
func TestChain_CACertificateAsClientIsRefused(t *testing.T) {
	w := newWorld(t)
	issuing := w.ca.NewIntermediate(t, "Issuing CA")
	selfMade := certauthtest.SelfSigned(t, "client", certauthtest.AsCA(), func(c *x509.Certificate) { c.KeyUsage = 0 }).Certificate // openssl req -x509
	runVerdicts(t, []verdict{
		{"an intermediate as the client", w.chain(), issuing.Certificate, certauth.ReasonCertificateIsCA},
		{"a client certificate with CA:TRUE", w.chain(), w.issue(t, certauthtest.AsCA()), certauth.ReasonCertificateIsCA},
		{"a client certificate with CA:FALSE", w.chain(), w.issue(t), certauth.ReasonNone},
		{"a client certificate without basic constraints", w.chain(), w.issue(t, func(c *x509.Certificate) { c.BasicConstraintsValid = false }), certauth.ReasonNone},
		{"CA:TRUE under a public-key pin", certauth.PublicKeys{spkiPin(issuing.Certificate)}, issuing.Certificate, certauth.ReasonCertificateIsCA},
		{"CA:TRUE under an exact pin", certauth.Thumbprints{thumbprint(selfMade)}, selfMade, certauth.ReasonNone},
		{"a CA that signs nothing but certificates, under an exact pin", certauth.Thumbprints{thumbprint(issuing.Certificate)}, issuing.Certificate, certauth.ReasonUsageNotAllowed},
	})
}

// x509.Verify accepts a root that is presented as the client.
func TestChain_RootItselfAsClientIsRefused(t *testing.T) {
	w := newWorld(t)
	other := certauthtest.NewCA(t, "Other Root")
	for _, tc := range []struct {
		name string
		sent []*x509.Certificate
	}{
		{"the root alone", []*x509.Certificate{w.ca.Certificate}},
		{"the root with itself in the chain", []*x509.Certificate{w.ca.Certificate, w.ca.Certificate}},
		{"one root of two", []*x509.Certificate{other.Certificate}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := judge(t, chainOf(w.ca, other), tc.sent...)
			assert.Equal(t, certauth.ReasonCertificateIsCA, reasonOf(err), "%v", err)
		})
	}
}

func TestChain_UnknownCriticalExtensionIsRefused(t *testing.T) {
	w := newWorld(t)
	extension := func(critical bool) certauthtest.Template {
		return func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: critical, Value: []byte{5, 0}})
		}
	}
	critical := w.issue(t, extension(true))
	runVerdicts(t, []verdict{
		{"critical on the leaf, chain", w.chain(), critical, certauth.ReasonChainUntrusted},
		{"critical on the leaf, pin", certauth.Thumbprints{thumbprint(critical)}, critical, certauth.ReasonExtensionNotAllowed},
		{"not critical", w.chain(), w.issue(t, extension(false)), certauth.ReasonNone},
		{"critical on the issuing CA", chainOf(certauthtest.NewCA(t, "Odd CA", extension(true))), critical, certauth.ReasonChainUntrusted},
	})
}

func TestChain_StaticErrors(t *testing.T) {
	w := newWorld(t)
	roots := certsOf(w.ca)
	bundle := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{0x30, 0}})
	runMisconfigured(t, []misconfigured{
		{"no roots", certauth.Chain{}, []string{"Policy.Chain.Roots: nil; name the CAs you trust"}},
		{"typed-nil roots", certauth.Chain{Roots: certauth.CertFunc(nil)}, []string{"Policy.Chain.Roots: nil; name the CAs you trust"}},
		{"an empty set", certauth.Chain{Roots: certauth.Certificates()}, []string{"Policy.Chain.Roots: no certificate"}},
		{"a nil certificate", certauth.Chain{Roots: certauth.Certificates(nil)}, []string{"Policy.Chain.Roots: certificate 0 is nil or was not parsed"}},
		{"empty PEM", certauth.Chain{Roots: certauth.PEM{}}, []string{"Policy.Chain.Roots: no certificate"}},
		{"a key for a certificate", certauth.Chain{Roots: certauth.PEM(bundle)}, []string{`Policy.Chain.Roots: block 0 is a "PRIVATE KEY", want CERTIFICATE`}},
		{"empty intermediates that are not nil", certauth.Chain{Roots: roots, Intermediates: certauth.Certificates()}, []string{"Policy.Chain.Intermediates: no certificate"}},
		{"a leaf among the roots", certauth.Chain{Roots: certauth.Certificates(w.leaf.Certificate)}, []string{`Policy.Chain.Roots: certificate 0 ("CN=client,O=certauthtest") is not a CA certificate; to trust that certificate alone, pin it`}},
		{"the system's roots as intermediates", certauth.Chain{Roots: roots, Intermediates: certauth.InsecureSystemRoots()}, []string{"Policy.Chain.Intermediates: the system's roots can only be the Roots of a Chain"}},
		{"negative depth", certauth.Chain{Roots: roots, MaxDepth: -1}, []string{"Policy.Chain.MaxDepth: -1, want 1 to 10, or 0 for 5"}},
		{"depth above ten", certauth.Chain{Roots: roots, MaxDepth: 11}, []string{"Policy.Chain.MaxDepth: 11, want 1 to 10, or 0 for 5"}},
		{"every mistake at once, with paths", certauth.All{certauth.Chain{}, certauth.Any{certauth.Chain{Roots: roots, MaxDepth: 11}}}, []string{
			"Policy.All[0].Chain.Roots: nil; name the CAs you trust",
			"Policy.All[1].Any[0].Chain.MaxDepth: 11, want 1 to 10, or 0 for 5",
		}},
	})
}
