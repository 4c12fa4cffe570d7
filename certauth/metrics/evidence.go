package metrics

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// ObserveRevocation counts one fetch of revocation evidence. Use it as
// revocation.Config.Observe. A nil Metrics counts nothing.
func (m *Metrics) ObserveRevocation(ctx context.Context, event revocation.Event) {
	if m == nil || event.Kind == revocation.SourceNone {
		return // the event reports an outage; Checker shows the number of outages
	}
	outcome := "fetched"
	if event.Err != nil {
		outcome = "fetch_failed"
	}
	m.fetches.Record(ctx, event.Latency.Seconds(), metric.WithAttributes(
		attribute.String("source", sourceOf(event.Kind)),
		attribute.String("host_class", hostClass(event.Host)),
		attribute.String("outcome", outcome),
	))
}

func sourceOf(kind revocation.Source) string {
	switch kind {
	case revocation.SourceOCSP:
		return "ocsp"
	case revocation.SourceCRL:
		return "crl"
	}
	return other
}

// hostClass classifies the host of a responder. The host's name comes from a certificate,
// so it must not become a label.
func hostClass(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return "address"
	}
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(host), "."), ".")
	switch labels[len(labels)-1] {
	case "internal", "local", "localhost", "lan", "corp", "intranet", "private", "arpa":
		return "internal"
	}
	if len(labels) == 1 {
		return "internal"
	}
	return "public"
}
