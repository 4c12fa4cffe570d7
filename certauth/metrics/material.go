package metrics

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Values of certauth.Event.Outcome that concern the configuration.
const (
	outcomeReloaded  certauth.Outcome = "reloaded"
	outcomeKept      certauth.Outcome = "kept"
	outcomeExpiring  certauth.Outcome = "expiring"
	outcomeExpired   certauth.Outcome = "expired"
	outcomeUnchained certauth.Outcome = "unchained"
	outcomeRootless  certauth.Outcome = "rootless"
)

// materialKey identifies a defect of a certificate of the configuration.
type materialKey struct {
	rule, outcome, fingerprint string
}

// maxMaterial bounds the number of stored defects.
const maxMaterial = 1024

// materialGauges shows the current defects. A defect is shown from the time certauth
// reports it, which for an expiry is 30 days before, until the rule is reloaded. After a
// reload certauth reports the remaining defects again.
func (m *Metrics) materialGauges() error {
	notAfter, err := m.meter.Int64ObservableGauge("certauth.material.not_after", metric.WithUnit("s"), metric.WithDescription("Unix time at which the first certificate of a rule expires, from 30 days before until a reload without that certificate."))
	if err != nil {
		return err
	}
	defects, err := m.meter.Int64ObservableGauge("certauth.material.defects", metric.WithUnit("{certificate}"), metric.WithDescription("Certificates of the configuration that expire soon, have expired or cannot be used, until a reload without them."))
	if err != nil {
		return err
	}
	_, err = m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		first, count := map[string]int64{}, map[materialKey]int64{}
		for key, end := range m.material {
			rule := m.ruleLocked(key.rule)
			if known, ok := first[rule]; end != 0 && (!ok || end < known) {
				first[rule] = end
			}
			count[materialKey{rule, key.outcome, ""}]++
		}
		for rule, end := range first {
			o.ObserveInt64(notAfter, end, metric.WithAttributes(attribute.String("rule", rule)))
		}
		for key, n := range count {
			o.ObserveInt64(defects, n, metric.WithAttributes(attribute.String("rule", key.rule), attribute.String("outcome", key.outcome)))
		}
		return nil
	}, notAfter, defects)
	return err
}

func (m *Metrics) defect(event *certauth.Event) {
	key := materialKey{event.Rule, string(event.Outcome), event.Certificate.Fingerprint}
	m.mu.Lock()
	defer m.mu.Unlock()
	if event.Outcome == outcomeExpired {
		delete(m.material, materialKey{key.rule, string(outcomeExpiring), key.fingerprint})
	}
	if _, known := m.material[key]; !known && len(m.material) >= maxMaterial {
		return
	}
	m.material[key] = 0
	if end := event.Certificate.NotAfter; !end.IsZero() && event.Outcome != outcomeUnchained {
		m.material[key] = end.Unix()
	}
}

// renewed forgets the defects of a rule that was reloaded. It also forgets all unchained
// intermediates, because new roots can repair them, and everything if the whole
// configuration was replaced: see certauth.Outcome.
func (m *Metrics) renewed(event *certauth.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if event.Source == "" {
		clear(m.material)
		return
	}
	for key := range m.material {
		unchained := key.outcome == string(outcomeUnchained) && isOfSource(key.rule) == isOfSource(event.Rule)
		if key.rule == event.Rule || unchained {
			delete(m.material, key)
		}
	}
}

// isOfSource reports whether a rule belongs to the gate of the source, which is reloaded
// separately.
func isOfSource(rule string) bool { return strings.HasPrefix(rule, "Source: ") }
