package metrics

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Authenticator adds a gauge of the number of certificates that an Authenticator remembers.
// The number is read whenever metrics are collected. Call it once per Metrics. A service
// with several Authenticators needs a Metrics for each, on a meter with different
// attributes. It is an error if the Metrics or the Authenticator is nil.
func (m *Metrics) Authenticator(auth *certauth.Authenticator) error {
	if m == nil || auth == nil {
		return errors.New("metrics: the Metrics or the Authenticator is nil")
	}
	_, err := m.meter.Int64ObservableGauge("certauth.cache.certificates", metric.WithUnit("{certificate}"),
		metric.WithDescription("Remembered certificates, at most Config.CacheSize."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(auth.Remembered()))
			return nil
		}))
	return err
}
