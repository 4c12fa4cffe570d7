package redisstore_test

import (
	"context"
	"crypto/x509"
	"net/http/httptest"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// signal stops or continues the server.
func (s *server) signal(t *testing.T, what os.Signal) {
	t.Helper()
	require.NoError(t, s.command.Process.Signal(what))
}

// Whatever happens to Redis, every instance decides as it would without a store, and within
// MaxWait: those that were already running, and one that starts then.
func TestInstances_NothingThatRedisDoesChangesADecision(t *testing.T) {
	const maxWait = 20 * time.Second // a limit against hanging, sufficient for a busy machine
	for _, c := range []struct {
		name   string
		happen func(t *testing.T, s *server)
	}{
		{"it hangs", func(t *testing.T, s *server) {
			s.signal(t, syscall.SIGSTOP)
			t.Cleanup(func() { s.signal(t, syscall.SIGCONT) })
		}},
		{"it dies", func(_ *testing.T, s *server) { s.kill() }},
		{"it is flushed", func(t *testing.T, s *server) { require.NoError(t, s.client(t).FlushAll(t.Context()).Err()) }},
		{"it gives out garbage", func(t *testing.T, s *server) {
			rewrite(t, s, func([][]byte) []byte { return []byte("\x30\x82garbage") })
		}},
		{"it gives out what is about somebody else", func(t *testing.T, s *server) { rewrite(t, s, func(all [][]byte) []byte { return all[0] }) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := startServer(t)
			root := certauthtest.NewCA(t, "Partner Root")
			responder, lists := certauthtest.NewResponder(t, root), certauthtest.NewCRLServer(t, root)
			ocspSite, listSite := httptest.NewServer(responder), httptest.NewServer(lists)
			defer ocspSite.Close()
			defer listSite.Close()
			ports := []int{portOf(t, ocspSite), portOf(t, listSite)}
			instance := func() *revocation.Checker {
				checker, err := revocation.New(revocation.Config{
					Store: server.store(t), MaxWait: maxWait,
					HTTP: revocation.HTTPOptions{AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, AllowPorts: ports},
				})
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, checker.Close()) })
				return checker
			}
			names := map[string]certauthtest.Template{"OCSP": certauthtest.OCSPAt(ocspSite.URL), "CRL": certauthtest.CRLAt(listSite.URL)}
			var good, revoked []*certauthtest.Certificate
			issue := func() {
				for _, at := range names {
					good, revoked = append(good, root.Issue(t, "good", at)), append(revoked, root.Issue(t, "revoked", at))
					responder.Revoke(revoked[len(revoked)-1].SerialNumber, 1)
					lists.Revoke(revoked[len(revoked)-1].SerialNumber, 1)
				}
				lists.Publish()
			}
			decides := func(checker *revocation.Checker) {
				for want, all := range map[certauth.RevocationStatus][]*certauthtest.Certificate{certauth.RevocationGood: good, certauth.RevocationRevoked: revoked} {
					for _, leaf := range all {
						began := time.Now()
						found, err := checker.CheckChain(context.WithoutCancel(t.Context()), []*x509.Certificate{leaf.Certificate, root.Certificate})
						require.NoError(t, err)
						assert.Equal(t, want.String(), found.Status.String())
						assert.Less(t, time.Since(began), maxWait)
					}
				}
			}
			issue()
			warm := instance()
			decides(warm)
			c.happen(t, server)
			decides(warm)
			issue()
			require.NoError(t, warm.Refresh(t.Context())) // a list that is in memory is not fetched again for a newcomer
			decides(warm)
			decides(instance())
		})
	}
}

func portOf(t *testing.T, s *httptest.Server) int {
	t.Helper()
	return int(netip.MustParseAddrPort(s.Listener.Addr().String()).Port())
}

// rewrite changes every value.
func rewrite(t *testing.T, s *server, change func(all [][]byte) []byte) {
	t.Helper()
	c, ctx := s.client(t), t.Context()
	require.Eventually(t, func() bool { return len(c.Keys(ctx, "*").Val()) >= 3 }, 30*time.Second, 10*time.Millisecond, "no request waits for the store")
	var all [][]byte
	keys := c.Keys(ctx, "*").Val()
	for _, key := range keys {
		value, err := c.Get(ctx, key).Bytes()
		require.NoError(t, err)
		all = append(all, value)
	}
	for _, key := range keys {
		require.NoError(t, c.Set(ctx, key, change(all), time.Hour).Err())
	}
}
