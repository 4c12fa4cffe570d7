package main

import (
	"bytes"
	"encoding/json"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// site is the program on a listener, without App Service, and what it recorded.
type site struct {
	*httptest.Server
	ca    *certauthtest.CA
	auth  *certauth.Authenticator
	spans *tracetest.InMemoryExporter
	log   *bytes.Buffer
}

func newSite(t *testing.T, wrap func(*site, *slog.Logger) http.Handler) *site {
	t.Helper()
	s := &site{ca: certauthtest.NewCA(t, "Partner Root"), spans: tracetest.NewInMemoryExporter(), log: &bytes.Buffer{}}
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(s.spans)))
	logger := slog.New(traced{slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})})
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: certauth.Chain{Roots: certauth.Certificates(s.ca.Certificate)},
		Logger: logger, LogRepeats: true,
	})
	require.NoError(t, err)
	s.auth = auth
	s.log.Reset() // of the policy
	s.Server = httptest.NewUnstartedServer(nil)
	s.Config = newServer(wrap(s, logger))
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *site) get(t *testing.T, path string, client *certauthtest.Certificate, traceparent string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
	require.NoError(t, err)
	certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, client)
	if traceparent != "" {
		r.Header.Set("Traceparent", traceparent)
	}
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// take returns the records by their message, and the only span.
func (s *site) take(t *testing.T) (map[string]map[string]any, tracetest.SpanStub) {
	t.Helper()
	s.Close() // the handler has returned
	records := map[string]map[string]any{}
	for line := range bytes.Lines(s.log.Bytes()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal(line, &record))
		name, ok := record["msg"].(string)
		require.True(t, ok)
		records[name] = record
	}
	spans := s.spans.GetSpans()
	require.Len(t, spans, 1)
	return records, spans[0]
}

// finding N3: the span of an accepted caller was "GET", because the route was lost on the way out.
// In addition, from item 2 of the same issue: the records of certauth have the trace of the
// context, with a traceparent header and without.
func TestTracing_SpanAndRecordsNameRouteAndTrace(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" // W3C Trace Context, section 3.2
	for _, tc := range []struct {
		name, traceparent string
		known             bool
		status            int
		record            string
	}{
		{"accepted", "", true, http.StatusNoContent, "certauth: accepted"},
		{"accepted, the trace begins elsewhere", parent, true, http.StatusNoContent, "certauth: accepted"},
		{"refused", "", false, http.StatusUnauthorized, "certauth: denied"},
		{"refused, the trace begins elsewhere", parent, false, http.StatusUnauthorized, "certauth: denied"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, func(s *site, logger *slog.Logger) http.Handler { return outside(s.auth, newMux(), logger) })
			client := s.ca.Issue(t, "orders")
			if !tc.known {
				client = certauthtest.SelfSigned(t, "stranger")
			}
			assert.Equal(t, tc.status, s.get(t, "/orders/7", client, tc.traceparent))
			records, span := s.take(t)

			trace := span.SpanContext.TraceID().String()
			if tc.traceparent != "" {
				assert.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", trace)
			}
			for _, name := range []string{tc.record, "request"} {
				require.Contains(t, records, name)
				assert.Equal(t, trace, records[name]["trace_id"], name)
				assert.Equal(t, span.SpanContext.SpanID().String(), records[name]["span_id"], name)
			}
			assert.EqualValues(t, tc.status, records["request"]["status"])
			assert.Equal(t, "/orders/7", records[tc.record]["path"])
			if tc.known {
				assert.Equal(t, "GET /orders/{id}", span.Name)
				assert.Equal(t, "GET /orders/{id}", records["request"]["route"])
			} else {
				assert.Equal(t, "GET", span.Name, "no route was reached")
			}
		})
	}
}

// finding N3: chi stores the route in its own context, which outlives the copy of the request: its
// logger outside reports the status, and its route context the pattern.
func TestTracing_ChiInside(t *testing.T) {
	var lines bytes.Buffer
	middleware.DefaultLogger = middleware.RequestLogger(&middleware.DefaultLogFormatter{Logger: log.New(&lines, "", 0), NoColor: true})
	patterns := map[string]string{}
	s := newSite(t, func(s *site, _ *slog.Logger) http.Handler {
		r := chi.NewRouter()
		r.Use(middleware.Logger, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				patterns[r.URL.Path] = chi.RouteContext(r.Context()).RoutePattern()
			})
		}, s.auth.Handler)
		r.Get("/orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		return otelhttp.NewHandler(r, "server")
	})
	assert.Equal(t, http.StatusNoContent, s.get(t, "/orders/7", s.ca.Issue(t, "orders"), ""))
	assert.Equal(t, http.StatusUnauthorized, s.get(t, "/orders/8", nil, ""))
	s.Close()
	assert.Equal(t, map[string]string{"/orders/7": "/orders/{id}", "/orders/8": ""}, patterns, "a refused request reached no route")
	assert.Contains(t, lines.String(), "/orders/7 HTTP/1.1\" from 127.0.0.1")
	assert.Contains(t, lines.String(), " - 204 ")
	assert.Contains(t, lines.String(), " - 401 ")
	assert.Len(t, s.spans.GetSpans(), 2)
}

// finding T89: net/http answered "OPTIONS *" itself, and kept a connection of which Varnish makes a tunnel.
func TestTracing_OPTIONSAsteriskIsNoTunnel(t *testing.T) {
	s := newSite(t, func(s *site, logger *slog.Logger) http.Handler { return outside(s.auth, newMux(), logger) })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, s.URL, http.NoBody)
	require.NoError(t, err)
	r.URL.Opaque = "*"
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.True(t, response.Close)
}
