// Package metrics counts the decisions of a [certauth.Authenticator] and the work of a
// [revocation.Checker], on the metric API of OpenTelemetry. Prometheus reads them through
// OpenTelemetry's exporter for it; dashboard.json in this folder is for Grafana over
// Prometheus.
//
//	otel.SetMeterProvider(provider) // without one nothing is counted
//	m, err := metrics.New(otel.Meter("orders"))
//	...
//	auth, err := certauth.New(certauth.Config{Observe: m.Observe, ...})
//	checker, err := revocation.New(revocation.Config{Observe: m.ObserveRevocation, ...})
//	err = errors.Join(m.Authenticator(auth), m.Checker(checker))
//
// The instruments, with the names that Prometheus gives them:
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
// error.type is the attribute of the semantic conventions and holds the reason of a refusal.
// fault is "client" where the caller or its certificate is to blame and "server" where the
// service or what it depends on is: page an operator for the latter. There is no label for a
// name, a certificate, a path or a host: their number is the callers' to choose. Reasons that
// the library does not know, of a PolicyFunc or source of yours, count as "_OTHER", and rules
// of the configuration beyond the first 64 likewise. To find whose certificate ends, look into
// the log.
//
// The two of material show what certauth reported and no reload has made void: a certificate
// that ends within 30 days, has ended, or is of no use. They have no value for a rule with which
// nothing is wrong, so alert on what is there and not on what is absent. After a reload they are
// empty for the moment that the check of the new material takes, until the last of what was
// reloaded together is read. Give each Authenticator a Metrics of its own: rules of the same path
// in two of them are one rule here, and a reload of one makes void what the other reported.
//
// It is a module of its own, so that programs without OpenTelemetry do not have it in the
// module graph.
package metrics
