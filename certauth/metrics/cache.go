package metrics

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Authenticator shows how many certificates an Authenticator remembers, which is read whenever
// metrics are collected. Call it once for each Metrics; of a service with several Authenticators
// give each a Metrics on a meter with attributes of its own.
func (m *Metrics) Authenticator(auth *certauth.Authenticator) error {
	if m == nil || auth == nil {
		return errors.New("metrics: the Metrics or the Authenticator is nil")
	}
	_, err := m.meter.Int64ObservableGauge("certauth.cache.certificates", metric.WithUnit("{certificate}"),
		metric.WithDescription("Certificates that are remembered, up to Config.CacheSize."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(auth.Remembered()))
			return nil
		}))
	return err
}
