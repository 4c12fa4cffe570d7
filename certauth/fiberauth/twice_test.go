package fiberauth_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/fiberauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding R43: the second of two Handlers reads the headers as they arrived, and said of a caller whom the first one
// had let through without an identity that a handler had made the request for another one.
func TestHandler_TwiceTheHintSaysToUseOne(t *testing.T) {
	p := newPartner(t)
	excluded := []certauth.Exclusion{{Path: "/", Reason: "public", Control: "returns no data"}}
	elsewhere := certauth.Chain{Roots: certauth.Certificates(certauthtest.NewCA(t, "Another CA").Certificate)}
	for _, tc := range []struct {
		name   string
		outer  func(*certauth.Config)
		caller *certauthtest.Certificate
		want   certauth.Reason
	}{
		{"the first excludes the path", func(c *certauth.Config) { c.Exclusions = excluded }, p.client, certauth.ReasonSourceUntrusted},
		{"the first only reports", func(c *certauth.Config) { c.Policy, c.InsecureReportOnly = elsewhere, true }, p.client, certauth.ReasonSourceUntrusted},
		{"the first knows the caller", func(*certauth.Config) {}, p.client, certauth.ReasonNone},
		{"nobody", func(c *certauth.Config) { c.Optional = true }, nil, certauth.ReasonCertificateMissing},
	} {
		var last certauth.Event
		source := forwarded.Nginx{From: here}
		app := fiber.New(whole)
		app.Use("*", fiberauth.Handler(p.auth(t, source, tc.outer)))
		app.Use("*", fiberauth.Handler(p.auth(t, source, func(c *certauth.Config) {
			c.Observe = func(_ context.Context, e certauth.Event) { last = e }
		})))
		app.Get("/", func(c fiber.Ctx) error { return c.SendString("orders") })
		header := http.Header{}
		if tc.caller != nil {
			header = p.forward(t, tc.caller)
		}
		status, _, _ := get(t, serve(t, app), header)
		assert.Equal(t, tc.want, last.Reason(), tc.name)
		if tc.want == certauth.ReasonNone {
			assert.Equal(t, http.StatusOK, status, tc.name)
			continue
		}
		assert.Equal(t, http.StatusUnauthorized, status, tc.name)
		assert.Contains(t, last.Err.Hint, "use one Handler for a request", tc.name)
	}
}
