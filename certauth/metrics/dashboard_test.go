package metrics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(content, &d))
	require.GreaterOrEqual(t, len(d.Panels), 16)
	return d
}

// everything gives each instrument a value.
func everything(t *testing.T) http.Handler {
	t.Helper()
	m, handler := newMetrics(t)
	checker, err := revocation.New(revocation.Config{})
	require.NoError(t, err)
	require.NoError(t, m.Checker(checker))
	auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: certauth.Thumbprints{strings.Repeat("00", 32)}})
	require.NoError(t, err)
	require.NoError(t, m.Authenticator(auth))
	soon := time.Now().Add(48 * time.Hour)
	observe := func(ctx context.Context) {
		for _, event := range []certauth.Event{
			{Outcome: certauth.OutcomeAccepted, Time: time.Now(), Certificate: certauth.CertificateInfo{NotAfter: soon}},
			{Outcome: certauth.OutcomeDenied, Err: &certauth.Error{Reason: certauth.ReasonCertificateMissing}},
			{Outcome: certauth.OutcomeDenied, Err: &certauth.Error{Reason: certauth.ReasonInternalError}},
			{Outcome: "reloaded", Rule: "Policy.Thumbprints"},
			{Outcome: "kept", Rule: "Policy.Chain.Roots", Err: &certauth.Error{Reason: certauth.ReasonNotConfigured}},
			{Outcome: "expiring", Rule: "Policy.Chain.Roots", Certificate: certauth.CertificateInfo{Fingerprint: "a", NotAfter: soon}},
		} {
			m.Observe(ctx, event)
		}
		m.ObserveRevocation(ctx, revocation.Event{Kind: revocation.SourceOCSP, Host: "ocsp.partner.example:80", Latency: 80 * time.Millisecond})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		observe(r.Context()) // so that rates are not zero
		handler.ServeHTTP(w, r)
	})
}

// Every query of the dashboard returns data from a real Prometheus that scrapes a service.
func TestRealPrometheus_AnswersEveryQueryOfTheDashboard(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatal("CERTAUTH_REQUIRE_REAL=1: prometheus is not installed: apt-get install prometheus")
		}
		t.Skip("prometheus is not installed: apt-get install prometheus")
	}
	service := httptest.NewServer(everything(t))
	defer service.Close()
	base := startPrometheus(t, strings.TrimPrefix(service.URL, "http://"))

	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$job", "orders").Replace(target.Expr)
			require.NotContains(t, expr, "$", "a variable of Grafana's that the test does not know")
			var last string
			found := assert.Eventually(t, func() bool {
				var n int
				n, last = query(t, base, expr)
				return n > 0
			}, 60*time.Second, 100*time.Millisecond, "%s: %s", panel.Title, expr)
			if !found {
				t.Logf("the last answer: %s", last)
			}
		}
	}
}

func query(t *testing.T, base, expr string) (series int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	var got struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return 0, err.Error()
	}
	return len(got.Data.Result), got.Status + " " + got.Error
}

// startPrometheus runs it with its own folder and port.
func startPrometheus(t *testing.T, target string) (base string) {
	t.Helper()
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	config := fmt.Sprintf("global: {scrape_interval: 500ms}\nscrape_configs:\n- job_name: orders\n  static_configs: [{targets: [%q]}]\n", target)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	command := exec.Command("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	command.Stdout, command.Stderr = log, log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("prometheus says:\n%s", text)
		}
	})
	base = "http://" + address
	require.Eventually(t, func() bool {
		n, _ := query(t, base, "up == 1")
		return n > 0
	}, 60*time.Second, 100*time.Millisecond, "prometheus does not start")
	return base
}

// The panels query only metrics that the package produces, in the spelling of Prometheus.
func TestDashboard_AsksForWhatThereIs(t *testing.T) {
	w := httptest.NewRecorder()
	everything(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			for name := range strings.FieldsFuncSeq(target.Expr, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz_", r) }) {
				if strings.HasPrefix(name, "certauth_") {
					assert.Contains(t, text, "\n"+name, panel.Title)
				}
			}
		}
	}
}
