package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// A responder on a private network, here on loopback, must be permitted: its address comes from a
// certificate, and by default no address in a certificate may lead into your own network.
func ExampleNew_privateResponder() {
	ca := certauthtest.NewCA(exampleTB{}, "Partner Root")
	responder := certauthtest.NewResponder(exampleTB{}, ca)
	server := httptest.NewServer(responder)
	defer server.Close()
	good := ca.Issue(exampleTB{}, "good", certauthtest.OCSPAt(server.URL))
	gone := ca.Issue(exampleTB{}, "gone", certauthtest.OCSPAt(server.URL))
	responder.Revoke(gone.SerialNumber, 1)

	address, err := url.Parse(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	port, err := strconv.Atoi(address.Port())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, config := range []revocation.Config{
		{},
		{HTTP: revocation.HTTPOptions{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowPorts: []int{port}}},
	} {
		checker, err := revocation.New(config)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, client := range []*certauthtest.Certificate{good, gone} {
			found, _ := checker.CheckChain(context.Background(), []*x509.Certificate{client.Certificate, ca.Certificate})
			fmt.Println(client.Subject.CommonName, found.Status)
		}
		if err := checker.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// good unavailable
	// gone unavailable
	// good good
	// gone revoked
}
