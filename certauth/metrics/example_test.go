package metrics_test

import (
	"fmt"

	"go.opentelemetry.io/otel"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/metrics"
)

func ExampleMetrics_Observe() {
	m, err := metrics.New(otel.Meter("orders"))
	if err != nil {
		fmt.Println(err)
		return
	}
	config := certauth.Config{
		Source: certauth.TLS{}, Policy: certauth.Chain{Roots: certauth.PEMFile("partner-roots.pem")},
		Observe: m.Observe,
	}
	fmt.Println(config.Observe != nil)
	// Output: true
}
