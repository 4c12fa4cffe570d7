package main

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// traced adds trace and span of the context to each record. certauth logs with the context of the
// request, so its records have them too. certauth itself reads a traceparent header; if it did,
// the attribute is already set.
type traced struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h traced) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		record = record.Clone()
		if !has(record, "trace_id") {
			record.AddAttrs(slog.String("trace_id", span.TraceID().String()))
		}
		record.AddAttrs(slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs implements [slog.Handler].
func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }

// WithGroup implements [slog.Handler].
func (h traced) WithGroup(name string) slog.Handler { return traced{h.Handler.WithGroup(name)} }

func has(record slog.Record, key string) (found bool) {
	record.Attrs(func(attr slog.Attr) bool {
		found = attr.Key == key
		return !found
	})
	return found
}
