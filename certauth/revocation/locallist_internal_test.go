package revocation

import (
	"crypto/x509"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding K43: of two concurrent calls of Refresh, the slightly slower one undid the request of the
// other, which then could get a read that had begun before the call.
func TestLocalLists_TheLatestRefreshStands(t *testing.T) {
	issuer, _ := listsByOneKey(t, 0)
	c, err := New(Config{Lists: []List{{File: filepath.Join(t.TempDir(), "none.crl")}}, Issuers: []*x509.Certificate{issuer}})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	for _, call := range []uint64{2, 1} {
		c.local.countFrom(call)
		require.Error(t, c.local.load(t.Context()))
	}
	assert.Equal(t, uint64(2), c.local.anew.Load())
}
