package certauth_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// finding S37: for the event of each refusal the whole subject was formatted and searched for keys, so that anybody with a
// self-made certificate that has a long one cost six milliseconds of processor time and a megabyte for each request, which is
// four hundred times as much as with a short one. Only 256 bytes of it are shown.
func TestLimits_TheEventOfALongSubjectCostsLittle(t *testing.T) {
	trusted, own := newRoot(t, "CA"), newRoot(t, "Own")
	cost := func(commonName string) (bytes float64, shown string) {
		leaf := own.newClient(t, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: commonName} }).Certificate
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("own", leaf), Policy: certauth.Chain{Roots: certsFrom(trusted)},
			Observe: func(_ context.Context, e certauth.Event) { shown = e.Certificate.Subject },
		})
		require.NoError(t, err)
		bytes = bytesPerRun(func(n int) {
			for range n / 40 {
				_, err = auth.Admit(request())
			}
		}) * 40
		assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err))
		return bytes, shown
	}
	for name, tc := range map[string]struct{ part, want string }{
		"what may be a key":  {"M-", "CN=" + strings.Repeat("M-", 126) + "M..."},
		"control characters": {"\x01", "CN=" + strings.Repeat(`\\01`, 84) + `\\...`},
	} {
		t.Run(name, func(t *testing.T) {
			bytes, shown := cost(strings.Repeat(tc.part, 15000/len(tc.part)))
			assert.Less(t, bytes, 64e3)
			assert.Equal(t, tc.want, shown)
		})
	}
}
