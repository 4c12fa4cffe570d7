package fetch

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzFetchURL: no panic; an accepted URL is dialled under the host that net/url reads, and has no
// other interpretation as a number in another notation.
func FuzzFetchURL(f *testing.F) {
	for _, seed := range []string{
		"http://ocsp.example/", "https://OCSP.example:443/a%2Fb?c=d", "http://9.9.9.9:80", "http://[2620:fe::fe]:8080/", "http://[::ffff:9.9.9.9]/",
		"http://127.1/", "http://0/", "http://0x7f.1/", "http://0177.0.0.1/", "http://2130706433/", "http://127.0.0.1./", "http://1.2.3.4.5/",
		"http://user:pass@ocsp.example/", "http://ocsp.example:80@127.0.0.1/", `http://ocsp.example\@127.0.0.1/`, "http://ocsp.example#@127.0.0.1/",
		"http://[fe80::1%25eth0]/", "http://[::1]evil/", "http://[::1", "http://a:80:80/", "http://:80/", "http:ocsp.example", "http:///a", "//a/b",
		"ldap:///CN=a", "file:///etc/passwd", "http://a_b.xn--p1ai/", "http://127%2e1/", "http://\u00f6.example/", "http://a..b/", "http://a:00080/", "http://?", "",
		"http://%e2%84%aa/", "http://%c4%b0.example/",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, raw string, configured bool) {
		got, err := checkURL(raw, configured, []int{8080})
		if err != nil {
			require.Nil(t, got)
			var known *fetchError
			require.ErrorAs(t, err, &known)
			assert.Less(t, len(err.Error()), 600)
			return
		}
		u, err := url.Parse(raw)
		require.NoError(t, err)
		assert.Equal(t, strings.ToLower(u.Hostname()), strings.ToLower(got.host))
		assert.NotRegexp(t, `[^ -~]`, u.Hostname())
		assert.Contains(t, []string{"http", "https"}, u.Scheme)
		assert.Nil(t, u.User)
		assert.Empty(t, u.Fragment)
		assert.Equal(t, configured, got.configured)

		request, err := http.NewRequest(http.MethodGet, got.url.String(), http.NoBody)
		require.NoError(t, err)
		var dialled string
		transport := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = address
			return nil, errDiverted
		}}
		_, err = transport.RoundTrip(request)
		require.ErrorIs(t, err, errDiverted)
		host, port, err := net.SplitHostPort(dialled)
		require.NoError(t, err)
		assert.Equal(t, strings.ToLower(got.host), host)
		if !configured {
			assert.Contains(t, []string{"80", "443", "8080"}, port)
		}
		literal, err := netip.ParseAddr(host)
		if err == nil {
			assert.Equal(t, literal, got.literal)
			assert.Empty(t, literal.Zone())
			return
		}
		assert.False(t, got.literal.IsValid())
		assert.NotRegexp(t, aton, host)
	})
}

// aton matches hosts that inet_aton reads: up to four numbers, each decimal, octal, or hexadecimal.
var aton = regexp.MustCompile(`^(?i:0x[0-9a-f]*|[0-9]+)(?i:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}\.?$`)
