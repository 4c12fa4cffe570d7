package certauthtest_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding N156: no row asked what a service does behind a proxy that makes a tunnel of the connection (findings T89, T90,
// T91 and T97), except for one row for Apache.
func TestTestHandler_FindsWhatATunnelLetsIn(t *testing.T) {
	for _, tc := range []struct {
		name    string
		install func(auth *certauth.Authenticator, server *http.Server) error
		row     string
	}{
		{"ConfigureServer", func(auth *certauth.Authenticator, server *http.Server) error {
			server.Handler = orders
			return auth.ConfigureServer(server)
		}, ""},
		{"without DisableGeneralOptionsHandler", func(auth *certauth.Authenticator, server *http.Server) error {
			server.Handler, server.DisableGeneralOptionsHandler = auth.Handler(orders), false
			return nil
		}, "the client behind OPTIONS * for websocket"},
		{"a framework that answers unknown methods", func(auth *certauth.Authenticator, server *http.Server) error {
			server.Handler = answersFirst(auth.Handler(orders), http.StatusNotImplemented, func(r *http.Request) bool { return r.Method == "BREW" })
			return nil
		}, "the client behind a request for websocket with an unknown method"},
		{"a check around one route", func(auth *certauth.Authenticator, server *http.Server) error {
			mux := http.NewServeMux()
			mux.Handle("/orders", auth.Handler(orders))
			server.Handler = mux
			return nil
		}, "the client behind a request for websocket at another path"},
		{"a router that redirects", func(auth *certauth.Authenticator, server *http.Server) error {
			server.Handler = answersFirst(auth.Handler(orders), http.StatusMovedPermanently, func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/") })
			return nil
		}, "the client behind a request for websocket that a router redirects"},
		{"a probe before the check", func(auth *certauth.Authenticator, server *http.Server) error {
			server.Handler = answersFirst(auth.Handler(orders), http.StatusOK, func(r *http.Request) bool { return r.URL.Path == "/health" })
			return nil
		}, "exempt: the client behind a request for websocket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{
				Source: sources["Nginx"](forwarded.Peers("127.0.0.1")), Policy: p.policy(),
				Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}},
			})
			require.NoError(t, err)
			server := httptest.NewUnstartedServer(nil)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.Config.ConnContext, server.Config.DisableGeneralOptionsHandler = certauth.ConnContext, true
			require.NoError(t, tc.install(auth, server.Config))
			server.Start()
			defer server.Close()
			test := p.test("Nginx")
			test.URL, test.Tunnels = server.URL, true
			wrong := wrongRows(t, nil, test)
			if tc.row == "" {
				assert.Empty(t, wrong)
				return
			}
			assert.Contains(t, wrong, tc.row)
		})
	}
}

// answersFirst answers some requests before the check.
func answersFirst(next http.Handler, status int, when func(r *http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !when(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "no orders here\n")
	})
}

// finding N157: a service that routes by the host answered 404 to all requests, which were for app.example.
func TestTestHandler_Host(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: sources["Traefik"](forwarded.Peers("127.0.0.1")), Policy: p.policy()})
	require.NoError(t, err)
	byHost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "orders.example:8443" {
			http.NotFound(w, r)
			return
		}
		orders(w, r)
	})
	test := p.test("Traefik")
	test.Exempt = ""
	r := &recorder{t: t}
	certauthtest.TestHandler(r, auth.Handler(byHost), test)
	assert.Contains(t, r.fatal, "for the host app.example (HandlerTest.Host)")
	test.Host = "orders.example:8443"
	certauthtest.TestHandler(t, auth.Handler(byHost), test)
}
