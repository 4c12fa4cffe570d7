package fetch_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// Adversarial test 62. Netflix/lemur#5485; CVE-2026-39836, CVE-2026-25679 Go: odd hosts.
func TestRevocation_InternalAddressesAreRefused(t *testing.T) {
	listener := newCounter(t)
	resolver := names{
		"loopback.example": {{"127.0.0.1"}},
		"six.example":      {{"::1"}},
		"mapped.example":   {{"::ffff:127.0.0.1"}},
		"both.example":     {{"127.0.0.1", "::1"}},
		"private.example":  {{"10.0.0.5", "192.168.0.5", "fd12::5"}},
		"metadata.example": {{"169.254.169.254", "fd00:ec2::254"}},
		"zero.example":     {{"0.0.0.0", "::"}},
	}.resolver(t)
	f := newFetcher(t, fetch.HTTPOptions{AllowPorts: []int{listener.port}, Resolver: resolver})
	dialled := fetch.Divert(f, listener.address)
	port := ":" + strconv.Itoa(listener.port)
	for _, c := range []struct{ name, host string }{
		{"62: loopback by name", "localhost"},
		{"62: loopback by a name of the DNS", "loopback.example"},
		{"62: loopback of IPv6 by name", "six.example"},
		{"62: loopback as IPv4-mapped by name", "mapped.example"},
		{"62: loopback of both by name", "both.example"},
		{"62: private by name", "private.example"},
		{"62: metadata by name", "metadata.example"},
		{"62: unspecified by name", "zero.example"},
		{"62: loopback", "127.0.0.1"},
		{"62: the end of loopback", "127.255.255.255"},
		{"62: loopback in two parts", "127.1"},
		{"62: loopback in three parts", "127.0.1"},
		{"62: zero", "0"},
		{"62: unspecified", "0.0.0.0"},
		{"62: decimal", "2130706433"},
		{"62: hexadecimal", "0x7f000001"},
		{"62: hexadecimal in upper case", "0X7F000001"},
		{"62: hexadecimal in parts", "0x7f.0x0.0x0.0x1"},
		{"62: hexadecimal without digits", "127.0x"},
		{"62: octal", "0177.0.0.1"},
		{"62: octal as one number", "017700000001"},
		{"62: a leading zero", "127.0.0.01"},
		{"62: a dot at the end", "127.0.0.1."},
		{"62: two parts and a dot", "127.1."},
		{"62: five parts", "127.0.0.0.1"},
		{"62: a part too large", "127.0.0.256"},
		{"62: a number too large", "4294967296"},
		{"62: an empty part", "127..1"},
		{"62: a name that ends in a number", "responder.example.1"},
		{"62: a name that ends in a hexadecimal number", "responder.example.0x1"},
		{"62: loopback of IPv6", "[::1]"},
		{"62: loopback of IPv6 in full", "[0:0:0:0:0:0:0:1]"},
		{"62: unspecified of IPv6", "[::]"},
		{"62: IPv4-mapped", "[::ffff:127.0.0.1]"},
		{"62: IPv4-mapped in hexadecimal", "[::ffff:7f00:1]"},
		{"62: IPv4-compatible", "[::127.0.0.1]"},
		{"62: translated", "[64:ff9b::7f00:1]"},
		{"62: 6to4", "[2002:7f00:1::]"},
		{"62: private", "10.0.0.1"},
		{"62: private B", "172.31.255.255"},
		{"62: private C", "192.168.0.1"},
		{"62: unique local", "[fd12::1]"},
		{"62: the metadata service", "169.254.169.254"},
		{"62: the metadata service as IPv4-mapped", "[::ffff:a9fe:a9fe]"},
		{"62: the metadata service of AWS", "[fd00:ec2::254]"},
		{"62: the platform of Azure", "168.63.129.16"},
		{"62: link-local", "[fe80::1]"},
		{"62: shared address space", "100.100.100.200"},
		{"62: multicast", "224.0.0.1"},
		{"62: broadcast", "255.255.255.255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.host == "six.example" || c.host == "both.example" {
				needIPv6(t)
			}
			for _, raw := range []string{
				"http://" + c.host + port + "/secret",
				"https://" + c.host + port + "/secret",
				"http://" + c.host + "/secret",
			} {
				refused(t, f, forOCSP(raw), fetch.ErrBlockedAddress)
				refused(t, f, post(raw, "secret"), fetch.ErrBlockedAddress)
				refused(t, f, forCRL(raw), fetch.ErrBlockedAddress)
			}
		})
	}
	assert.Empty(t, dialled.Addresses())
	assert.Zero(t, listener.connections(t))
}

// Adversarial test 62: the check applies to the address that is dialled, every time.
func TestFetch_NameIsJudgedWhereItIsDialled(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "answer")
	})
	resolver := names{
		"rebinding.example": {{"9.9.9.9"}, {"127.0.0.1"}},
		"back.example":      {{"169.254.169.254"}, {"9.9.9.9"}},
		"mixed.example":     {{"10.0.0.1", "127.0.0.1", "9.9.9.10"}},
		"six.example":       {{"2620:fe::fe"}},
	}.resolver(t)
	f := newFetcher(t, fetch.HTTPOptions{Resolver: resolver})
	dialled := fetch.Divert(f, server.Listener.Addr().String())

	t.Run("62: a name that resolves public, then private", func(t *testing.T) {
		response, err := f.Fetch(t.Context(), forOCSP("http://rebinding.example/"))
		require.NoError(t, err)
		assert.Equal(t, "answer", string(response.Body))
		assert.Equal(t, []string{"9.9.9.9:80"}, dialled.Addresses())
		refused(t, f, forOCSP("http://rebinding.example/"), fetch.ErrBlockedAddress)
		assert.Equal(t, []string{"9.9.9.9:80"}, dialled.Addresses())
	})
	t.Run("62: private, then public", func(t *testing.T) {
		refused(t, f, forOCSP("http://back.example/"), fetch.ErrBlockedAddress)
		_, err := f.Fetch(t.Context(), forOCSP("http://back.example/"))
		require.NoError(t, err)
		assert.Equal(t, []string{"9.9.9.9:80", "9.9.9.9:80"}, dialled.Addresses())
	})
	t.Run("62: a name with private and public addresses leads to the public one", func(t *testing.T) {
		_, err := f.Fetch(t.Context(), forOCSP("http://mixed.example/"))
		require.NoError(t, err)
		assert.Equal(t, "9.9.9.10:80", dialled.Addresses()[2])
		assert.Len(t, dialled.Addresses(), 3)
	})
	t.Run("a name that does not exist is no connection", func(t *testing.T) {
		err := refused(t, f, forOCSP("http://nobody.example/"), fetch.ErrTransport)
		assert.Contains(t, err.Error(), "no such host")
		assert.Len(t, dialled.Addresses(), 3)
	})
	t.Run("addresses of IPv6 are dialled", func(t *testing.T) {
		needIPv6(t)
		_, err := f.Fetch(t.Context(), forOCSP("http://six.example/"))
		require.NoError(t, err)
		_, err = f.Fetch(t.Context(), forOCSP("http://[2620:fe::9]:443/"))
		require.NoError(t, err)
		assert.Equal(t, []string{"[2620:fe::fe]:80", "[2620:fe::9]:443"}, dialled.Addresses()[3:])
	})
}

func TestFetch_PermissionsOpenPrivateNetworks(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "answer")
	})
	resolver := names{
		"ocsp.corp.example":  {{"10.1.0.5"}},
		"other.corp.example": {{"10.1.0.5"}},
		"loopback.example":   {{"127.0.0.1"}},
		"metadata.example":   {{"169.254.169.254"}},
	}.resolver(t)
	inNet := fetch.HTTPOptions{AllowNets: nets("10.1.0.0/16")}
	byName := fetch.HTTPOptions{AllowHosts: []string{"OCSP.corp.example", "loopback.example", "metadata.example"}}
	for _, c := range []struct {
		name    string
		options fetch.HTTPOptions
		request fetch.Request
		dialled string // empty: refused
	}{
		{"a network of AllowNets is open", inNet, forOCSP("http://ocsp.corp.example/"), "10.1.0.5:80"},
		{"and for addresses", inNet, forOCSP("http://10.1.0.6/"), "10.1.0.6:80"},
		{"and for no other network", inNet, forOCSP("http://10.2.0.6/"), ""},
		{"a host of AllowHosts is open", byName, forOCSP("http://ocsp.corp.example/"), "10.1.0.5:80"},
		{"in any case", byName, forOCSP("http://ocsp.CORP.example/"), "10.1.0.5:80"},
		{"another name of its address is not", byName, forOCSP("http://other.corp.example/"), ""},
		{"nor the address itself", byName, forOCSP("http://10.1.0.5/"), ""},
		{"nor loopback behind a host of AllowHosts", byName, forOCSP("http://loopback.example/"), ""},
		{"nor metadata behind a host of AllowHosts", byName, forOCSP("http://metadata.example/"), ""},
		{"a configured URL leads to a private address", fetch.HTTPOptions{}, configured(forOCSP("http://ocsp.corp.example:8080/")), "10.1.0.5:8080"},
		{"and to loopback", fetch.HTTPOptions{}, configured(forOCSP("http://loopback.example:8080/")), "127.0.0.1:8080"},
		{"and not to metadata", fetch.HTTPOptions{}, configured(forOCSP("http://metadata.example/")), ""},
		{"nor to metadata by address", fetch.HTTPOptions{}, configured(forOCSP("http://169.254.169.254/")), ""},
		{"unless it is named", fetch.HTTPOptions{AllowNets: nets("169.254.169.254/32")}, configured(forOCSP("http://metadata.example/")), "169.254.169.254:80"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Resolver = resolver
			f := newFetcher(t, c.options)
			dialled := fetch.Divert(f, server.Listener.Addr().String())
			if c.dialled == "" {
				refused(t, f, c.request, fetch.ErrBlockedAddress)
				assert.Empty(t, dialled.Addresses())
				return
			}
			_, err := f.Fetch(t.Context(), c.request)
			require.NoError(t, err)
			assert.Equal(t, []string{c.dialled}, dialled.Addresses())
		})
	}
}

// A connection that was opened for the operator's URL is not reused for one in a certificate.
func TestFetch_ConnectionsOfThePoliciesAreKeptApart(t *testing.T) {
	var requests atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	port := portOf(t, server.URL)
	f := newFetcher(t, fetch.HTTPOptions{AllowPorts: []int{port}, Resolver: names{"responder.example": {{"127.0.0.1"}}}.resolver(t)})
	raw := fmt.Sprintf("http://responder.example:%d/", port)
	for range 2 {
		_, err := f.Fetch(t.Context(), configured(forOCSP(raw)))
		require.NoError(t, err)
		refused(t, f, forOCSP(raw), fetch.ErrBlockedAddress)
	}
	assert.EqualValues(t, 2, requests.Load())
}

// CVE-2026-39836: a panic of the standard library becomes a refusal, wherever it occurs.
func TestFetch_PanicIsARefusal(t *testing.T) {
	for name, arrange := range map[string]func(*fetch.HTTPFetcher){
		"in the goroutine that dials": fetch.PanicOnDial,
		"in the transport":            fetch.PanicOnRoundTrip,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t, fetch.HTTPOptions{})
			arrange(f)
			refused(t, f, forOCSP("http://9.9.9.9/"), fetch.ErrBlockedURL)
			refused(t, f, configured(forCRL("http://9.9.9.9/")), fetch.ErrBlockedURL)
		})
	}
}
