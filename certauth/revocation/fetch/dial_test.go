package fetch_test

import (
	"fmt"
	"net/http"
	"testing"

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
