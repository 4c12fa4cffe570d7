package fetch_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// finding K290: a host was out of reach if the first of its addresses of one family was dead.
func TestFetch_ADeadAddressHidesNoOther(t *testing.T) {
	for _, c := range []struct {
		name      string
		addresses []string
		want      error
	}{
		{"the first of two is dead", []string{"127.0.0.2", "127.0.0.1"}, nil},
		{"the second of two is dead", []string{"127.0.0.1", "127.0.0.2"}, nil},
		{"two of three are dead", []string{"127.0.0.2", "127.0.0.2", "127.0.0.1"}, nil},
		{"the other address is not allowed", []string{"127.0.0.2", "10.0.0.1"}, fetch.ErrBlockedAddress},
		{"the first address is not allowed", []string{"10.0.0.1", "127.0.0.2", "127.0.0.1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(http.ResponseWriter, *http.Request) {})
			o := reaching(t, server.URL)
			o.AllowNets, o.Resolver = nets("127.0.0.1/32", "127.0.0.2/32"), names{"responder.example": {c.addresses}}.resolver(t)
			f := newFetcher(t, o)
			fetch.Hang(f, "127.0.0.2")
			_, err := f.Fetch(t.Context(), forOCSP(fmt.Sprintf("http://responder.example:%d/", portOf(t, server.URL))))
			require.ErrorIs(t, err, c.want)
		})
	}
}

// RFC 8305, section 4: if all addresses of one family are out of reach, the first of the other one is tried next.
func TestFetch_TheSecondAddressIsOfTheOtherFamily(t *testing.T) {
	f := newFetcher(t, fetch.HTTPOptions{Resolver: names{"responder.example": {{"9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"}}}.resolver(t)})
	dialled := fetch.Divert(f, "")
	refused(t, f, forOCSP("http://responder.example/"), fetch.ErrTransport)
	var isIPv4 []bool
	for _, address := range dialled.Addresses() {
		isIPv4 = append(isIPv4, netip.MustParseAddrPort(address).Addr().Is4())
	}
	require.Len(t, isIPv4, 4)
	assert.NotEqual(t, isIPv4[0], isIPv4[1])
}
