package certauthtest_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// backend stores the headers of the last request.
func backend(t *testing.T) (string, *http.Header) {
	t.Helper()
	last := &http.Header{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { *last = r.Header.Clone() }))
	t.Cleanup(server.Close)
	return server.URL, last
}

func send(t *testing.T, client *http.Client, url string, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header = header
	response, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// The certificate is that of the handshake, regardless of the client's headers.
func TestAppService_DeletesForgedHeaders(t *testing.T) {
	url, got := backend(t)
	front := certauthtest.NewAppService(t, url)
	stranger, client := certauthtest.SelfSigned(t, "stranger"), certauthtest.SelfSigned(t, "client")
	for _, tc := range []struct {
		name   string
		client *certauthtest.Certificate
		want   []string
	}{
		{"without a certificate", nil, nil},
		{"with a certificate", client, []string{client.Base64()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			send(t, front.Client(tc.client), front.URL, http.Header{
				"X-Arr-Clientcert": {stranger.Base64(), stranger.Base64()}, "x-arr-clientcert": {stranger.Base64()}, "X-Arr-Log-Id": {"forged"}, "X-Arr-Ssl": {"forged"}, "X-Appservice-Proto": {"forged"},
				"X-Forwarded-For": {"10.1.2.3"}, "X-Forwarded-Proto": {"forged"}, "Client-Ip": {"10.1.2.3"}, "Disguised-Host": {"forged"}, "Connection": {"X-ARR-ClientCert, X-ARR-SSL"},
			})
			assert.Equal(t, tc.want, got.Values("X-ARR-ClientCert"))
			for name, values := range *got {
				assert.NotContains(t, values, "forged", name)
				assert.NotContains(t, values, "10.1.2.3", name)
			}
			for _, name := range []string{"X-ARR-LOG-ID", "X-ARR-SSL", "X-AppService-Proto"} {
				assert.Len(t, got.Values(name), 1, name)
			}
		})
	}
}

// The front end writes the headers in the captures of the platform, and no others.
func TestAppService_InventsNoHeaders(t *testing.T) {
	url, got := backend(t)
	front := certauthtest.NewAppService(t, url)
	client := certauthtest.SelfSigned(t, "client")
	send(t, front.Client(client), front.URL, http.Header{"X-Own": {"a", "b"}})
	assert.Equal(t, []string{"a", "b"}, got.Values("X-Own"))
	seen := []string{}
	for name := range *got {
		seen = append(seen, name)
	}
	assert.ElementsMatch(t, []string{
		"Accept-Encoding", "User-Agent", "X-Own", // of the client
		"X-Arr-Clientcert", "X-Arr-Log-Id", "X-Arr-Ssl", "X-Appservice-Proto", "X-Forwarded-Proto", "X-Forwarded-For", "Client-Ip", "Disguised-Host",
	}, seen)
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, got.Get("X-ARR-LOG-ID"))
	assert.Regexp(t, `^[0-9]+\|[0-9]+\|[^|]+\|[^|]+$`, got.Get("X-ARR-SSL"))
	assert.Equal(t, "https", got.Get("X-AppService-Proto"))
	first := got.Get("X-ARR-LOG-ID")
	send(t, front.Client(client), front.URL, nil)
	assert.NotEqual(t, first, got.Get("X-ARR-LOG-ID"))
}

// No header of App Service carries a chain.
func TestAppService_ForwardsTheLeafOnly(t *testing.T) {
	url, got := backend(t)
	front := certauthtest.NewAppService(t, url)
	root := certauthtest.NewCA(t, "root")
	issuing := root.NewIntermediate(t, "issuing")
	client := issuing.Issue(t, "client")
	send(t, front.Client(client, issuing, root), front.URL, nil)
	assert.Equal(t, []string{base64.StdEncoding.EncodeToString(client.Raw)}, got.Values("X-ARR-ClientCert"))
	for name, values := range *got {
		for _, value := range values {
			assert.NotContains(t, value, base64.StdEncoding.EncodeToString(issuing.Certificate.Raw), name)
		}
	}
}

// The front end requests a certificate and checks nothing: neither chain nor dates nor usage.
func TestAppService_ForwardsUncheckedCertificates(t *testing.T) {
	url, got := backend(t)
	front := certauthtest.NewAppService(t, url)
	expired := certauthtest.SelfSigned(t, "client", certauthtest.Valid(front.ServerCA.Certificate.NotBefore.AddDate(-2, 0, 0), front.ServerCA.Certificate.NotBefore), certauthtest.Usage())
	send(t, front.Client(expired), front.URL, nil)
	assert.Equal(t, expired.Base64(), got.Get("X-ARR-ClientCert"))
}

// Over plain HTTP there is never a certificate, and no evidence of TLS.
func TestSetAppServiceHeaders_PlainHTTP(t *testing.T) {
	arrived := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
	header := http.Header{"X-Arr-Clientcert": {"forged"}, "X-Arr-Ssl": {"forged"}, "X-Appservice-Proto": {"https"}, "X-Forwarded-Proto": {"https"}}
	certauthtest.SetAppServiceHeaders(header, arrived)
	for _, name := range []string{"X-ARR-ClientCert", "X-ARR-SSL", "X-AppService-Proto", "X-Forwarded-Proto"} {
		assert.Empty(t, header.Values(name), name)
	}
	assert.NotEmpty(t, header.Get("X-ARR-LOG-ID"))
}
