// Package metrics counts the decisions of a [certauth.Authenticator] and the work of a
// [revocation.Checker] with the metric API of OpenTelemetry. Prometheus reads them through
// OpenTelemetry's Prometheus exporter. dashboard.json in this folder is a Grafana dashboard
// for a Prometheus data source.
//
//	otel.SetMeterProvider(provider) // without a provider nothing is counted
//	m, err := metrics.New(otel.Meter("orders"))
//	...
//	auth, err := certauth.New(certauth.Config{Observe: m.Observe, ...})
//	checker, err := revocation.New(revocation.Config{Observe: m.ObserveRevocation, ...})
//	err = errors.Join(m.Authenticator(auth), m.Checker(checker))
//
// The instruments, the names that Prometheus gives them, and their attributes:
//
//	certauth.decisions               certauth_decisions_total                   outcome, fault, error.type, route
//	certauth.certificate.remaining   certauth_certificate_remaining_seconds     histogram
//	certauth.cache.certificates      certauth_cache_certificates
//	certauth.reloads                 certauth_reloads_total                     outcome, rule
//	certauth.material.not_after      certauth_material_not_after_seconds        rule
//	certauth.material.defects        certauth_material_defects                  outcome, rule
//	certauth.revocation.fetch.duration  certauth_revocation_fetch_duration_seconds  source, host_class, outcome
//	certauth.revocation.checks       certauth_revocation_checks_total           answered
//	certauth.revocation.irregular    certauth_revocation_irregular_total        kind
//	certauth.revocation.store        certauth_revocation_store_total            result
//	certauth.revocation.records      certauth_revocation_records
//	certauth.revocation.lists        certauth_revocation_lists
//	certauth.revocation.list.size    certauth_revocation_list_size_bytes
//	certauth.revocation.breakers     certauth_revocation_breakers
//
// outcome is a [certauth.Outcome], and for fetches "fetched" or "fetch_failed". route is
// true for decisions of Authenticator.Require. error.type is the attribute of
// OpenTelemetry's semantic conventions and holds the reason of a refusal. fault is "client"
// if the caller or its certificate is to blame and "server" if the service or a system that
// it depends on is; page an operator for the latter. source is "ocsp" or "crl"; host_class
// is "public", "internal" or "address" (an IP address). Three attributes name counters of
// [revocation.Stats]: answered is "memory", "waited", or "refresh", which counts refreshes in the
// background rather than checks; kind is "suspicious", "stale_served", "soft_failed" or
// "list_unloaded"; result is "hit", "miss", "rejected" or "error".
//
// No attribute holds a name, a certificate, a path of a request or a host, because callers
// could create any number of values. Reasons that the library does not know, from your own
// PolicyFunc or source, count as "_OTHER", and so do rules of the configuration after the
// first 64. Use the log to find the caller whose certificate expires.
//
// The two gauges of material show what certauth has reported and no reload has superseded:
// a certificate of the configuration that expires within 30 days, has expired, or cannot be
// used. They have no value for a rule without such a certificate, so alert on values that
// are present, not on absent ones. After a reload they are empty for a moment, until the
// new material has been checked. Give each Authenticator its own Metrics: in a shared one,
// rules with the same path count as one rule, and a reload in one Authenticator clears what
// the other reported.
//
// For the Authenticator of a policy document, give Observe to policyfile.Open. The cache and the
// revocation checks of a document have no instruments: their records in the log say what they do.
//
// The package is a separate module, so that programs without OpenTelemetry do not have it
// in their module graph.
package metrics
