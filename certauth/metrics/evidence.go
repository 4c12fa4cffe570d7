package metrics

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// evidence counts the fetches of a revocation checker.
func (m *Metrics) evidence(ctx context.Context, event *certauth.Event) {
	if event.Evidence == nil || event.Outcome != certauth.OutcomeFetched && event.Outcome != certauth.OutcomeFetchFailed {
		return // of breakers Checker shows how many are open
	}
	m.fetches.Record(ctx, event.Evidence.Latency.Seconds(), metric.WithAttributes(
		attribute.String("source", sourceOf(event.Evidence.Kind)),
		attribute.String("host_class", hostClass(event.Evidence.Host)),
		attribute.String("outcome", string(event.Outcome)),
	))
}

func sourceOf(kind string) string {
	if kind == "ocsp" || kind == "crl" {
		return kind
	}
	return other
}

// hostClass says where a responder is. Its name is from a certificate, so it is no label.
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
