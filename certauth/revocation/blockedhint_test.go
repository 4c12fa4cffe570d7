package revocation_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding N52: the hints named fields of Config, which in a service is certauth.Config.
//
// finding N41: for a responder that the service itself does not contact, because its address is
// private or its port unusual, the hint was to check the network path. The runbook says that the
// next step is AllowNets or AllowPorts. An address of this machine or of the platform in a
// certificate is no reason to permit it.
func TestRefusals_NameTheFieldThatPermitsAResponder(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner CA")
	const path = "network path"
	for name, tc := range map[string]struct {
		change certauthtest.Template
		hint   string
		never  []string
	}{
		"an OCSP responder on a private network": {certauthtest.OCSPAt("http://10.1.2.3/ocsp"), "revocation.Config.HTTP.AllowNets", []string{path, "AllowPorts"}},
		"a CRL on a private network":             {certauthtest.CRLAt("http://[fd00::7]/ca.crl"), "revocation.Config.HTTP.AllowNets", []string{path, "AllowPorts"}},
		"an unusual port":                        {certauthtest.OCSPAt("http://203.0.113.7:8080/ocsp"), "revocation.Config.HTTP.AllowPorts", []string{path, "AllowNets"}},
		"this machine":                           {certauthtest.OCSPAt("http://127.0.0.1/ocsp"), path, []string{"Allow"}},
		"the metadata service":                   {certauthtest.OCSPAt("http://169.254.169.254/ocsp"), path, []string{"Allow"}},
		"the platform's own address":             {certauthtest.OCSPAt("http://168.63.129.16/ocsp"), path, []string{"Allow"}},
	} {
		t.Run(name, func(t *testing.T) {
			checker, err := revocation.New(revocation.Config{})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, checker.Close()) })
			client := ca.Issue(t, "orders", tc.change)
			source := certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) {
				return []*x509.Certificate{client.Certificate}, nil
			}}
			auth, err := certauth.New(certauth.Config{Source: source, Policy: certauth.All{
				certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, certauth.NotRevoked{Checker: checker},
			}})
			require.NoError(t, err)
			_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil).WithContext(t.Context()))
			var refused *certauth.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, certauth.ReasonRevocationUnavailable, refused.Reason)
			assert.Contains(t, refused.Hint, tc.hint)
			for _, wrong := range tc.never {
				assert.NotContains(t, refused.Hint, wrong)
			}
			assert.LessOrEqual(t, len(refused.Hint), 180, "one step")
		})
	}
}
