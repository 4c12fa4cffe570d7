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

// A front end that sends one header does not always remove the others that it can send, so what
// arrives in them can be the client's. A handler must not find them (RFC 9440, section 2.4).
func TestPresets_HeadersThatAreNotReadAreRemovedToo(t *testing.T) {
	p := newPartner(t)
	from := fromTens()
	for name, tc := range map[string]struct {
		preset  string
		source  certauth.Source
		removed string
	}{
		"Cloudflare in the form of RFC 9440": {"Cloudflare RFC 9440", forwarded.Cloudflare{From: from, RFC9440: true}, "Cf-Client-Cert-Der-Base64"},
		"RFC 9440 without its chain":         {"RFC9440", forwarded.RFC9440{From: from}, "Client-Cert-Chain"},
	} {
		t.Run(name, func(t *testing.T) {
			d := named(tc.preset)
			auth, err := certauth.New(certauth.Config{Source: tc.source, Policy: p.chain(), Optional: true})
			require.NoError(t, err)
			for _, certificate := range []bool{true, false} {
				r := d.request(p.client.Certificate)
				if !certificate {
					d.without(r)
				}
				put(tc.removed, "the client's")(r)
				recorder := httptest.NewRecorder()
				auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, known := certauth.FromContext(r.Context())
					assert.Equal(t, certificate, known)
					assert.Empty(t, r.Header)
				})).ServeHTTP(recorder, overSocket(t, r))
				assert.Equal(t, http.StatusOK, recorder.Code)
			}
		})
	}
}
