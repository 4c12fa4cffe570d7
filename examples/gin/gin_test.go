package main

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// mount adds the probe to the program's router, here behind auth as middleware: protected,
// behind the administrator's rule, behind a rule that panics, and excluded.
func mount(auth *certauth.Authenticator, p *probe) *gin.Engine {
	router := newRouter(auth)
	router.Use(adapt(auth.Handler))
	router.Any("/probe", p.serve)
	router.GET("/probe/admin", adapt(auth.Require(certauth.DNSNames{adminName})), p.serve)
	router.GET("/probe/broken", adapt(auth.Require(brokenRule)), p.serve)
	router.GET("/open", p.serve)
	router.POST("/panic", func(c *gin.Context) {
		p.see(c.Request)
		panic("a bug of the handler")
	})
	return router
}

func (p *probe) serve(c *gin.Context) { c.JSON(http.StatusOK, p.see(c.Request)) }

func TestAdapter_GinWrapHIsATrap(t *testing.T) {
	newPartner(t)
	auth := newAuth(t)
	inner := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

	for _, tc := range []struct {
		name       string
		middleware gin.HandlerFunc
		runs       int64
	}{
		{"WrapH writes the refusal and the handler runs behind it", gin.WrapH(auth.Handler(inner)), 1},
		{"WrapF does the same", gin.WrapF(auth.Handler(inner).ServeHTTP), 1},
		{"adapt stops", adapt(auth.Handler), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p probe
			router := gin.New()
			router.Use(tc.middleware)
			router.GET("/probe", p.serve)
			front := certauthtest.NewAppService(t, serve(t, router))
			got := send(t, front.Client(nil), http.MethodGet, front.URL+"/probe", nil)
			assert.Equal(t, http.StatusUnauthorized, got.status)
			assert.Equal(t, tc.runs, p.runs.Load())
		})
	}
}

// gin continues with the next handler after a panic, unless the recovery aborts.
func TestAdapter_RecoveredPanicNeverReachesTheHandler(t *testing.T) {
	var p probe
	router := gin.New()
	router.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.Status(http.StatusInternalServerError) }))
	router.Use(adapt(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug of the middleware") })
	}))
	router.GET("/probe", p.serve)
	got := send(t, direct(), http.MethodGet, serve(t, router)+"/probe", nil)
	assert.Equal(t, http.StatusInternalServerError, got.status)
	assert.Zero(t, p.runs.Load(), "the handler ran")
}

// Middleware that finishes something after next returns needs the handler to run inside it.
func TestAdapter_GinHandlerRunsWithinTheMiddleware(t *testing.T) {
	var within atomic.Bool
	router := gin.New()
	router.Use(adapt(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}))
	router.GET("/probe", func(c *gin.Context) {
		within.Store(c.Request.Context().Err() == nil)
		c.Status(http.StatusOK)
	})
	got := send(t, direct(), http.MethodGet, serve(t, router)+"/probe", nil)
	assert.Equal(t, http.StatusOK, got.status)
	assert.True(t, within.Load())
}

func TestAdapter_FrameworkClientIPIsNotUsed(t *testing.T) {
	const trusted = "203.0.113.7" // RFC 5737, so no connection of this test comes from it
	partner := newPartner(t)
	header := forged(partner.issuing.Issue(t, "client"), trusted)

	for _, tc := range []struct {
		name     string
		from     forwarded.Gate
		admitted bool
	}{
		{"the gate stays closed for an address from a header", forwarded.Peers(trusted), false},
		{"the gate opens for the address of the socket", forwarded.Peers("127.0.0.0/8", "::1"), true},
	} {
		for _, name := range []string{"X-Forwarded-For", "X-Real-IP"} {
			t.Run(tc.name+", "+name, func(t *testing.T) {
				var p probe
				var believed string
				auth := newAuth(t, func(c *certauth.Config) { c.Source = forwarded.AppService{From: tc.from} })
				router := gin.New()
				require.NoError(t, router.SetTrustedProxies([]string{"127.0.0.0/8", "::1/128"}))
				router.RemoteIPHeaders = []string{name}
				router.Use(func(c *gin.Context) {
					believed = c.ClientIP()
					c.Request.RemoteAddr = net.JoinHostPort(believed, "4711") // as helpful middleware does
				})
				router.Use(adapt(auth.Handler))
				router.GET("/probe", p.serve)
				got := send(t, direct(), http.MethodGet, serve(t, router)+"/probe", header)
				require.Equal(t, trusted, believed, "gin was not fooled, so nothing is tested")
				if tc.admitted {
					assert.NotEmpty(t, sightOf(t, got).Caller)
					return
				}
				requireUnauthorized(t, got)
				assert.Zero(t, p.runs.Load(), "the handler ran")
			})
		}
	}
}
