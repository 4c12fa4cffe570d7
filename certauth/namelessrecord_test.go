package certauth_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// nameless makes a certificate without a subject, whose names are alternative ones only (RFC 5280,
// section 4.1.2.6), as cert-manager and SPIRE issue them for workloads.
func nameless(change certauthtest.Template) certauthtest.Template {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{}
		change(c)
	}
}

func uris(t *testing.T, list ...string) certauthtest.Template {
	t.Helper()
	return nameless(func(c *x509.Certificate) {
		for _, text := range list {
			parsed, err := url.Parse(text)
			require.NoError(t, err)
			c.URIs = append(c.URIs, parsed)
		}
	})
}

// finding N40: the records of a caller without a subject, such as a workload with a SPIFFE ID, had
// subject="", so that they named nobody. The package documentation says that the attribute is the
// certificate's name, and that attributes without a value are left out.
func TestRecord_NamesACallerWithoutASubject(t *testing.T) {
	const workload = "spiffe://cluster.local/ns/shop/sa/orders"
	ca, stranger := certauthtest.NewCA(t, "Cluster CA"), certauthtest.NewCA(t, "Stranger")
	policy := certauth.All{certauth.Chain{Roots: certsOf(ca)}, certauth.SPIFFEIDs{workload}}
	for name, tc := range map[string]struct {
		client *certauthtest.Certificate
		reason certauth.Reason
		key    string
		want   any // nil for no such attribute
	}{
		"an accepted workload":                     {ca.Issue(t, "", uris(t, workload)), certauth.ReasonNone, "subject", "URI:" + workload},
		"a workload that is not allowed":           {ca.Issue(t, "", uris(t, "spiffe://cluster.local/ns/shop/sa/other")), certauth.ReasonNameNotAllowed, "subject", "URI:spiffe://cluster.local/ns/shop/sa/other"},
		"anybody's certificate with the same name": {stranger.Issue(t, "", uris(t, workload)), certauth.ReasonChainUntrusted, "subject_unverified", "URI:" + workload},
		"names of several kinds": {ca.Issue(t, "", nameless(func(c *x509.Certificate) {
			c.DNSNames, c.EmailAddresses, c.IPAddresses = []string{"a.example", "b.example"}, []string{"o@a.example"}, []net.IP{net.IPv4(192, 0, 2, 1)}
		})), certauth.ReasonNameNotAllowed, "subject", "DNS:a.example, DNS:b.example, email:o@a.example, IP:192.0.2.1"},
		"a name with the separator in it": {ca.Issue(t, "", uris(t, "urn:a,DNS:admin.example")), certauth.ReasonNameNotAllowed, "subject", `URI:urn:a\\,DNS:admin.example`},
		"no name at all":                  {ca.Issue(t, "", nameless(func(*x509.Certificate) {})), certauth.ReasonNameNotAllowed, "subject", nil},
		"a subject as well": {ca.Issue(t, "orders", func(c *x509.Certificate) {
			c.DNSNames = []string{"a.example"}
		}), certauth.ReasonNameNotAllowed, "subject", "CN=orders,O=certauthtest"},
	} {
		t.Run(name, func(t *testing.T) {
			var log records
			var seen certauth.Event
			auth, err := certauth.New(certauth.Config{
				Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: policy, Logger: log.logger(slog.LevelDebug),
				Observe: func(_ context.Context, event certauth.Event) { seen = event },
			})
			require.NoError(t, err)
			log.take(t)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, tc.client)
			auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				id, _ := certauth.FromContext(r.Context())
				assert.Contains(t, id.LogValue().String(), workload)
			})).ServeHTTP(httptest.NewRecorder(), r)

			list := log.take(t)
			require.Len(t, list, 1)
			assert.Equal(t, tc.reason, seen.Reason())
			assert.Equal(t, tc.want, list[0][tc.key])
			if tc.want == nil {
				assert.NotContains(t, list[0], tc.key)
				return
			}
			assert.Equal(t, tc.want, seen.Certificate.Subject)
		})
	}
}

// The text is bounded like a subject, however many names there are.
func TestRecord_BoundsTheNamesOfACallerWithoutASubject(t *testing.T) {
	ca := certauthtest.NewCA(t, "Cluster CA")
	var many []string
	for range 100 {
		many = append(many, "spiffe://cluster.local/"+strings.Repeat("a", 40))
	}
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: certauth.Chain{Roots: certsOf(ca)},
		Observe: func(_ context.Context, event certauth.Event) {
			assert.LessOrEqual(t, len(event.Certificate.Subject), 300)
			assert.Contains(t, event.Certificate.Subject, many[0])
		},
	})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, ca.Issue(t, "", uris(t, many...)))
	w := httptest.NewRecorder()
	auth.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
	assert.Equal(t, http.StatusNotFound, w.Code)
}
