//go:build unix

package forwarded_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// here identifies the host on which the front ends of these tests run.
var here = forwarded.Peers("127.0.0.1/32")

// recommended is a front end with the configuration recommended in its preset's documentation.
type recommended struct {
	program
	config     string
	verify     string // requests a certificate, but does not require one
	source     certauth.Source
	convention convention
}

var recommendations = []recommended{
	{nginx, "recommended.conf", "optional", forwarded.Nginx{From: here}, convention{
		"X-Client-Cert", []string{"X-Client-Verify: SUCCESS"}, escapedPEM,
	}},
	{haproxy, "recommended.cfg", "optional", forwarded.HAProxy{From: here}, convention{
		"X-SSL-Client-Cert", []string{"X-SSL-Client-Used: 1", "X-SSL-Client-Verify: 0"}, (*certauthtest.Certificate).Base64,
	}},
	{apache, "recommended.conf", "optional", forwarded.Apache{From: here}, convention{
		"SSL_CLIENT_CERT", []string{"SSL_CLIENT_VERIFY: SUCCESS"}, spacedPEM,
	}},
	{caddy, "recommended.Caddyfile", "verify_if_given", forwarded.Caddy{From: here}, convention{
		"X-Client-Cert", nil, (*certauthtest.Certificate).Base64,
	}},
	{caddyCurrent, "recommended.Caddyfile", "verify_if_given", forwarded.Caddy{From: here}, convention{
		"X-Client-Cert", nil, (*certauthtest.Certificate).Base64,
	}},
	{traefik, "recommended.json", "", forwarded.Traefik{From: here}, convention{
		"X-Forwarded-Tls-Client-Cert", nil, (*certauthtest.Certificate).Base64,
	}},
	{envoy, "recommended.yaml", "false", forwarded.Envoy{From: here}, convention{"X-Forwarded-Client-Cert", nil, textElement}},
}

func escapedPEM(of *certauthtest.Certificate) string { return url.PathEscape(string(of.PEM())) }

func spacedPEM(of *certauthtest.Certificate) string {
	return strings.TrimSpace(strings.ReplaceAll(string(of.PEM()), "\n", " "))
}

// TestRealFrontEnds_Recommended sends the requests of clients and attackers through each front end.
// A row holds the outcome behind nginx, HAProxy, Apache and Debian's Caddy, and finally the outcome
// that is the same behind the current Caddy, Traefik and Envoy.
func TestRealFrontEnds_Recommended(t *testing.T) {
	c := newCast(t)
	for i, r := range recommendations {
		t.Run(r.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, r.source, c.policy())
			front := r.start(t, r.config, settings{App: a.address, Verify: r.verify}, c)
			for _, tc := range cases(c, r.convention) {
				t.Run(tc.name, func(t *testing.T) {
					got, told, saw := a.visit(t, c, front, tc.visit)
					assert.Equal(t, tc.want[min(i, 4)], got, "%v, %v", told.refused, saw.event.Err)
					assertNothingForged(t, r.convention, saw)
					if tc.http2 && told.status != 0 {
						assert.Equal(t, 2, told.proto)
					}
				})
			}
		})
	}
}

// finding T136: Apache by default answers TRACE with "Max-Forwards: 0" itself, and shows what it would send to the app.
// A shared secret would be part of that, and whoever knows it and reaches the app can impersonate any client.
func TestRealFrontEnds_TRACEShowsNoSecret(t *testing.T) {
	c := newCast(t)
	for _, r := range recommendations {
		t.Run(r.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, r.source, c.policy())
			front := r.start(t, r.config, settings{App: a.address, Verify: r.verify}, c)
			conn, err := (&tls.Dialer{Config: c.tlsConfig(c.p256)}).DialContext(t.Context(), "tcp", front.address)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, err = io.WriteString(conn, "TRACE / HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n")
			require.NoError(t, err)
			answer, _ := io.ReadAll(conn)
			require.NotEmpty(t, answer)
			assert.NotContains(t, strings.ToLower(string(answer)), strings.ToLower(r.convention.header))
		})
	}
}

// assertNothingForged checks that the handler received no header of the front end in any spelling,
// and therefore nothing from the attacker.
func assertNothingForged(t *testing.T, of convention, saw sighting) {
	t.Helper()
	for name := range saw.handed {
		folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
		assert.NotEqual(t, strings.ToLower(swapped.Replace(strings.ReplaceAll(of.header, "-", "_"))), folded, name)
	}
}

type frontEndCase struct {
	name string
	visit
	want [5]string
}

func cases(c *cast, as convention) []frontEndCase {
	spoof := as.forge(c.victim)
	twice := append(slices.Clone(spoof), spoof...)
	listed := append([]string{"Connection: close, " + as.header}, spoof...)
	listedAlone := []string{"Connection: close, " + strings.ToUpper(as.header)}
	return []frontEndCase{
		{"a P-256 client", visit{shows: c.p256}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"an RSA client", visit{shows: c.rsa}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"no certificate", visit{}, [5]string{missing, missing, missing, malformed, missing}},
		{"a self-signed certificate", visit{shows: c.selfSigned}, [5]string{answers400, noHandshake, noHandshake, noHandshake, noHandshake}},
		{"an unknown CA of the known name", visit{shows: c.unknown}, [5]string{answers400, noHandshake, noHandshake, noHandshake, noHandshake}},
		{"an expired certificate", visit{shows: c.expired}, [5]string{answers400, noHandshake, noHandshake, noHandshake, noHandshake}},

		{"no certificate, with the header", visit{lines: spoof}, [5]string{missing, missing, missing, malformed, missing}},
		{"no certificate, with the header twice", visit{lines: twice}, [5]string{missing, missing, missing, malformed, missing}},
		{"no certificate, with hyphens and underscores swapped", visit{lines: respell(spoof, swapped)}, [5]string{missing, missing, missing, malformed, missing}},
		{"no certificate, with dots", visit{lines: respell(spoof, dotted)}, [5]string{missing, missing, missing, malformed, missing}},
		{"no certificate, with the header as trailer", visit{trailer: spoof}, [5]string{missing, missing, missing, malformed, missing}},
		{"no certificate, with the header listed in Connection", visit{lines: listed}, [5]string{missing, malformed, missing, malformed, missing}},
		{"no certificate, with other conventions", visit{lines: others(c, as)}, [5]string{missing, missing, missing, malformed, missing}},
		{"no certificate, with 15 KB in lines of 1 KB", visit{lines: filler(15, 1<<10)}, [5]string{missing, answers400, missing, malformed, missing}},

		{"a client with the header", visit{shows: c.p256, lines: spoof}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client with the header twice", visit{shows: c.p256, lines: twice}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client with hyphens and underscores swapped", visit{shows: c.p256, lines: respell(spoof, swapped)}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client with dots", visit{shows: c.p256, lines: respell(spoof, dotted)}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client with the header as trailer", visit{shows: c.p256, trailer: spoof}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client with the header as announced trailer", visit{shows: c.p256, lines: []string{"Trailer: " + as.header}, trailer: spoof}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client that lists the header in Connection", visit{shows: c.p256, lines: listedAlone}, [5]string{accepted, malformed, missing, accepted, accepted}},
		{"a client that sends the header and lists it in Connection", visit{shows: c.p256, lines: listed}, [5]string{accepted, malformed, missing, accepted, accepted}},
		{"a client with other conventions", visit{shows: c.p256, lines: others(c, as)}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a client with 15 KB in lines of 1 KB", visit{shows: c.p256, lines: filler(15, 1<<10)}, [5]string{accepted, answers400, accepted, accepted, accepted}},
		{"a client with 15 KB in one line", visit{shows: c.p256, lines: filler(1, 15<<10)}, [5]string{answers400, answers400, answers400, accepted, accepted}},
		{"a client with 14.5 KB in lines of 512 bytes", visit{shows: c.p256, lines: filler(29, 512)}, [5]string{accepted, answers500, accepted, accepted, accepted}},

		{"a client with HTTP/2", visit{shows: c.p256, http2: true}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"no certificate, with HTTP/2 and the header", visit{lines: spoof, http2: true}, [5]string{missing, missing, missing, malformed, missing}},
		{"a client with HTTP/2 and the header", visit{shows: c.rsa, lines: spoof, http2: true}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"a self-signed certificate with HTTP/2", visit{shows: c.selfSigned, http2: true}, [5]string{answers400, noHandshake, noHandshake, noHandshake, noHandshake}},
	}
}

// others writes the victim's certificate in the form of every other front end.
func others(c *cast, as convention) []string {
	var lines []string
	for _, name := range []string{"X-ARR-ClientCert", "X-Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Client-Cert"} {
		if http.CanonicalHeaderKey(name) != http.CanonicalHeaderKey(as.header) {
			lines = append(lines, name+": "+c.victim.Base64())
		}
	}
	return append(lines, "Client-Cert: :"+c.victim.Base64()+":", "ssl-client-cert: "+escapedPEM(c.victim), "ssl-client-verify: SUCCESS")
}

// filler returns n header lines of the given size.
func filler(n, size int) []string {
	var lines []string
	for i := range n {
		name := fmt.Sprintf("X-Filler-%d: ", i)
		lines = append(lines, name+strings.Repeat("f", size-len(name)))
	}
	return lines
}
