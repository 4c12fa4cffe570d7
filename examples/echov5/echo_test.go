package main

import (
	"net"
	"net/http"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// mount adds the probe to the program's router, here behind auth as middleware: protected,
// behind the administrator's rule, behind a rule that panics, and excluded.
func mount(auth *certauth.Authenticator, p *probe) *echo.Echo {
	e := newRouter(auth)
	e.Use(echo.WrapMiddleware(auth.Handler))
	e.Any("/probe", p.serve)
	e.GET("/probe/admin", p.serve, echo.WrapMiddleware(auth.Require(certauth.DNSNames{adminName})))
	e.GET("/probe/broken", p.serve, echo.WrapMiddleware(auth.Require(brokenRule)))
	e.GET("/open", p.serve)
	e.POST("/panic", func(c *echo.Context) error {
		p.see(c.Request())
		panic("a bug of the handler")
	})
	return e
}

func (p *probe) serve(c *echo.Context) error { return c.JSON(http.StatusOK, p.see(c.Request())) }

// echo answers an error of the handler after the middleware has ended.
func TestAdapter_ErrorOfTheHandlerIsAnsweredOnce(t *testing.T) {
	partner := newPartner(t)
	admin := partner.issuing.Issue(t, "admin", certauthtest.DNS(adminName))
	auth := newAuth(t)
	var p probe
	e := newRouter(auth)
	e.Use(echo.WrapMiddleware(auth.Handler))
	e.GET("/gone", func(c *echo.Context) error {
		p.see(c.Request())
		return echo.NewHTTPError(http.StatusGone, "gone")
	}, echo.WrapMiddleware(auth.Require(certauth.DNSNames{adminName})))
	front := certauthtest.NewAppService(t, serve(t, e))
	got := send(t, front.Client(admin), http.MethodGet, front.URL+"/gone", nil)
	assert.Equal(t, http.StatusGone, got.status)
	assert.JSONEq(t, `{"message":"gone"}`, got.body)
	assert.EqualValues(t, 1, p.runs.Load())
}

func TestAdapter_FrameworkClientIPIsNotUsed(t *testing.T) {
	const trusted = "203.0.113.7" // RFC 5737, so no connection of this test comes from it
	partner := newPartner(t)
	header := forged(partner.issuing.Issue(t, "client"), trusted)
	_, proxies, err := net.ParseCIDR(trusted + "/32")
	require.NoError(t, err)

	for _, tc := range []struct {
		name      string
		extractor echo.IPExtractor
	}{
		{"as echo v4 did by default", echo.LegacyIPExtractor()},
		{"from X-Forwarded-For", echo.ExtractIPFromXFFHeader()},
		{"from X-Real-IP", echo.ExtractIPFromRealIPHeader(echo.TrustIPRange(proxies))},
	} {
		for _, gate := range []struct {
			name     string
			from     forwarded.Gate
			admitted bool
		}{
			{"the gate stays closed for an address from a header", forwarded.Peers(trusted), false},
			{"the gate opens for the address of the socket", forwarded.Peers("127.0.0.0/8", "::1"), true},
		} {
			t.Run(gate.name+", "+tc.name, func(t *testing.T) {
				var p probe
				var believed string
				e := mount(newAuth(t, func(c *certauth.Config) { c.Source = forwarded.AppService{From: gate.from} }), &p)
				e.IPExtractor = tc.extractor
				e.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
					return func(c *echo.Context) error {
						believed = c.RealIP()
						c.Request().RemoteAddr = net.JoinHostPort(believed, "4711") // as helpful middleware does
						return next(c)
					}
				})
				got := send(t, direct(), http.MethodGet, serve(t, e)+"/probe", header)
				require.Equal(t, trusted, believed, "echo was not fooled, so nothing is tested")
				if gate.admitted {
					assert.NotEmpty(t, sightOf(t, got).Caller)
					return
				}
				requireUnauthorized(t, got)
				assert.Zero(t, p.runs.Load(), "the handler ran")
			})
		}
	}
}
