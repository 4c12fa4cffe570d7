//go:build unix

package forwarded_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// believed lists the sources whose front end reports a verification that it did not make.
var believed = []struct {
	source certauth.Source
	off    string
}{
	{forwarded.Nginx{From: here, FrontEndVerifies: true}, "optional_no_ca"},
	{forwarded.HAProxy{From: here, FrontEndVerifies: true}, "optional crt-ignore-err all ca-ignore-err all"},
	{forwarded.Apache{From: here, FrontEndVerifies: true}, "optional_no_ca"},
}

// If the front end's verification is the anchor, anybody can write a name into a self-made
// certificate, so FrontEndVerifies must not be set for it.
func TestRealFrontEnds_FrontEndsWordIsTheAnchor(t *testing.T) {
	c := newCast(t)
	for i, tc := range believed {
		r := recommendations[i]
		t.Run(r.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, tc.source, certauth.CommonNames{"orders"})
			front := r.start(t, r.config, settings{App: a.address, Verify: tc.off}, c)
			for _, tc := range []struct {
				name string
				visit
				want string
			}{
				{"a client", visit{shows: c.p256}, accepted},
				{"a client of another name", visit{shows: c.victim}, string(certauth.ReasonNameNotAllowed)},
				{"a self-signed certificate of the name", visit{shows: c.selfSigned}, unverified},
				{"a self-signed certificate of the name, with the lines that say verified", visit{shows: c.selfSigned, lines: r.convention.forge(c.p256)}, unverified},
				{"an unknown CA of the known name", visit{shows: c.unknown}, unverified},
				{"no certificate, with the header", visit{lines: r.convention.forge(c.p256)}, missing},
			} {
				t.Run(tc.name, func(t *testing.T) {
					got, told, saw := a.visit(t, c, front, tc.visit)
					assert.Equal(t, tc.want, got, "%v, %v", told.refused, saw.event.Err)
				})
			}
		})
	}
}

// What the front end reports about an unverified certificate should not change when the session is
// resumed. Apache's report does, with TLS 1.2: GENEROUS becomes SUCCESS, and a service that relies
// on it accepts anybody. A Chain still refuses them.
func TestRealFrontEnds_FrontEndsWordOnResumedSessions(t *testing.T) {
	c := newCast(t)
	for i, tc := range believed {
		r := recommendations[i]
		t.Run(r.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			front := r.start(t, r.config, settings{App: a.address, Verify: tc.off}, c)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				byWord, byChain := unverified, unverified
				if r.name == apache.name && version == tls.VersionTLS12 {
					byWord, byChain = accepted, untrusted
				}
				t.Run(tls.VersionName(version), func(t *testing.T) {
					session := c.tlsConfig(c.selfSigned)
					session.MinVersion, session.MaxVersion = version, version
					session.ClientSessionCache = tls.NewLRUClientSessionCache(8)
					for _, step := range []struct {
						name    string
						source  certauth.Source
						policy  certauth.Policy
						resumed bool
						want    string
					}{
						{"a handshake, by the front end's word", tc.source, certauth.CommonNames{"orders"}, false, unverified},
						{"resumed, by the front end's word", tc.source, certauth.CommonNames{"orders"}, true, byWord},
						{"resumed, by the chain", r.source, c.policy(), true, byChain},
					} {
						a.use(t, step.source, step.policy)
						got, told, saw := a.visit(t, c, front, visit{shows: c.selfSigned, tls: session})
						assert.Equal(t, step.want, got, "%s: %v, %v", step.name, told.refused, saw.event.Err)
						assert.Equal(t, step.resumed, told.tls.DidResume, step.name)
					}
				})
			}
		})
	}
}
