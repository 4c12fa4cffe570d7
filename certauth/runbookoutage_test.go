package certauth_test

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// plannedOutage is the checker of the runbook for a responder that is down at known times.
func plannedOutage(url string, issuing *x509.Certificate, logger *slog.Logger) (*revocation.Checker, error) {
	checker, err := revocation.New(revocation.Config{
		Sources: revocation.PreferCRL,
		Lists:   []revocation.List{{URL: url}},
		Issuers: []*x509.Certificate{issuing}, // the CA that signs the list
		Logger:  logger,
	})
	return checker, err
}

// finding N49: for a responder that is down at planned times the runbook had no answer but an alert
// each time. With the checker that it shows now, nobody is refused, nothing is reported, and a
// revocation in the list takes effect.
func TestRunbook_AResponderWithPlannedOutages(t *testing.T) {
	code, err := os.ReadFile("runbookoutage_test.go")
	require.NoError(t, err)
	text, err := os.ReadFile("../.github/RUNBOOK.md")
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(text), "```go\nchecker, err := revocation.New(")
	require.True(t, found)
	shown, _, _ = strings.Cut(shown, "```\n")
	shown = strings.ReplaceAll(shown, `"http://crl.partner.internal/issuing.crl"`, "url")
	for line := range strings.Lines(shown) {
		assert.Contains(t, string(code), strings.TrimSpace(line))
	}

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
