//go:build unix

package forwarded_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The headers that a front end passes on in addition to those that it sets. None of them is read,
// and the spellings of its own headers are removed before a handler runs; this test shows how
// important that is.
func TestRealFrontEnds_PassOnWhatTheyDoNotSet(t *testing.T) {
	c := newCast(t)
	for i, r := range recommendations {
		t.Run(r.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, r.source, c.policy())
			front := r.start(t, r.config, settings{App: a.address, Verify: r.verify}, c)
			own := []string{r.convention.header + ": genuine"}
			for _, tc := range []struct {
				name   string
				line   string
				passes [7]bool // nginx, HAProxy, Apache, Debian's Caddy, the current Caddy, Traefik, Envoy
			}{
				{"hyphens and underscores swapped", respell(own, swapped)[0], [7]bool{false, true, true, true, false, true, true}},
				{"dots", respell(own, dotted)[0], [7]bool{false, true, true, true, false, true, true}},
				{"another convention", "X-Arr-Clientcert: genuine", [7]bool{true, true, true, true, true, true, true}},
				{"RFC 9440", "Client-Cert: genuine", [7]bool{true, true, true, true, true, true, true}},
			} {
				t.Run(tc.name, func(t *testing.T) {
					_, _, saw := a.visit(t, c, front, visit{shows: c.p256, lines: []string{tc.line}})
					name, _ := cutHeader(tc.line)
					assert.Equal(t, tc.passes[i], len(saw.arrived[http.CanonicalHeaderKey(name)]) > 0, "%v", saw.arrived)
				})
			}
		})
	}
}
