package fetch_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

func TestHTTPOptions_MistakesAreNamed(t *testing.T) {
	proxy := func(text string) *url.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return u
	}
	for _, c := range []struct {
		name    string
		options fetch.HTTPOptions
		want    string // empty: none
	}{
		{"the zero value is in order", fetch.HTTPOptions{}, ""},
		{"the zero prefix", fetch.HTTPOptions{AllowNets: []netip.Prefix{{}}}, "HTTPOptions.AllowNets[0]: invalid Prefix: no prefix"},
		{"bits outside the prefix", fetch.HTTPOptions{AllowNets: nets("10.0.0.1/8")}, "HTTPOptions.AllowNets[0]: 10.0.0.1/8: bits outside the prefix, want 10.0.0.0/8"},
		{"IPv4-mapped", fetch.HTTPOptions{AllowNets: nets("::ffff:10.0.0.0/104")}, "HTTPOptions.AllowNets[0]: ::ffff:10.0.0.0/104: write an IPv4-mapped prefix as IPv4"},
		{"the loopback network", fetch.HTTPOptions{AllowNets: nets("127.0.0.0/8")}, "HTTPOptions.AllowNets[0]: 127.0.0.0/8: opens nothing"},
		{"two loopback addresses", fetch.HTTPOptions{AllowNets: nets("127.0.0.0/31")}, "HTTPOptions.AllowNets[0]: 127.0.0.0/31: opens nothing"},
		{"the link-local network", fetch.HTTPOptions{AllowNets: nets("169.254.0.0/16")}, "HTTPOptions.AllowNets[0]: 169.254.0.0/16: opens nothing"},
		{"shared address space", fetch.HTTPOptions{AllowNets: nets("100.64.0.0/10")}, "HTTPOptions.AllowNets[0]: 100.64.0.0/10: opens nothing"},
		{"a public network", fetch.HTTPOptions{AllowNets: nets("9.9.9.0/24")}, "HTTPOptions.AllowNets[0]: 9.9.9.0/24: opens nothing"},
		{"link-local of IPv6", fetch.HTTPOptions{AllowNets: nets("fe80::/10")}, "HTTPOptions.AllowNets[0]: fe80::/10: opens nothing"},
		{"the unspecified address", fetch.HTTPOptions{AllowNets: nets("0.0.0.0/32")}, "HTTPOptions.AllowNets[0]: 0.0.0.0/32: this address accepts no connections"},
		{"a multicast address", fetch.HTTPOptions{AllowNets: nets("ff02::1/128")}, "HTTPOptions.AllowNets[0]: ff02::1/128: this address accepts no connections"},
		{"broadcast", fetch.HTTPOptions{AllowNets: nets("255.255.255.255/32")}, "HTTPOptions.AllowNets[0]: 255.255.255.255/32: this address accepts no connections"},
		{"private networks, narrow and wide", fetch.HTTPOptions{AllowNets: nets("10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "fc00::/7", "fd12:3456::/48", "::/0")}, ""},
		{"single addresses of any kind", fetch.HTTPOptions{AllowNets: nets("10.1.2.3/32", "127.0.0.1/32", "169.254.169.254/32", "168.63.129.16/32", "::1/128", "fe80::1/128")}, ""},

		{"an empty name", fetch.HTTPOptions{AllowHosts: []string{""}}, `HTTPOptions.AllowHosts[0]: "": want a name`},
		{"a wildcard", fetch.HTTPOptions{AllowHosts: []string{"ok.example", "*.example"}}, `HTTPOptions.AllowHosts[1]: "*.example": want a name`},
		{"a name with a port", fetch.HTTPOptions{AllowHosts: []string{"ocsp.example:80"}}, `HTTPOptions.AllowHosts[0]: "ocsp.example:80": want a name`},
		{"a URL", fetch.HTTPOptions{AllowHosts: []string{"http://ocsp.example"}}, `HTTPOptions.AllowHosts[0]: "http://ocsp.example": want a name`},
		{"a dot at the end", fetch.HTTPOptions{AllowHosts: []string{"ocsp.example."}}, `HTTPOptions.AllowHosts[0]: "ocsp.example.": want a name`},
		{"an address as a name", fetch.HTTPOptions{AllowHosts: []string{"10.0.0.1"}}, `HTTPOptions.AllowHosts[0]: 10.0.0.1: an address belongs in AllowNets`},
		{"an address of IPv6 as a name", fetch.HTTPOptions{AllowHosts: []string{"::1"}}, `HTTPOptions.AllowHosts[0]: "::1": want a name`},
		{"names", fetch.HTTPOptions{AllowHosts: []string{"ocsp", "OCSP.corp.example", "a_b.example"}}, ""},

		{"port 0", fetch.HTTPOptions{AllowPorts: []int{0}}, "HTTPOptions.AllowPorts[0]: 0, want 1 to 65535"},
		{"a negative port", fetch.HTTPOptions{AllowPorts: []int{-1}}, "HTTPOptions.AllowPorts[0]: -1, want 1 to 65535"},
		{"port 65536", fetch.HTTPOptions{AllowPorts: []int{8080, 65536}}, "HTTPOptions.AllowPorts[1]: 65536, want 1 to 65535"},
		{"the first and the last port", fetch.HTTPOptions{AllowPorts: []int{1, 65535}}, ""},

		{"a proxy over SOCKS", fetch.HTTPOptions{Proxy: proxy("socks5://proxy.example")}, `HTTPOptions.Proxy: scheme "socks5", want http or https`},
		{"a proxy without a scheme", fetch.HTTPOptions{Proxy: proxy("//proxy.example")}, `HTTPOptions.Proxy: scheme "", want http or https`},
		{"a proxy without a host", fetch.HTTPOptions{Proxy: proxy("http://:3128")}, `HTTPOptions.Proxy: host ":3128", want a name or an address, and a port`},
		{"a proxy that is a number", fetch.HTTPOptions{Proxy: proxy("http://127.1:3128")}, `HTTPOptions.Proxy: host "127.1:3128", want a name or an address, and a port`},
		{"a proxy on no port", fetch.HTTPOptions{Proxy: proxy("http://proxy.example:0")}, `HTTPOptions.Proxy: host "proxy.example:0", want a name or an address, and a port`},
		{"K191: a proxy with a path in its host", fetch.HTTPOptions{Proxy: &url.URL{Scheme: "http", Host: "proxy.example:3128/"}}, `HTTPOptions.Proxy: host "proxy.example:3128/", want a name or an address, and a port`},
		{"K191: a proxy with a query in its host", fetch.HTTPOptions{Proxy: &url.URL{Scheme: "http", Host: "proxy.example?a"}}, `HTTPOptions.Proxy: host "proxy.example?a", want a name or an address, and a port`},
		{"a proxy with a path", fetch.HTTPOptions{Proxy: proxy("http://proxy.example/a")}, "HTTPOptions.Proxy: want scheme, host and port alone"},
		{"a proxy with a query", fetch.HTTPOptions{Proxy: proxy("http://proxy.example?a")}, "HTTPOptions.Proxy: want scheme, host and port alone"},
		{"an opaque proxy", fetch.HTTPOptions{Proxy: proxy("http:proxy.example")}, "HTTPOptions.Proxy: want scheme, host and port alone"},
		{"a proxy with a password", fetch.HTTPOptions{Proxy: proxy("https://user:secret@proxy.example:3128/")}, ""},
		{"a proxy of IPv6", fetch.HTTPOptions{Proxy: proxy("http://[::1]:3128")}, ""},

		{"a negative timeout for OCSP", fetch.HTTPOptions{OCSPTimeout: -time.Second}, "HTTPOptions.OCSPTimeout: -1s, want 0 for 3s, or more"},
		{"a negative timeout for lists", fetch.HTTPOptions{CRLTimeout: -1}, "HTTPOptions.CRLTimeout: -1ns, want 0 for 30s, or more"},
		{"an agent on two lines", fetch.HTTPOptions{UserAgent: "a\r\nX: y"}, `HTTPOptions.UserAgent: "a\r\nX: y", want at most 256 bytes of printable ASCII`},
		{"an agent beyond ASCII", fetch.HTTPOptions{UserAgent: "\u00e9"}, `HTTPOptions.UserAgent: "\u00e9", want at most 256 bytes of printable ASCII`},
		{"an agent of 257 bytes", fetch.HTTPOptions{UserAgent: strings.Repeat("a", 257)}, "HTTPOptions.UserAgent: "},
		{"an agent of 256 bytes", fetch.HTTPOptions{UserAgent: strings.Repeat("a", 256)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := fetch.NewHTTPFetcher(c.options)
			if c.want == "" {
				require.NoError(t, err)
				assert.NoError(t, f.Close())
				return
			}
			require.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "\n", "one mistake")
			assert.Nil(t, f)
		})
	}
}

func TestHTTPOptions_AllMistakesComeAtOnce(t *testing.T) {
	_, err := fetch.NewHTTPFetcher(fetch.HTTPOptions{
		AllowNets: nets("127.0.0.0/8", "10.0.0.1/8"), AllowHosts: []string{"", "10.0.0.1"}, AllowPorts: []int{0, 70000}, Proxy: &url.URL{},
		OCSPTimeout: -1, CRLTimeout: -1, UserAgent: "\n",
	})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 10)
	for _, line := range lines {
		assert.Regexp(t, `^HTTPOptions\.[A-Z]`, line)
	}
}

// Later changes to the caller's slices have no effect.
func TestHTTPOptions_AreCopied(t *testing.T) {
	o := fetch.HTTPOptions{AllowNets: nets("10.0.0.0/8"), AllowPorts: []int{8080}, AllowHosts: []string{"ocsp.example"}}
	f := newFetcher(t, o)
	dialled := fetch.Divert(f, "")
	o.AllowNets[0], o.AllowPorts[0], o.AllowHosts[0] = nets("192.168.0.0/16")[0], 22, "other.example"
	refused(t, f, forOCSP("http://10.0.0.1:8080/"), fetch.ErrTransport)
	refused(t, f, forOCSP("http://192.168.0.1:8080/"), fetch.ErrBlockedAddress)
	refused(t, f, forOCSP("http://10.0.0.1:22/"), fetch.ErrBlockedURL)
	assert.Equal(t, []string{"10.0.0.1:8080"}, dialled.Addresses())
}
