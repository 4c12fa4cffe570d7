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

// CVE-2024-6156 LXD and ghostunnel's pins, applied to a front end as the anchor: it disables no
// check that is always on, and its presence alone accepts nobody.
func TestFrontEnd_VerifyingFrontEndIsAnAnchorLikeAnyOther(t *testing.T) {
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
		assert.ErrorContains(t, err, "Policy.DNSNames: comes before any anchor", name)
	}
	for name, policy := range map[string]certauth.Policy{
		"revocation": certauth.NotRevoked{Checker: answer{}}, "the issuer's name": certauth.IssuerName{"CN=x"},
		"the issuing CA": certauth.IssuedBy{Certificates: certsOf(ca)}, "nothing": certauth.All{},
	} {
		_, err := certauth.New(certauth.Config{Source: verifying{issue(), true}, Policy: policy})
		assert.Error(t, err, name)
	}
}
