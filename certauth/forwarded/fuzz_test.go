package forwarded_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// One arbitrary header line is added to a genuine request of the front end: a certificate comes
// only from the exact name, in its only spelling, nothing panics, and no later handler sees any
// spelling of the header.
func FuzzAppService(f *testing.F) {
	f.Setenv("WEBSITE_SITE_NAME", "orders")
	f.Setenv("WEBSITE_INSTANCE_ID", "0123")
	p := newPartner(f)
	for _, name := range append([]string{header, "Connection", "Trailer", "X-Arr-Ssl", "X-Arr-Log-Id", "X-Appservice-Proto", "", "\x00", "X-Arr-Clientcert ", "X‑Arr‑Clientcert"}, spellings...) {
		for _, value := range []string{p.good, "", "?", p.good + "," + p.good, "X-ARR-ClientCert", "x_arr_ssl", "1|2|3|4"} {
			f.Add(name, value)
		}
	}
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: p.chain(), Optional: true})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, beside := range []bool{false, true} {
			r := arriving()
			if beside {
				r = arriving(p.good)
			}
			r.Header[name] = values(value)
			id, err := auth.Check(r)
			assert.NotEqual(t, id == nil, err == nil)
			assert.NotEqual(t, certauth.ReasonInternalError, reasonOf(err), "%v", err)
			if id != nil {
				assert.Equal(t, r.Header[header], values(base64.StdEncoding.EncodeToString(id.Leaf.Raw)))
			}
			auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { assertStripped(t, r) })).ServeHTTP(httptest.NewRecorder(), r)
			assertStripped(t, r)
		}
	})
}
