package metrics

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Metrics holds the instruments. Make it with [New]. It is safe for concurrent use. A nil
// *Metrics counts nothing.
type Metrics struct {
	meter     metric.Meter
	decisions metric.Int64Counter
	remaining metric.Float64Histogram
	reloads   metric.Int64Counter
	fetches   metric.Float64Histogram

	mu       sync.Mutex
	rules    map[string]bool
	material map[materialKey]int64 // expiry of the certificate in Unix seconds, or 0
}

// remainingBuckets, in seconds, range from urgent to harmless: hours, days, a year.
var remainingBuckets = []float64{0, 1800, 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 4 * 86400, 7 * 86400, 14 * 86400, 30 * 86400, 90 * 86400, 180 * 86400, 365 * 86400}

// New makes the instruments on the meter. It starts no goroutine. A nil meter is an error,
// and so is a meter that refuses an instrument.
func New(meter metric.Meter) (*Metrics, error) {
	if meter == nil {
		return nil, errors.New("metrics: the meter is nil")
	}
	m := &Metrics{meter: meter, rules: map[string]bool{}, material: map[materialKey]int64{}}
	var errs [5]error
	m.decisions, errs[0] = meter.Int64Counter("certauth.decisions", metric.WithUnit("{decision}"), metric.WithDescription("Requests by outcome."))
	m.remaining, errs[1] = meter.Float64Histogram("certauth.certificate.remaining", metric.WithUnit("s"), metric.WithDescription("Remaining lifetime of the certificate of an accepted request."), metric.WithExplicitBucketBoundaries(remainingBuckets...))
	m.reloads, errs[2] = meter.Int64Counter("certauth.reloads", metric.WithUnit("{reload}"), metric.WithDescription("Reloads of trust material; outcome kept means that the reload failed."))
	m.fetches, errs[3] = meter.Float64Histogram("certauth.revocation.fetch.duration", metric.WithUnit("s"), metric.WithDescription("Fetches of revocation evidence."), metric.WithExplicitBucketBoundaries(.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30))
	errs[4] = m.materialGauges()
	return m, errors.Join(errs[:]...)
}

// Observe counts one event. Use it as certauth.Config.Observe, or call it from your own
// function there. A nil Metrics counts nothing.
func (m *Metrics) Observe(ctx context.Context, event certauth.Event) {
	if m == nil {
		return
	}
	switch event.Outcome {
	case certauth.OutcomeAccepted, certauth.OutcomeDenied, certauth.OutcomeAnonymous, certauth.OutcomeExcluded, certauth.OutcomeReported:
		m.decision(ctx, &event)
	case outcomeReloaded, outcomeKept:
		m.reloads.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", string(event.Outcome)), attribute.String("rule", m.rule(event.Rule))))
		if event.Outcome == outcomeReloaded {
			m.renewed(&event)
		}
	case outcomeExpiring, outcomeExpired, outcomeUnchained, outcomeRootless:
		m.defect(&event)
	}
}

func (m *Metrics) decision(ctx context.Context, event *certauth.Event) {
	attrs := []attribute.KeyValue{attribute.String("outcome", string(event.Outcome)), attribute.Bool("route", event.Route)}
	if event.Err != nil {
		reason, fault := classify(event.Err.Reason)
		attrs = append(attrs, attribute.String("error.type", reason), attribute.String("fault", fault))
	}
	m.decisions.Add(ctx, 1, metric.WithAttributes(attrs...))
	// The decision of a route concerns a caller that was already counted.
	if event.Outcome == certauth.OutcomeAccepted && !event.Route && !event.Certificate.NotAfter.IsZero() {
		m.remaining.Record(ctx, event.Certificate.NotAfter.Sub(event.Time).Seconds())
	}
}

const other = "_OTHER"

// maxRules bounds the number of rules that have their own label value.
const maxRules = 64

// rule returns the label value for a path of the configuration.
func (m *Metrics) rule(path string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ruleLocked(path)
}

func (m *Metrics) ruleLocked(path string) string {
	if !m.rules[path] {
		if len(m.rules) >= maxRules {
			return other
		}
		m.rules[path] = true
	}
	return path
}
