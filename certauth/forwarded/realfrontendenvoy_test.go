//go:build unix

package forwarded_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// envoyMode holds the values for modes.yaml and two-hops.yaml, in Envoy's own syntax.
type envoyMode struct {
	Forward, Details             string // forward_client_cert_details, set_current_client_cert_details
	SecondForward, SecondDetails string // of the sidecar
	Upstream                     string // http_protocol_options or http2_protocol_options
}

const (
	leafAndChain     = "{cert: true, chain: true}"
	leafAndChainJSON = "{cert: true, chain: true, format: JSON}"
	everything       = "{cert: true, chain: true, subject: true, issuer: true, uri: true, dns: true}"
	everythingJSON   = "{cert: true, chain: true, subject: true, issuer: true, uri: true, dns: true, format: JSON}"
)

func textElement(of *certauthtest.Certificate) string { return asXFCC(of.Certificate) }

func jsonElement(of *certauthtest.Certificate) string {
	return strings.Trim(asXFCCJSON(of.Certificate), "[]")
}

func xfccLines(value string) []string { return []string{xfcc + ": " + value} }

// startEnvoy runs modes.yaml in front of a service with the protocol of the mode.
func startEnvoy(t *testing.T, c *cast, verify string, mode envoyMode) (*app, *running) {
	t.Helper()
	protocols := new(http.Protocols)
	if protocols.SetHTTP1(true); mode.Upstream == "http2_protocol_options" {
		protocols.SetHTTP1(false)
		protocols.SetUnencryptedHTTP2(true)
	} else {
		mode.Upstream = "http_protocol_options"
	}
	a := newAppWith(t, protocols, "tcp", "127.0.0.1:0")
	a.use(t, forwarded.Envoy{From: here}, c.policy())
	return a, envoy.start(t, "modes.yaml", settings{App: a.address, Verify: verify, Envoy: mode}, c)
}

// The effect of each mode of forward_client_cert_details on a client's own header. If an outcome is
// forged, Envoy is in the wrong position: a proxy in this mode must be behind another one.
func TestRealFrontEnds_EnvoyModes(t *testing.T) {
	c := newCast(t)
	exactly, last := forwarded.Envoy{From: here}, forwarded.Envoy{From: here, Hops: 1}
	for _, tc := range []struct {
		mode                                string
		source                              forwarded.Envoy
		client, spoofing, nobody, pretender string
	}{
		{"SANITIZE", exactly, missing, missing, missing, missing},
		{"FORWARD_ONLY", exactly, missing, forged, missing, missing},
		{"ALWAYS_FORWARD_ONLY", exactly, missing, forged, missing, forged},
		{"APPEND_FORWARD", exactly, accepted, malformed, missing, missing},
		{"APPEND_FORWARD", last, accepted, accepted, missing, missing},
		{"SANITIZE_SET", exactly, accepted, accepted, missing, missing},
		{"SANITIZE_SET", last, accepted, accepted, missing, missing},
	} {
		for _, form := range []struct {
			name, details string
			write         func(*certauthtest.Certificate) string
		}{
			{"text", leafAndChain, textElement},
			{"JSON", leafAndChainJSON, func(of *certauthtest.Certificate) string { return "[" + jsonElement(of) + "]" }},
		} {
			for _, upstream := range []string{"http_protocol_options", "http2_protocol_options"} {
				source := tc.source
				source.JSON = form.name == "JSON"
				t.Run(tc.mode+" "+form.name+" hops "+string(rune('0'+source.Hops))+" "+upstream, func(t *testing.T) {
					a, front := startEnvoy(t, c, "VERIFY_TRUST_CHAIN", envoyMode{Forward: tc.mode, Details: form.details, Upstream: upstream})
					a.use(t, source, c.policy())
					spoof := xfccLines(form.write(c.victim))
					for _, http2 := range []bool{false, true} {
						for _, one := range []struct {
							name string
							visit
							want string
						}{
							{"a client", visit{shows: c.p256}, tc.client},
							{"a client with another client's header", visit{shows: c.p256, lines: spoof}, tc.spoofing},
							{"no certificate", visit{}, tc.nobody},
							{"no certificate, with another client's header", visit{lines: spoof}, tc.pretender},
						} {
							one.http2 = http2
							got, told, saw := a.visit(t, c, front, one.visit)
							assert.Equal(t, one.want, got, "%s, HTTP/2 %t: %v, %v", one.name, http2, told.refused, saw.event.Err)
							assert.Equal(t, upstream == "http2_protocol_options", saw.proto == 2)
							assertNothingForged(t, recommendations[6].convention, saw)
						}
					}
				})
			}
		}
	}
}

// The fields from which a certificate can be read. In the text form Envoy does not quote URI and
// DNS, so a client with separators in its names is refused; in JSON it is accepted as itself.
func TestRealFrontEnds_EnvoyFields(t *testing.T) {
	c := newCast(t)
	names := certauthtest.DNS("one.example", "two.example")
	plain := c.issuing.Issue(t, "orders", certauthtest.URI(t, "spiffe://partner.example/a", "spiffe://partner.example/b"), names)
	pair := c.issuing.Issue(t, "orders", certauthtest.URI(t, "spiffe://partner.example/a;b=c/d"), names)
	element := c.issuing.Issue(t, "orders", certauthtest.URI(t, "spiffe://partner.example/a,By="+sidecar+";"+strings.ReplaceAll(textElement(c.victim), `"`, "")))
	quotes := c.issuing.Issue(t, `o"r\de;r,s`, names)
	clients := []*certauthtest.Certificate{c.p256, plain, pair, element, quotes}

	for _, tc := range []struct {
		name, details string
		source        forwarded.Envoy
		want          [5]string // of the clients, in this order
	}{
		{"Hash alone", "{}", forwarded.Envoy{}, [5]string{malformed, malformed, malformed, malformed, malformed}},
		{"Cert", "{cert: true}", forwarded.Envoy{}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"Chain", "{chain: true}", forwarded.Envoy{}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"Cert, Chain, Subject and Issuer", "{cert: true, chain: true, subject: true, issuer: true}", forwarded.Envoy{Hops: 1}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"URI", "{cert: true, uri: true}", forwarded.Envoy{}, [5]string{accepted, accepted, malformed, malformed, accepted}},
		{"URI and a hop", "{cert: true, uri: true}", forwarded.Envoy{Hops: 1}, [5]string{accepted, accepted, malformed, malformed, accepted}},
		{"everything", everything, forwarded.Envoy{}, [5]string{accepted, accepted, malformed, malformed, accepted}},
		{"JSON, Hash alone", "{format: JSON}", forwarded.Envoy{JSON: true}, [5]string{malformed, malformed, malformed, malformed, malformed}},
		{"JSON, Cert", "{cert: true, format: JSON}", forwarded.Envoy{JSON: true}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"JSON, Chain", "{chain: true, format: JSON}", forwarded.Envoy{JSON: true}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"JSON, everything", everythingJSON, forwarded.Envoy{JSON: true}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"JSON, everything and a hop", everythingJSON, forwarded.Envoy{JSON: true, Hops: 1}, [5]string{accepted, accepted, accepted, accepted, accepted}},
		{"JSON, read as text", everythingJSON, forwarded.Envoy{}, [5]string{malformed, malformed, malformed, malformed, malformed}},
		{"text, read as JSON", everything, forwarded.Envoy{JSON: true}, [5]string{malformed, malformed, malformed, malformed, malformed}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, front := startEnvoy(t, c, "VERIFY_TRUST_CHAIN", envoyMode{Forward: "SANITIZE_SET", Details: tc.details})
			tc.source.From = here
			a.use(t, tc.source, c.policy())
			for i, client := range clients {
				got, told, saw := a.visit(t, c, front, visit{shows: client})
				assert.Equal(t, tc.want[i], got, "client %d: %v, %v, %q", i, told.refused, saw.event.Err, saw.arrived[xfcc])
			}
		})
	}
}

// An Envoy that appends uses the form of the header that it received and removes only the last
// bracket. Whatever the client sends, only the client of the handshake is accepted.
func TestRealFrontEnds_EnvoyAppendsToWhateverTheClientSent(t *testing.T) {
	c := newCast(t)
	victim, json := textElement(c.victim), jsonElement(c.victim)
	for _, tc := range []struct {
		name, details      string
		source             forwarded.Envoy
		text, jsons, other string // the outcome for a client that sends one or the other, or neither
	}{
		{"text", leafAndChain, forwarded.Envoy{From: here, Hops: 1}, accepted, malformed, malformed},
		{"JSON", leafAndChainJSON, forwarded.Envoy{From: here, Hops: 1, JSON: true}, malformed, accepted, malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, front := startEnvoy(t, c, "VERIFY_TRUST_CHAIN", envoyMode{Forward: "APPEND_FORWARD", Details: tc.details})
			a.use(t, tc.source, c.policy())
			for _, sent := range []struct{ value, want string }{
				{victim, tc.text},
				{victim + "," + victim, tc.text},
				{"[" + json + "]", tc.jsons},
				{"[" + json + "," + json + "]", tc.jsons},
				{`[{}]`, tc.jsons},
				{"[]", tc.other},
				{"[ ]", tc.other},
				{`[{"hash": "x"}]`, tc.other},
				{"[x]", tc.other},
				{"[[]]", tc.other},
				{"[1]", tc.other},
				{"{}", tc.other},
				{"[" + json + ",]", tc.other},
				{"[" + json, tc.other},
				{"[" + json + "],", tc.other},
				{`[{"subject":"]`, tc.other},
				{`[{"subject":"\]`, tc.other},
				{`[{"uri":[]`, tc.other},
				{`[{"chain":["x"]`, tc.other},
				{`[{"Hash":"x"}]`, tc.other},
				{`[{"hash":"x","hash":"y"}]`, tc.other},
				{`[{"hash":null}]`, tc.other},
				{`Hash="`, tc.other},
				{`Subject="\`, tc.other},
				{",", tc.other},
				{"URI=x", tc.other},
			} {
				got, told, saw := a.visit(t, c, front, visit{shows: c.p256, lines: xfccLines(sent.value)})
				assert.Equal(t, sent.want, got, "%.40s: %v, %v", sent.value, told.refused, saw.event.Err)
			}
		})
	}
}

// A gateway and the service's sidecar, as in a mesh.
func TestRealFrontEnds_EnvoyTwoHops(t *testing.T) {
	c := newCast(t)
	hops := forwarded.Envoy{From: here, Hops: 2, By: []string{sidecar}}
	json := hops
	json.JSON = true
	stranger := hops
	stranger.By = []string{"spiffe://cluster.local/ns/default/sa/other"}
	for _, tc := range []struct {
		name                                string
		mode                                envoyMode
		source                              forwarded.Envoy
		client, spoofing, nobody, pretender string
	}{
		{"the gateway sanitises and the sidecar appends", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain, SecondForward: "APPEND_FORWARD", SecondDetails: leafAndChain}, hops, accepted, accepted, malformed, malformed},
		{"both append, as Istio's do", envoyMode{Forward: "APPEND_FORWARD", Details: leafAndChain, SecondForward: "APPEND_FORWARD", SecondDetails: "{subject: true}"}, hops, accepted, accepted, malformed, malformed},
		{"in JSON", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChainJSON, SecondForward: "APPEND_FORWARD", SecondDetails: everythingJSON}, json, accepted, accepted, malformed, malformed},
		{"the sidecar takes the gateway's form", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChainJSON, SecondForward: "APPEND_FORWARD", SecondDetails: leafAndChain}, json, accepted, accepted, malformed, malformed},
		{"another sidecar is expected", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain, SecondForward: "APPEND_FORWARD", SecondDetails: leafAndChain}, stranger, malformed, malformed, malformed, malformed},
		{"the sidecar passes on what the gateway wrote", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain, SecondForward: "FORWARD_ONLY", SecondDetails: "{}"}, forwarded.Envoy{From: here}, accepted, accepted, missing, missing},
		{"the last element is the gateway's own certificate", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain, SecondForward: "APPEND_FORWARD", SecondDetails: leafAndChain}, forwarded.Envoy{From: here, Hops: 1}, untrusted, untrusted, untrusted, untrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, tc.source, c.policy())
			front := envoy.start(t, "two-hops.yaml", settings{App: a.address, Envoy: tc.mode}, c)
			spoof := xfccLines(textElement(c.victim))
			if tc.source.JSON {
				spoof = xfccLines("[" + jsonElement(c.victim) + "]")
			}
			for _, one := range []struct {
				name string
				visit
				want string
			}{
				{"a client", visit{shows: c.p256}, tc.client},
				{"a client with another client's header", visit{shows: c.p256, lines: spoof}, tc.spoofing},
				{"a client with HTTP/2 and somebody else's header", visit{shows: c.p256, lines: spoof, http2: true}, tc.spoofing},
				{"no certificate", visit{}, tc.nobody},
				{"no certificate, with another client's header", visit{lines: spoof}, tc.pretender},
			} {
				got, told, saw := a.visit(t, c, front, one.visit)
				assert.Equal(t, one.want, got, "%s: %v, %v", one.name, told.refused, saw.event.Err)
			}
		})
	}
}

// Envoy does not report that a certificate was passed on unverified because its configuration says
// so.
func TestRealFrontEnds_EnvoyAcceptsUntrusted(t *testing.T) {
	c := newCast(t)
	a, front := startEnvoy(t, c, "ACCEPT_UNTRUSTED", envoyMode{Forward: "SANITIZE_SET", Details: leafAndChain})
	for _, tc := range []struct {
		name string
		visit
		want string
	}{
		{"a client", visit{shows: c.p256}, accepted},
		{"a self-signed certificate", visit{shows: c.selfSigned}, untrusted},
		{"an unknown CA of the known name", visit{shows: c.unknown}, untrusted},
		{"an expired certificate", visit{shows: c.expired}, expired},
	} {
		got, told, saw := a.visit(t, c, front, tc.visit)
		assert.Equal(t, tc.want, got, "%s: %v, %v", tc.name, told.refused, saw.event.Err)
	}
	_, err := certauth.New(certauth.Config{Source: forwarded.Envoy{From: here}, Policy: certauth.CommonNames{"orders"}})
	require.Error(t, err, "a name without an anchor")
}
