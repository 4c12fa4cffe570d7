package metrics

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// Checker adds the counters and gauges of a revocation checker. They are read whenever
// metrics are collected. Call it once per Metrics. A service with several checkers needs a
// Metrics for each, on a meter with different attributes. It is an error if the Metrics or
// the Checker is nil.
func (m *Metrics) Checker(checker *revocation.Checker) error {
	if m == nil || checker == nil {
		return errors.New("metrics: the Metrics or the Checker is nil")
	}
	var (
		checks, irregular, store       metric.Int64ObservableCounter
		records, lists, size, breakers metric.Int64ObservableGauge
		errs                           [7]error
	)
	checks, errs[0] = m.meter.Int64ObservableCounter("certauth.revocation.checks", metric.WithUnit("{check}"), metric.WithDescription("Checks of a certificate that were answered from memory or had to wait, and background refreshes."))
	irregular, errs[1] = m.meter.Int64ObservableCounter("certauth.revocation.irregular", metric.WithUnit("{event}"), metric.WithDescription("Evidence that did not verify, stale evidence that was used, certificates accepted without evidence, and unloaded CRLs."))
	store, errs[2] = m.meter.Int64ObservableCounter("certauth.revocation.store", metric.WithUnit("{lookup}"), metric.WithDescription("Lookups in the shared store of evidence."))
	records, errs[3] = m.meter.Int64ObservableGauge("certauth.revocation.records", metric.WithUnit("{certificate}"), metric.WithDescription("Certificates whose status is remembered."))
	lists, errs[4] = m.meter.Int64ObservableGauge("certauth.revocation.lists", metric.WithUnit("{list}"), metric.WithDescription("CRLs in memory."))
	size, errs[5] = m.meter.Int64ObservableGauge("certauth.revocation.list.size", metric.WithUnit("By"), metric.WithDescription("Memory used by CRLs."))
	breakers, errs[6] = m.meter.Int64ObservableGauge("certauth.revocation.breakers", metric.WithUnit("{host}"), metric.WithDescription("Hosts that are not contacted for a while after failures."))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := checker.Stats()
		count := func(instrument metric.Int64Observable, label string, values map[string]uint64) {
			for value, n := range values {
				o.ObserveInt64(instrument, int64(n&(1<<63-1)), metric.WithAttributes(attribute.String(label, value)))
			}
		}
		count(checks, "answered", map[string]uint64{"memory": s.Remembered, "waited": s.Waited, "refresh": s.Refreshes})
		count(irregular, "kind", map[string]uint64{"suspicious": s.Suspicious, "stale_served": s.StaleServed, "soft_failed": s.SoftFailed, "list_unloaded": s.ListsUnloaded})
		count(store, "result", map[string]uint64{"hit": s.StoreHits, "miss": s.StoreMisses, "rejected": s.StoreRejected, "error": s.StoreErrors})
		o.ObserveInt64(records, int64(s.Records))
		o.ObserveInt64(lists, int64(s.Lists))
		o.ObserveInt64(size, int64(s.ListBytes))
		o.ObserveInt64(breakers, int64(len(s.OpenBreakers)))
		return nil
	}, checks, irregular, store, records, lists, size, breakers)
	return err
}
