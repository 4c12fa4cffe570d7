package main

import (
	"net"
	"net/http"
	"testing"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// mount adds the probe to the program's router, here behind auth as middleware: protected,
// behind the administrator's rule, behind a rule that panics, and excluded.
func mount(auth *certauth.Authenticator, p *probe) http.Handler {
	r := newRouter(auth)
	r.HandleFunc("/probe", p.serve)
	r.With(auth.Require(certauth.DNSNames{adminName})).Get("/probe/admin", p.serve)
	r.With(auth.Require(brokenRule)).Get("/probe/broken", p.serve)
	r.Get("/open", p.serve)
	r.Post("/panic", func(_ http.ResponseWriter, r *http.Request) {
		p.see(r)
		panic("a bug of the handler")
	})
	return auth.Handler(r)
}

func (p *probe) serve(w http.ResponseWriter, r *http.Request) { writeJSON(w, p.see(r)) }

// GO-2026-5774, -5775, -5777: chi's RealIP trusts what the client writes.
func TestAdapter_FrameworkClientIPIsNotUsed(t *testing.T) {
	const trusted = "203.0.113.7" // RFC 5737, so no connection of this test comes from it
	partner := newPartner(t)
	header := forged(partner.issuing.Issue(t, "client"), trusted)

	for _, tc := range []struct {
		name  string
		front func(http.Handler) http.Handler
	}{
		//lint:ignore SA1019 that it is unsafe is the point
		{"RealIP rewrites RemoteAddr", middleware.RealIP},
		{"the client IP of a trusted proxy is written into RemoteAddr", func(next http.Handler) http.Handler {
			return middleware.ClientIPFromXFF("127.0.0.0/8", "::1/128")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.RemoteAddr = net.JoinHostPort(middleware.GetClientIP(r.Context()), "4711")
				next.ServeHTTP(w, r)
			}))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, gate := range []struct {
				name     string
				from     forwarded.Gate
				admitted bool
			}{
				{"the gate stays closed for an address from a header", forwarded.Peers(trusted), false},
				{"the gate opens for the address of the socket", forwarded.Peers("127.0.0.0/8", "::1"), true},
			} {
				t.Run(gate.name, func(t *testing.T) {
					var p probe
					var believed string
					inner := mount(newAuth(t, func(c *certauth.Config) { c.Source = forwarded.AppService{From: gate.from} }), &p)
					backend := serve(t, tc.front(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						believed = r.RemoteAddr
						inner.ServeHTTP(w, r)
					})))
					got := send(t, direct(), http.MethodGet, backend+"/probe", header)
					require.Contains(t, believed, trusted, "chi was not fooled, so nothing is tested")
					if gate.admitted {
						assert.NotEmpty(t, sightOf(t, got).Caller)
						return
					}
					requireUnauthorized(t, got)
					assert.Zero(t, p.runs.Load(), "the handler ran")
				})
			}
		})
	}
}
