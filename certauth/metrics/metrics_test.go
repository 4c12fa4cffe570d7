package metrics_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/metrics"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// newMetrics returns a Metrics with an exporter for Prometheus, as in a service.
func newMetrics(t *testing.T) (*metrics.Metrics, http.Handler) {
	t.Helper()
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	require.NoError(t, err)
	provider := sdk.NewMeterProvider(sdk.WithReader(exporter))
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) })
	m, err := metrics.New(provider.Meter("test"))
	require.NoError(t, err)
	return m, promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
}

// scraped returns the lines of a scrape without comments.
func scraped(t *testing.T, handler http.Handler) []string {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func TestObserve_CountsWhatAnAuthenticatorDecides(t *testing.T) {
	m, handler := newMetrics(t)
	ca := certauthtest.NewCA(t, "CA")
	client := ca.Issue(t, "client", certauthtest.DNS("orders.partner.example"))
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.Peers("10.0.0.0/8")}, Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
		Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}},
		Observe:    m.Observe,
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/refunds", auth.Require(certauth.DNSNames{"billing.partner.example"})(mux))
	service := auth.Handler(mux)
	ask := func(path, peer string, of *certauthtest.Certificate) {
		r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, path, nil), "tcp", peer+":40000")
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, of)
		service.ServeHTTP(httptest.NewRecorder(), r)
	}
	ask("/", "10.0.0.1", client)
	ask("/", "10.0.0.1", client)
	ask("/", "10.0.0.1", nil)
	ask("/", "10.0.0.1", certauthtest.SelfSigned(t, "client"))
	ask("/", "203.0.113.7", client)
	ask("/health", "10.0.0.1", nil)
	ask("/refunds", "10.0.0.1", client)
	var nobody *certauth.Authenticator
	nobody.Handler(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))

	lines := scraped(t, handler)
	for _, want := range []string{
		`certauth_decisions_total{outcome="accepted",route="false"} 3`,
		`certauth_decisions_total{error_type="certificate_missing",fault="client",outcome="denied",route="false"} 1`,
		`certauth_decisions_total{error_type="chain_untrusted",fault="client",outcome="denied",route="false"} 1`,
		`certauth_decisions_total{error_type="source_untrusted",fault="client",outcome="denied",route="false"} 1`,
		`certauth_decisions_total{outcome="excluded",route="false"} 1`,
		`certauth_decisions_total{error_type="name_not_allowed",fault="client",outcome="denied",route="true"} 1`,
		`certauth_certificate_remaining_seconds_count 3`,
		`certauth_certificate_remaining_seconds_bucket{le="1.5552e+07"} 0`,
		`certauth_certificate_remaining_seconds_bucket{le="3.1536e+07"} 3`,
	} {
		assert.Contains(t, lines, want)
	}
}

// Refusals are attributed to the right party, and no text from outside becomes a label.
func TestObserve_LabelsAreFew(t *testing.T) {
	m, handler := newMetrics(t)
	for i := range 2000 {
		reason := certauth.Reason(fmt.Sprintf("reason-%d", i))
		m.Observe(t.Context(), certauth.Event{Outcome: certauth.OutcomeDenied, Err: &certauth.Error{Reason: reason, Rule: fmt.Sprintf("Policy[%d]", i)}, Path: fmt.Sprint(i)})
		m.Observe(t.Context(), certauth.Event{Outcome: "reloaded", Rule: fmt.Sprintf("Policy[%d]", i)})
		m.Observe(t.Context(), certauth.Event{Outcome: "expiring", Rule: fmt.Sprintf("Policy[%d]", i), Certificate: certauth.CertificateInfo{Fingerprint: fmt.Sprint(i), NotAfter: time.Unix(int64(i+1), 0)}})
		m.ObserveRevocation(t.Context(), revocation.Event{Kind: revocation.Source(i), Host: fmt.Sprintf("host%d.example:80", i)})
		m.Observe(t.Context(), certauth.Event{Outcome: certauth.Outcome(fmt.Sprint(i))})
	}
	lines := scraped(t, handler)
	assert.Contains(t, lines, `certauth_decisions_total{error_type="_OTHER",fault="server",outcome="denied",route="false"} 2000`)
	assert.Contains(t, lines, `certauth_reloads_total{outcome="reloaded",rule="_OTHER"} 1936`)
	assert.Less(t, len(lines), 260)
	(*metrics.Metrics)(nil).Observe(t.Context(), certauth.Event{})
	(*metrics.Metrics)(nil).ObserveRevocation(t.Context(), revocation.Event{Kind: revocation.SourceOCSP})
}

func TestObserve_ReasonsOfTheServiceAreItsFault(t *testing.T) {
	server := []certauth.Reason{certauth.ReasonNotConfigured, certauth.ReasonOverloaded, certauth.ReasonInternalError, certauth.ReasonRevocationUnavailable}
	m, handler := newMetrics(t)
	for _, reason := range append(server, certauth.ReasonCertificateExpired, certauth.ReasonCertificateRevoked, certauth.ReasonRequestCanceled) {
		m.Observe(t.Context(), certauth.Event{Outcome: certauth.OutcomeDenied, Err: &certauth.Error{Reason: reason}})
	}
	found := 0
	for _, line := range scraped(t, handler) {
		if strings.Contains(line, `fault="server"`) {
			found++
		}
	}
	assert.Equal(t, len(server), found)
}

func TestObserve_MaterialIsShownUntilItIsRenewed(t *testing.T) {
	m, handler := newMetrics(t)
	const rule = "Policy.Chain.Roots"
	first, second := time.Unix(1800000000, 0), time.Unix(1900000000, 0)
	tell := func(outcome certauth.Outcome, fingerprint string, end time.Time) {
		m.Observe(t.Context(), certauth.Event{Outcome: outcome, Rule: rule, Certificate: certauth.CertificateInfo{Fingerprint: fingerprint, NotAfter: end}})
	}
	tell("expiring", "a", second)
	tell("expiring", "b", first)
	tell("unchained", "c", time.Unix(1, 0))
	lines := scraped(t, handler)
	assert.Contains(t, lines, `certauth_material_not_after_seconds{rule="Policy.Chain.Roots"} 1.8e+09`)
	assert.Contains(t, lines, `certauth_material_defects{outcome="expiring",rule="Policy.Chain.Roots"} 2`)
	assert.Contains(t, lines, `certauth_material_defects{outcome="unchained",rule="Policy.Chain.Roots"} 1`)
	tell("expired", "b", first)
	assert.Contains(t, scraped(t, handler), `certauth_material_defects{outcome="expiring",rule="Policy.Chain.Roots"} 1`)
	m.Observe(t.Context(), certauth.Event{Outcome: "kept", Rule: rule, Err: &certauth.Error{Reason: certauth.ReasonNotConfigured}})
	assert.Contains(t, scraped(t, handler), `certauth_material_not_after_seconds{rule="Policy.Chain.Roots"} 1.8e+09`)
	m.Observe(t.Context(), certauth.Event{Outcome: "reloaded", Rule: rule, Source: "certauth.TLS"})
	for _, line := range scraped(t, handler) {
		assert.NotContains(t, line, "certauth_material")
	}
}

// finding P20: a policy document that came into use left the reports about the document before it in the
// gauges until the next restart: an alert about a root that had been removed did not end.
func TestObserve_APolicyDocumentSupersedesEveryReportAboutTheOneBefore(t *testing.T) {
	m, handler := newMetrics(t)
	tell := func(outcome certauth.Outcome, rule string) {
		m.Observe(t.Context(), certauth.Event{Outcome: outcome, Rule: rule, Source: "forwarded.AppService", Certificate: certauth.CertificateInfo{Fingerprint: "a", NotAfter: time.Unix(1800000000, 0)}})
	}
	tell("expired", "Policy.Any[1].Chain.Roots")
	tell("unchained", "Policy.Any[1].Chain.Intermediates")
	tell("rootless", "Source: ProxyCertificate.Chain.Roots")
	m.Observe(t.Context(), certauth.Event{Outcome: "kept", Rule: "/etc/policy.json", Err: &certauth.Error{Reason: certauth.ReasonNotConfigured}})
	tell("reloaded", "Policy.Any[0].Chain.Roots")
	lines := strings.Join(scraped(t, handler), "\n")
	assert.Contains(t, lines, `certauth_material_defects{outcome="expired",rule="Policy.Any[1].Chain.Roots"} 1`)
	assert.Contains(t, lines, `certauth_material_defects{outcome="rootless",rule="Source: ProxyCertificate.Chain.Roots"} 1`)
	m.Observe(t.Context(), certauth.Event{Outcome: "reloaded", Rule: "/etc/policy.json"}) // as package policyfile reports it
	tell("expiring", "Policy.Chain.Roots")
	lines = strings.Join(scraped(t, handler), "\n")
	assert.Equal(t, 1, strings.Count(lines, "certauth_material_defects{"), lines)
	assert.Contains(t, lines, `certauth_material_defects{outcome="expiring",rule="Policy.Chain.Roots"} 1`)
}

// A certificate that still expires soon after a reload of its rule disappeared from the gauges.
func TestObserve_MaterialThatSurvivesAReloadIsStillShown(t *testing.T) {
	m, handler := newMetrics(t)
	now := time.Now().Truncate(time.Second)
	good := certauthtest.NewCA(t, "Good")
	soon := certauthtest.NewCA(t, "Soon", certauthtest.Valid(now.AddDate(-1, 0, 0), now.Add(48*time.Hour)))
	roots := []*x509.Certificate{good.Certificate, soon.Certificate}
	auth, err := certauth.New(certauth.Config{
		Source: certauth.TLS{}, Observe: m.Observe, Now: func() time.Time { return now },
		Policy: certauth.Chain{
			Roots:         certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return roots, nil }),
			Intermediates: certauth.Certificates(certauthtest.NewCA(t, "Other").NewIntermediate(t, "Issuing").Certificate),
		},
	})
	require.NoError(t, err)
	notAfter := fmt.Sprintf(`certauth_material_not_after_seconds{rule="Policy.Chain.Roots"} %v`, float64(soon.Certificate.NotAfter.Unix()))
	const expiring, unchained = `certauth_material_defects{outcome="expiring",rule="Policy.Chain.Roots"} 1`, `certauth_material_defects{outcome="unchained",rule="Policy.Chain.Intermediates"} 1`
	for range 3 {
		lines := scraped(t, handler)
		for _, want := range []string{notAfter, expiring, unchained} {
			assert.Contains(t, lines, want)
		}
		roots = append(roots, certauthtest.NewCA(t, "Another").Certificate)
		require.NoError(t, auth.Reload(t.Context()))
	}
	roots = []*x509.Certificate{good.Certificate}
	require.NoError(t, auth.Reload(t.Context()))
	lines := scraped(t, handler)
	assert.NotContains(t, lines, expiring)
	assert.NotContains(t, lines, notAfter)
	assert.Contains(t, lines, unchained)
	assert.Contains(t, lines, `certauth_reloads_total{outcome="reloaded",rule="Policy.Chain.Roots"} 4`)
}

func TestAuthenticator_ShowsHowManyCertificatesAreRemembered(t *testing.T) {
	m, handler := newMetrics(t)
	ca := certauthtest.NewCA(t, "CA")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.Peers("10.0.0.0/8")},
		Policy: certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, certauth.DNSNames{"orders.partner.example"}},
	})
	require.NoError(t, err)
	require.NoError(t, m.Authenticator(auth))
	assert.Contains(t, scraped(t, handler), "certauth_cache_certificates 0")
	for range 3 {
		r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, "/", nil), "tcp", "10.0.0.1:40000")
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, ca.Issue(t, "client", certauthtest.DNS("orders.partner.example")))
		_, err = auth.Check(r)
		require.NoError(t, err)
	}
	assert.Contains(t, scraped(t, handler), "certauth_cache_certificates 3")
	assert.Error(t, m.Authenticator(nil))
	assert.Error(t, (*metrics.Metrics)(nil).Authenticator(auth))
}

func TestChecker_ShowsItsNumbers(t *testing.T) {
	m, handler := newMetrics(t)
	checker, err := revocation.New(revocation.Config{Observe: m.ObserveRevocation})
	require.NoError(t, err)
	require.NoError(t, m.Checker(checker))
	lines := scraped(t, handler)
	for _, want := range []string{
		`certauth_revocation_checks_total{answered="memory"} 0`, `certauth_revocation_irregular_total{kind="suspicious"} 0`,
		`certauth_revocation_store_total{result="hit"} 0`, "certauth_revocation_records 0", "certauth_revocation_lists 0",
		"certauth_revocation_list_size_bytes 0", "certauth_revocation_breakers 0",
	} {
		assert.Contains(t, lines, want)
	}
	assert.Error(t, m.Checker(nil))
	assert.Error(t, (*metrics.Metrics)(nil).Checker(checker))
	_, err = metrics.New(nil)
	assert.Error(t, err)
}

func TestEvidence_HostsAreClasses(t *testing.T) {
	m, handler := newMetrics(t)
	for _, host := range []string{
		"ocsp.partner.example:80", "ocsp:80", "pki.corp:80", "ocsp.svc.cluster.local:80", "(unreadable)", "10.0.0.1:80", "[2001:db8::1]:80",
	} {
		m.ObserveRevocation(t.Context(), revocation.Event{Kind: revocation.SourceOCSP, Host: host, Err: errors.New("down"), Latency: time.Second})
	}
	lines := scraped(t, handler)
	for class, n := range map[string]int{"public": 1, "internal": 4, "address": 2} {
		assert.Contains(t, lines, fmt.Sprintf(`certauth_revocation_fetch_duration_seconds_count{host_class=%q,outcome="fetch_failed",source="ocsp"} %d`, class, n))
	}
}
