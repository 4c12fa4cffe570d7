package certauth_test

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestTrust_EndlessConnectionHeaderIsRefused(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate)})
	for length, want := range map[int]int{4 << 10: 200, 4<<10 + 1: 401} {
		r := request()
		r.Header.Set("X-Client-Cert", "present")
		r.Header.Set("Connection", strings.Repeat("a", length))
		assert.Equal(t, want, through(t, auth.Handler, r).status, length)
	}
}

// The source's header goes in every spelling, and nothing else goes with it.
func TestTrust_OnlyTheSourcesHeadersAreStripped(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	d := newDoor(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	r := request()
	for _, name := range []string{"X-Client-Cert", "x-client-cert", "X_Client_Cert", "X.client-cert", "X-CLIENT.CERT"} {
		r.Header[name] = []string{"a", "b"}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		d := newDoor(t, certauth.Config{Source: certauth.SourceFunc{
			Name: "s", Headers: []string{"X-" + string(c) + "-Cert"}, Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, nil },
		}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
		r := request()
		lower := string(c + 'a' - 'A')
		for _, name := range []string{"X-" + string(c) + "-Cert", "x-" + lower + "-cert", "X_" + lower + "_cert", "x." + string(c) + ".CERT"} {
			r.Header[name] = []string{"a"}
		}
		status, _ := d.serve(r)
		require.Equal(t, 200, status)
		assert.Empty(t, d.header, string(c))
	}
	kept := http.Header{
		"X-Client-Cerx": {"same length"}, "Y-Client-Cert": {"same length"}, "X-Client-Cert2": {"longer"}, "Client-Cert": {"shorter"},
		"XaClientaCert": {"no separator"}, "Accept": {"*/*"}, longLabel(64): {"longer than any"},
	}
	for name, values := range kept {
		r.Header[name] = values
	}
	status, _ := d.serve(r)
	require.Equal(t, 200, status)
	assert.Equal(t, kept, d.header)
}
