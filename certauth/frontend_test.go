package certauth_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// verifying is a source whose front end verifies, or does not.
type verifying struct {
	cert     *x509.Certificate
	verifies bool
}

func (v verifying) Prepare(env source.Environment) (*source.Reader, error) {
	reader, err := fixedSource("verifying", v.cert).Prepare(env)
	reader.FrontEndVerifies = v.verifies
	return reader, err
}

// CVE-2024-6156 LXD and ghostunnel's pins, for the anchor that the front end is: it
// switches nothing off that is always on, and it takes nobody in for its presence alone.
func TestFrontEnd_VerifyingSourceIsAnAnchorLikeAnyOther(t *testing.T) {
	ca := aroundNoon(t)
	valid := certauthtest.Valid(noon.Add(-time.Hour), noon.Add(time.Hour))
	issue := func(change ...certauthtest.Template) *x509.Certificate {
		return ca.Issue(t, "client", append([]certauthtest.Template{valid, certauthtest.DNS("a.example")}, change...)...).Certificate
	}
	names := certauth.DNSNames{"a.example"}
	skewed := certauth.All{names, certauth.Validity{ClockSkew: time.Minute}}
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		leaf   *x509.Certificate
		at     time.Time
		want   certauth.Reason
	}{
		{"a name that is listed", names, issue(), noon, certauth.ReasonNone},
		{"a name that is not", certauth.DNSNames{"b.example"}, issue(), noon, certauth.ReasonNameNotAllowed},
		{"at the end", names, issue(), noon.Add(time.Hour), certauth.ReasonNone},
		{"a second after the end", names, issue(), noon.Add(time.Hour + time.Second), certauth.ReasonCertificateExpired},
		{"a second before the beginning", names, issue(), noon.Add(-time.Hour - time.Second), certauth.ReasonCertificateNotYetValid},
		{"a skew after the end", skewed, issue(), noon.Add(time.Hour + time.Minute), certauth.ReasonNone},
		{"a skew and a second after the end", skewed, issue(), noon.Add(time.Hour + time.Minute + time.Second), certauth.ReasonCertificateExpired},
		{"a server's certificate", names, issue(serverOnly), noon, certauth.ReasonUsageNotAllowed},
		{"a CA certificate", names, issue(certauthtest.AsCA()), noon, certauth.ReasonCertificateIsCA},
		{"a chain is verified all the same", chainOf(certauthtest.NewCA(t, "Other")), issue(), noon, certauth.ReasonChainUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: verifying{tc.leaf, true}, Policy: tc.policy, Now: func() time.Time { return tc.at }})
			require.NoError(t, err)
			id, err := auth.Check(request())
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			if err == nil {
				assert.True(t, id.NamesVouched())
				assert.Empty(t, id.Chains)
			}
		})
	}
	for name, source := range map[string]certauth.Source{"a source that does not": verifying{issue(), false}, "a source that cannot say": fixedSource("test", issue())} {
		_, err := certauth.New(certauth.Config{Source: source, Policy: names})
		assert.ErrorContains(t, err, "Policy.DNSNames: stands before any anchor", name)
	}
	for name, policy := range map[string]certauth.Policy{
		"revocation": certauth.NotRevoked{Checker: answer{}}, "the issuer's name": certauth.IssuerName{"CN=x"},
		"the issuing CA": certauth.IssuedBy{Certificates: certsOf(ca)}, "nothing": certauth.All{},
	} {
		_, err := certauth.New(certauth.Config{Source: verifying{issue(), true}, Policy: policy})
		assert.Error(t, err, name)
	}
}

func TestMatched_TakesTheNamesGivenBefore(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("a.example"))
	leaf := w.leaf.Certificate
	named := func(name string, dns string) certauth.Policy {
		return certauth.Named{Name: name, Policy: certauth.DNSNames{dns}}
	}
	roles := certauth.Any{named("reader", "a.example"), named("writer", "b.example")}
	runVerdicts(t, []verdict{
		{"a name that matched", w.behind(roles, certauth.Matched{"reader"}), leaf, certauth.ReasonNone},
		{"one of two", w.behind(roles, certauth.Matched{"writer", "reader"}), leaf, certauth.ReasonNone},
		{"a name that did not", w.behind(roles, certauth.Matched{"writer"}), leaf, certauth.ReasonPolicyRefused},
	})
	const path = "Policy.All[2].Matched"
	runMisconfigured(t, []misconfigured{
		{"a name that nobody has", w.behind(roles, certauth.Matched{"reader", "raeder"}), []string{path + `[1]: no Named before it is called "raeder"`}},
		{"an empty list", w.behind(roles, certauth.Matched{}), []string{path + ": empty"}},
		{"before the name", w.behind(certauth.Matched{"reader"}, roles), []string{`Policy.All[1].Matched[0]: no Named before it is called "reader"`}},
		{"a name under Not, where none is recorded", w.behind(certauth.Not{Policy: named("reader", "b.example")}, certauth.Matched{"reader"}), []string{path + `[0]: no Named before it is called "reader"`}},
	})
}

// A branch that broke gives no name either, so "has no such name" says nothing: Not over
// Matched would make an acceptance of an error (promise 2).
func TestMatched_NotOverItMakesNoErrorAnAcceptance(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, rawSubject(t, utf8Name("x"), utf8Name("blocked"))) // two names: no answer, not "no"
	policy := w.behind(
		certauth.Any{certauth.Named{Name: "blocked", Policy: certauth.CommonNames{"blocked"}}, certauth.Keys{MinECBits: 256}},
		certauth.Not{Policy: certauth.Matched{"blocked"}},
	)
	auth, err := certauth.New(certauth.Config{Source: fixedSource("test", leaf), Policy: policy})
	if err != nil {
		return // to refuse the policy is as good
	}
	_, err = auth.Check(request())
	assert.Error(t, err)
}
