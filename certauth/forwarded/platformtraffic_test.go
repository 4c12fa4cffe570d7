package forwarded_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding N7: warm-up, Always On and health check were not documented, and the hint about them
// referred the reader to clientCertEnabled.
func TestAppService_SaysWhatThePlatformItselfSends(t *testing.T) {
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{InsecureOutsideAppService: true},
		Policy: certauth.Thumbprints{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	})
	require.NoError(t, err)
	for _, tc := range []struct {
		name, path string
		external   bool
		hint       string
	}{
		{"warm-up", "/robots933456.txt", false, "warm-up request"},
		{"Always On", "/", false, "Always On"},
		{"a health check without an exclusion", "/health", false, "health check"},
		{"a caller through the front end, at the warm-up path", "/robots933456.txt", true, "clientCertEnabled=true"},
		{"a caller through the front end", "/", true, "clientCertEnabled=true"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tc.path, http.NoBody)
			if tc.external {
				r.Header.Set("X-ARR-LOG-ID", "0dd50cc5-af94-4852-abb4-8ade0c022c5d")
			}
			_, err := auth.Check(r)
			var refused *certauth.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, certauth.ReasonCertificateMissing, refused.Reason, "the platform must get the same answer")
			assert.Contains(t, refused.Hint, tc.hint)
		})
	}
}
