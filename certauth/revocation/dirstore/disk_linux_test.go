package dirstore_test

import (
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
)

// finding K6, on a real disk: one of 64 KiB is full after a few answers. No request is refused
// because of that, neither by the instance that fills it nor by those that find it full.
func TestStore_ADiskOf64KiBRefusesNobody(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this process may not mount a file system: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	store, err := dirstore.New(disk)
	require.NoError(t, err)

	root := certauthtest.NewCA(t, "Partner Root")
	for _, c := range []struct {
		name    string
		sources revocation.Sources
		site    *httptest.Server
		at      func(urls ...string) certauthtest.Template
	}{
		{"OCSP", revocation.OCSPOnly, httptest.NewServer(certauthtest.NewResponder(t, root)), certauthtest.OCSPAt},
		{"CRL", revocation.CRLOnly, httptest.NewServer(certauthtest.NewCRLServer(t, root)), certauthtest.CRLAt},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer c.site.Close()
			address := netip.MustParseAddrPort(c.site.Listener.Addr().String())
			var leaves []*certauthtest.Certificate
			for i := range 100 {
				leaves = append(leaves, root.Issue(t, "client", c.at(fmt.Sprintf("%s/%d", c.site.URL, i))))
			}
			for range 2 {
				checker, err := revocation.New(revocation.Config{
					Sources: c.sources, Store: store, MaxWait: time.Minute,
					HTTP: revocation.HTTPOptions{
						AllowNets: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}, AllowPorts: []int{int(address.Port())},
					},
				})
				require.NoError(t, err)
				for _, leaf := range leaves {
					found, err := checker.CheckChain(t.Context(), []*x509.Certificate{leaf.Certificate, root.Certificate})
					require.NoError(t, err)
					assert.Equal(t, certauth.RevocationGood, found.Status)
				}
				require.NoError(t, checker.Close())
				assert.Positive(t, checker.Stats().StoreErrors, "the disk is full")
			}
		})
	}
}
