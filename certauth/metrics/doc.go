// Package metrics counts what a [certauth.Authenticator] decides and what a
// [revocation.Checker] does, on the metric API of OpenTelemetry. Prometheus reads them through
// OpenTelemetry's exporter for it; dashboard.json beside this file is for Grafana over
// Prometheus.
//
//	otel.SetMeterProvider(provider) // without one nothing is counted
//	m, err := metrics.New(otel.Meter("orders"))
//	...
//	auth, err := certauth.New(certauth.Config{Observe: m.Observe, ...})
//	checker, err := revocation.New(revocation.Config{Observe: m.ObserveRevocation, ...})
//	err = m.Checker(checker)
//
// The instruments, with the names that Prometheus gives them:
//
//	certauth.decisions               certauth_decisions_total                   outcome, fault, error.type, route
//	certauth.certificate.remaining   certauth_certificate_remaining_seconds     histogram
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
// error.type is the attribute of the semantic conventions and holds the reason of a refusal.
// fault is "client" where the caller or its certificate is to blame and "server" where the
// service or what it depends on is: page somebody for the latter. There is no label for a
// name, a certificate, a path or a host: their number is the callers' to choose. Reasons that
// the library does not know, of a PolicyFunc or source of yours, count as "_OTHER", and rules
// of the configuration beyond the first 64 likewise. To find whose certificate ends, look into
// the log.
//
// It is a module of its own, so that who does not use OpenTelemetry does not have it in the
// module graph.
package metrics
