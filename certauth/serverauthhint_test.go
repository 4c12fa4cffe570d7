package certauth_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// The hint about a server certificate says what the partner needs and which policy accepts this
// certificate in the meantime; the hint about a certificate for other purposes names no policy that
// would not help.
func TestChain_HintOfAnExtendedKeyUsage(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		usages []x509.ExtKeyUsage
		server bool
	}{
		"servers alone":    {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, true},
		"servers and mail": {[]x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageServerAuth}, true},
		"mail alone":       {[]x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, false},
		"signing code":     {[]x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}, false},
	} {
		_, err := judge(t, w.chain(), w.issue(t, func(c *x509.Certificate) { c.ExtKeyUsage = tc.usages }))
		assert.Equal(t, certauth.ReasonUsageNotAllowed, reasonOf(err), name)
		hint := refusedAs(t, err).Hint
		if tc.server {
			assert.Regexp(t, "^the partner needs a certificate with the extended key usage clientAuth; .*AcceptServerAuth", hint, name)
		} else {
			assert.NotContains(t, hint, "AcceptServerAuth", name)
		}
	}
}
