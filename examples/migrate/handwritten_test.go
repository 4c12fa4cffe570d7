package migrate_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/examples/migrate"
)

// finding N43: no document said how to compare a policy with an existing check of the header. Behind
// Handler, in report-only mode too, that check finds no header. Here it decides as before, its
// handlers see what they saw, and every difference is reported, in both directions.
func TestHandwritten_TodaysCheckDecidesAndDifferencesAreLogged(t *testing.T) {
	w := newWorld(t)
	good := w.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	stranger := certauthtest.NewCA(t, "Stranger").Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	withHeader := func(r *http.Request) bool { return r.Header.Get("X-ARR-ClientCert") != "" }
	everybody := func(*http.Request) bool { return true }
	nobody := func(*http.Request) bool { return false }
	for name, tc := range map[string]struct {
		today  func(*http.Request) bool
		path   string
		client *certauthtest.Certificate
		status int
		future any // of the record, nil for none
		reason certauth.Reason
	}{
		"both accept":                      {withHeader, "/orders", good, http.StatusOK, nil, ""},
		"both refuse":                      {withHeader, "/orders", nil, http.StatusUnauthorized, nil, ""},
		"the policy would refuse":          {withHeader, "/orders", stranger, http.StatusOK, false, certauth.ReasonChainUntrusted},
		"today's check is open":            {everybody, "/orders", nil, http.StatusOK, false, certauth.ReasonCertificateMissing},
		"the policy accepts more":          {nobody, "/orders", good, http.StatusUnauthorized, true, ""},
		"an exclusion":                     {everybody, "/health", nil, http.StatusOK, nil, ""},
		"an exclusion that today's lacks":  {nobody, "/health", nil, http.StatusUnauthorized, true, ""},
		"both refuse, whatever the reason": {nobody, "/orders", stranger, http.StatusUnauthorized, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			handler, err := migrate.Handwritten(certauth.Config{
				Source: forwarded.AppService{InsecureOutsideAppService: true},
				Policy: certauth.All{
					certauth.Chain{Roots: certauth.PEMFile(w.roots), Intermediates: certauth.PEMFile(w.chain)}, certauth.DNSNames{"orders.partner.example"},
				},
				Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "the probe has no certificate", Control: "returns no data"}},
				Logger:     slog.New(slog.NewJSONHandler(&log, nil)),
			}, tc.today, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				assert.Equal(t, tc.client != nil, withHeader(r), "the handler sees the header as before")
				_, known := certauth.FromContext(r.Context())
				assert.False(t, known, "nobody gets an identity")
			}))
			require.NoError(t, err)
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			log.Reset()
			front := certauthtest.NewAppService(t, server.URL)
			response, err := front.Client(tc.client).Get(front.URL + tc.path)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			server.Close()
			assert.Equal(t, tc.status, response.StatusCode)

			var got any
			for line := range bytes.Lines(log.Bytes()) {
				var record map[string]any
				require.NoError(t, json.Unmarshal(line, &record))
				if record["msg"] != "decisions differ" {
					continue
				}
				require.Nil(t, got, "one record")
				got = record["future"]
				assert.Equal(t, string(tc.reason), record["reason"])
				if tc.client != nil {
					assert.Equal(t, tc.client.Thumbprint(), record["fingerprint"])
				}
			}
			assert.Equal(t, tc.future, got)
		})
	}
}
