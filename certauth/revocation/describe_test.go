package revocation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding N5: the policy that is printed at start said "not revoked" for both modes.
func TestChecker_ThePrintedPolicyNamesWhatIsWaived(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	for want, config := range map[string]revocation.Config{
		"not revoked (hard fail)\n":                                                      {},
		"not revoked (soft fail: accepted if there is no evidence)\n":                    {Mode: revocation.SoftFail},
		"not revoked (hard fail, only the client's certificate)\n":                       {Scope: revocation.LeafOnly},
		"not revoked (hard fail, accepted if it names no source)\n":                      {AllowNoSource: true},
		"not revoked (hard fail, short-lived up to 168h0m0s accepted)\n":                 {ShortLived: 7 * 24 * time.Hour},
		"not revoked (hard fail, good for 1h0m0s after it expired)\n":                    {StaleGrace: time.Hour},
		"not revoked (soft fail: accepted if there is no evidence, unknown is accepted)": {Mode: revocation.SoftFail, AllowUnknown: true},
	} {
		checker, err := revocation.New(config)
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, checker.Close()) })
		auth, err := certauth.New(certauth.Config{
			Source: certauth.TLS{},
			Policy: certauth.All{certauth.Chain{Roots: certauth.PEM(root.PEM())}, certauth.NotRevoked{Checker: checker}},
		})
		require.NoError(t, err)
		assert.Contains(t, auth.String(), want)
	}
}
