package forwarded_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/internal/vector"
)

const (
	header = "X-Arr-Clientcert" // http.CanonicalHeaderKey("X-ARR-ClientCert")
	secret = "correct horse battery staple"
)

// spellings of X-ARR-ClientCert that CGI-like layers treat as the same name. They are map keys
// without canonicalization.
var spellings = []string{"X_ARR_ClientCert", "X.ARR.ClientCert", "X-ARR_ClientCert", "X-ARR.ClientCert", "x-arr-clientcert", "x_arr_clientcert", "X_arr_clientcert"}

// partner is a CA with one client.
type partner struct {
	ca     *certauthtest.CA
	client *certauthtest.Certificate
	good   string // X-ARR-ClientCert of the client
}

func newPartner(t testing.TB) partner {
	t.Helper()
	ca := certauthtest.NewCA(t, "Partner Root")
	client := ca.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	return partner{ca, client, client.Base64()}
}

func (p partner) chain() certauth.Chain {
	return certauth.Chain{Roots: certauth.Certificates(p.ca.Certificate)}
}

// arriving returns a request as App Service's front end forwards it, with the values in
// X-ARR-ClientCert.
func arriving(values ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.RemoteAddr = "10.1.2.3:40000"
	r.Header = http.Header{
		"X-Arr-Log-Id":       {"0dd50cc5-af94-4852-abb4-8ade0c022c5d"},
		"X-Arr-Ssl":          {"2048|256|CN=CA, O=Example|CN=*.azurewebsites.net"},
		"X-Appservice-Proto": {"https"},
	}
	if len(values) > 0 {
		r.Header[header] = values
	}
	return r
}

// attempt is one request against one configuration.
type attempt struct {
	name   string
	source forwarded.AppService
	policy certauth.Policy // nil: the partner's chain
	values []string        // of X-ARR-ClientCert
	change func(r *http.Request)
	want   certauth.Reason
}

// run calls Check, and then Handler in both modes, and compares the status and what the next
// handler receives. Malformed and untrusted are never anonymous.
func (a attempt) run(t *testing.T, p partner) {
	t.Helper()
	policy := a.policy
	if policy == nil {
		policy = p.chain()
	}
	config := certauth.Config{Source: a.source, Policy: policy}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	id, err := auth.Check(a.request(t))
	assert.Equal(t, a.want, reasonOf(err), "%v", err)
	assert.Equal(t, a.want == certauth.ReasonNone, id != nil)

	for _, optional := range []bool{false, true} {
		config.Optional = optional
		var reason certauth.Reason
		config.Observe = func(_ context.Context, e certauth.Event) { reason = e.Reason() }
		auth, err := certauth.New(config)
		require.NoError(t, err)
		status, called := http.StatusUnauthorized, false
		anonymous := optional && a.want == certauth.ReasonCertificateMissing
		if a.want == certauth.ReasonNone || anonymous {
			status = http.StatusOK
		}
		r := a.request(t)
		recorder := httptest.NewRecorder()
		auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			called = true
			_, ok := certauth.FromContext(r.Context())
			assert.Equal(t, a.want == certauth.ReasonNone, ok, "identity in optional %t", optional)
		})).ServeHTTP(recorder, r)
		assert.Equal(t, status, recorder.Code, "optional %t", optional)
		assert.Equal(t, status == http.StatusOK, called, "optional %t", optional)
		if !anonymous {
			assert.Equal(t, a.want, reason, "optional %t", optional)
		}
		assertStripped(t, r)
		if strings.Contains(auth.String(), "SharedSecret(X-Gate)") {
			assertStripped(t, r, "x-gate")
		}
	}
}

func (a attempt) request(t *testing.T) *http.Request {
	r := arriving(a.values...)
	if a.change != nil {
		a.change(r)
	}
	return overSocket(t, r)
}

// overSocket returns the request as it arrives over a socket whose other end is RemoteAddr, or
// without a socket if that is no address.
func overSocket(tb testing.TB, r *http.Request) *http.Request {
	tb.Helper()
	if _, err := netip.ParseAddrPort(r.RemoteAddr); err != nil {
		return r
	}
	return certauthtest.WithPeer(tb, r, "tcp", r.RemoteAddr)
}

// assertStripped checks that every spelling of the certificate header, and of the others, is
// removed.
func assertStripped(t *testing.T, r *http.Request, others ...string) {
	t.Helper()
	for name := range r.Header {
		folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		assert.NotContains(t, append(others, "x-arr-clientcert"), folded, name)
	}
}

func reasonOf(err error) certauth.Reason {
	var refused *certauth.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	if err != nil {
		return "not a certauth.Error"
	}
	return certauth.ReasonNone
}

// set replaces one header line.
func set(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) {
		if len(values) == 0 {
			delete(r.Header, name)
			return
		}
		r.Header[name] = values
	}
}

// vectorValue returns X-ARR-ClientCert of a committed vector.
func vectorValue(t testing.TB, folder, name string) string {
	t.Helper()
	cases, err := vector.Load("../../testdata/" + folder)
	require.NoError(t, err)
	for _, c := range cases {
		if c.Name != name {
			continue
		}
		headers, err := c.Headers()
		require.NoError(t, err)
		for _, h := range headers {
			if strings.EqualFold(h[0], header) {
				return h[1]
			}
		}
	}
	require.Failf(t, "no such vector", "%s/%s", folder, name)
	return ""
}
