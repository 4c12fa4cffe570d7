package chainsearch

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The text of a refusal does not grow with the number of CAs or policies.
func TestExplain_ListsAreClipped(t *testing.T) {
	leaf := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for i := range 16 {
		id, err := x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 1 << 60, 1 << 60, uint64(i)})
		require.NoError(t, err)
		leaf.Policies = append(leaf.Policies, id)
	}
	s, chain := &search{Settings: Settings{ServerAuth: true}}, []*x509.Certificate{leaf}
	for i := range 10 {
		ca := caOf("CN=CA", "CN=CA", "", "", i)
		ca.Subject, ca.ExtKeyUsage = pkix.Name{CommonName: fmt.Sprint("CA ", i)}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		chain = append(chain, ca)
	}
	_, purposes, found := strings.Cut(s.wrongUsage(chain).Err.Error(), "is common to ")
	assert.True(t, found)
	assert.Len(t, purposes, 256+len("..."))
	assert.Len(t, policiesOf(leaf), 128+len("..."))
}
