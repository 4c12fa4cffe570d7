//go:build unix

package forwarded_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding T76: a client of another host's CA names no host in the handshake, or the other one, and then
// sends a request for this one. nginx and HAProxy report it as verified, so that it was accepted if the
// documentation of FrontEndVerifies was followed, which did not mention this. A Chain refuses it.
func TestRealFrontEnds_ClientOfAnotherHost(t *testing.T) {
	c := newCast(t)
	for _, tc := range []struct {
		program
		name, config, verify string
		word                 certauth.Source
		own, other, none     string // outcomes by the name in the handshake
	}{
		{
			nginx, "nginx", "two-hosts.conf", "",
			forwarded.Nginx{From: here, FrontEndVerifies: true},
			answers400, "the front end answers 421", accepted,
		},
		{
			nginx, "nginx with ssl_reject_handshake", "two-hosts.conf", "reject",
			forwarded.Nginx{From: here, FrontEndVerifies: true},
			answers400, "the front end answers 421", noHandshake,
		},
		{
			haproxy, "haproxy", "two-hosts.cfg", "",
			forwarded.HAProxy{From: here, FrontEndVerifies: true},
			noHandshake, accepted, accepted,
		},
		{
			apache, "apache", "two-hosts.conf", "",
			forwarded.Apache{From: here, FrontEndVerifies: true},
			noHandshake, "the front end answers 421", "the front end answers 421",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			front := tc.start(t, tc.config, settings{App: a.address, Verify: tc.verify}, c)
			for name, want := range map[string]string{"localhost": tc.own, "other.test": tc.other, "unknown.test": tc.none, "": tc.none} {
				a.use(t, tc.word, certauth.CommonNames{"front end as client"})
				got, told, saw := a.visit(t, c, front, visit{shows: c.proxy, tls: c.toHost(name)})
				assert.Equal(t, want, got, "%q: %v, %v", name, told.refused, saw.event.Err)
				if want == accepted {
					want = untrusted
				}
				a.use(t, tc.word, certauth.All{c.policy(), certauth.CommonNames{"front end as client"}})
				got, told, saw = a.visit(t, c, front, visit{shows: c.proxy, tls: c.toHost(name)})
				assert.Equal(t, want, got, "%q, with a Chain: %v, %v", name, told.refused, saw.event.Err)
			}
		})
	}
}

// toHost names the host in the handshake, if there is one, and presents the client certificate of
// other.test.
func (c *cast) toHost(name string) *tls.Config {
	config := c.tlsConfig(c.proxy)
	config.ServerName, config.InsecureSkipVerify = name, true
	return config
}

// oneSession is a cache that resumes the same session for every host.
type oneSession struct{ tls.ClientSessionCache }

func (s oneSession) Get(string) (*tls.ClientSessionState, bool) { return s.ClientSessionCache.Get("") }

func (s oneSession) Put(_ string, state *tls.ClientSessionState) { s.ClientSessionCache.Put("", state) }

// finding T76: HAProxy also resumes a session of the other host, so comparing the name in the handshake
// with that in the request does not help.
func TestRealFrontEnds_SessionOfAnotherHost(t *testing.T) {
	c := newCast(t)
	for _, tc := range []struct {
		program
		config  string
		word    certauth.Source
		resumed bool
	}{
		{nginx, "two-hosts.conf", forwarded.Nginx{From: here, FrontEndVerifies: true}, false},
		{haproxy, "two-hosts.cfg", forwarded.HAProxy{From: here, FrontEndVerifies: true}, true},
		{apache, "two-hosts.conf", forwarded.Apache{From: here, FrontEndVerifies: true}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, tc.word, certauth.CommonNames{"front end as client"})
			front := tc.start(t, tc.config, settings{App: a.address}, c)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				cache := oneSession{tls.NewLRUClientSessionCache(1)}
				visitHost := func(name string) string {
					config := c.toHost(name)
					config.MinVersion, config.MaxVersion, config.ClientSessionCache = version, version, cache
					got, _, _ := a.visit(t, c, front, visit{shows: c.proxy, tls: config})
					return got
				}
				visitHost("other.test")
				assert.Equal(t, tc.resumed, visitHost("localhost") == accepted, tls.VersionName(version))
			}
		})
	}
}
