package certauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding N49: for a responder that is down at planned times the runbook had no answer but an alert
// each time. With the checker that it shows now, nobody is refused, nothing is reported, and a
// revocation in the list takes effect.
func TestRunbook_AResponderWithPlannedOutages(t *testing.T) {
	b := newRunbook(t)
	ca := certauthtest.NewCA(t, "Partner Issuing")
	b.write(t, "partner-roots.pem", ca.PEM())
	b.write(t, "partner-issuing.pem", ca.PEM())
	lists := certauthtest.NewCRLServer(t, ca)
	var asked atomic.Int64
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(responder.Close)
	published := httptest.NewServer(lists)
	t.Cleanup(published.Close)
	names := []certauthtest.Template{certauthtest.DNS("orders.partner.example"), certauthtest.OCSPAt(responder.URL), certauthtest.CRLAt("http://crl.partner.internal/issuing.crl")}
	client, revoked := ca.Issue(t, "orders", names...), ca.Issue(t, "orders", names...)
	lists.Revoke(revoked.SerialNumber, 1)

	checker, err := plannedOutage(published.URL, ca.Certificate, b.logger)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, checker.Close()) })
	require.NoError(t, checker.Preload(t.Context()))
	require.NoError(t, checker.Ready())
	auth := b.gate(t, checker)
	assert.Equal(t, http.StatusOK, b.ask(t, auth, client))
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, revoked))
	assert.Zero(t, asked.Load(), "the responder is left alone")
	assert.NotContains(t, strings.Join(b.lines(), "\n"), "begins to fail")
}
