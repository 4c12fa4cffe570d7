package certauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/socket/testdata/golang.org/x/net/http2/h2c"
)

// The doc of ConfigureServer: a handler of golang.org/x/net/http2/h2c takes connections away from
// the server, and is an error; the server is not changed.
func TestConfigureServer_RefusesH2C(t *testing.T) {
	w := newWorld(t)
	auth := authWith(t, fixedSource("s", w.leaf.Certificate), w.chain())
	for _, handler := range []http.Handler{h2c.Handler{}, &h2c.Handler{}} {
		server := &http.Server{Handler: handler}
		assert.ErrorContains(t, auth.ConfigureServer(server), "h2c.NewHandler")
		assert.Equal(t, handler, server.Handler)
		assert.Nil(t, server.ConnContext)
		assert.Zero(t, server.ReadHeaderTimeout)
	}
}
