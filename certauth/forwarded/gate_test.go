package forwarded_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// wrapped shows the only way to make a Gate of another type: embedding.
type wrapped struct{ forwarded.Gate }

func TestGates_Combine(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	here, elsewhere := forwarded.Peers("10.0.0.0/8"), forwarded.Peers("192.168.0.0/16")
	keyed, anybody := forwarded.SharedSecret("X-Gate", secret), forwarded.InsecureAnyPeer()
	other := forwarded.SharedSecret("x-gate", "another "+secret)
	for _, tc := range []struct {
		name string
		from forwarded.Gate
		want certauth.Reason
	}{
		{"one that opens", here, certauth.ReasonNone},
		{"one that does not", elsewhere, certauth.ReasonSourceUntrusted},
		{"anybody", anybody, certauth.ReasonNone},
		{"every: one, open", forwarded.EveryGate(here), certauth.ReasonNone},
		{"every: one, shut", forwarded.EveryGate(elsewhere), certauth.ReasonSourceUntrusted},
		{"every: both open", forwarded.EveryGate(here, keyed), certauth.ReasonNone},
		{"every: the first shut", forwarded.EveryGate(elsewhere, keyed), certauth.ReasonSourceUntrusted},
		{"every: the last shut", forwarded.EveryGate(keyed, elsewhere), certauth.ReasonSourceUntrusted},
		{"any: one, open", forwarded.AnyGate(here), certauth.ReasonNone},
		{"any: one, shut", forwarded.AnyGate(elsewhere), certauth.ReasonSourceUntrusted},
		{"any: the first open", forwarded.AnyGate(here, elsewhere), certauth.ReasonNone},
		{"any: the last open", forwarded.AnyGate(elsewhere, here), certauth.ReasonNone},
		{"any: all shut", forwarded.AnyGate(elsewhere, forwarded.UnixSocket()), certauth.ReasonSourceUntrusted},
		{"every of any", forwarded.EveryGate(keyed, forwarded.AnyGate(elsewhere, here)), certauth.ReasonNone},
		{"any of every", forwarded.AnyGate(forwarded.EveryGate(here, elsewhere), forwarded.EveryGate(elsewhere, keyed)), certauth.ReasonSourceUntrusted},
		{"wrapped", wrapped{here}, certauth.ReasonNone},

		// finding R35: two front ends could not each have a secret of its own in the same header.
		{"any: each with its secret", forwarded.AnyGate(forwarded.EveryGate(elsewhere, other), forwarded.EveryGate(here, keyed)), certauth.ReasonNone},
		{"any: each with its secret, and one in another header between them", forwarded.AnyGate(other, forwarded.SharedSecret("X-Another", secret), keyed), certauth.ReasonNone},
		{"any: one with the other's secret", forwarded.AnyGate(forwarded.EveryGate(elsewhere, keyed), forwarded.EveryGate(here, other)), certauth.ReasonSourceUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			attempt{source: forwarded.AppService{From: tc.from}, values: values(p.good), change: set("X-Gate", secret), want: tc.want}.run(t, p)
			attempt{source: forwarded.AppService{From: tc.from}, change: set("X-Gate", secret), want: certauth.ReasonCertificateMissing}.run(t, p)
			attempt{source: forwarded.AppService{From: tc.from}, values: values(p.good), change: func(r *http.Request) {
				r.Header.Set("X-Gate", secret)
				delete(r.Header, "X-Arr-Log-Id")
			}, want: certauth.ReasonSourceUntrusted}.run(t, p)
		})
	}
}

// Tools review a configuration by the gates and policies in a gate.
func TestGates_NameTheirParts(t *testing.T) {
	here, socket, pin := forwarded.Peers("10.0.0.0/8"), forwarded.UnixSocket(), certauth.Thumbprints{strings.Repeat("0", 64)}
	for name, tc := range map[string]struct {
		gate  forwarded.Gate
		parts []any
	}{
		"EveryGate":             {forwarded.EveryGate(here, socket), []any{here, socket}},
		"AnyGate":               {forwarded.AnyGate(socket, here), []any{socket, here}},
		"ProxyProtocol":         {forwarded.ProxyProtocol(socket, "10.0.0.0/8"), []any{socket, here}},
		"ProxyCertificate":      {forwarded.ProxyCertificate(pin), []any{pin}},
		"AppServiceCertificate": {forwarded.AppServiceCertificate(pin), []any{pin}},
	} {
		composed, ok := tc.gate.(interface{ Parts() (string, []any) })
		require.True(t, ok, name)
		got, parts := composed.Parts()
		assert.Equal(t, name, got)
		assert.Equal(t, tc.parts, parts, name)
	}
}

// Every mistake is an error of New, with its path.
func TestGates_MistakesAreErrorsOfNew(t *testing.T) {
	p := newPartner(t)
	good := forwarded.Peers("10.0.0.0/8")
	for path, from := range map[string]forwarded.Gate{
		"Peers: empty":                             forwarded.Peers(),
		"Peers[1]: ":                               forwarded.Peers("10.0.0.0/8", "x"),
		"EveryGate: empty":                         forwarded.EveryGate(),
		"AnyGate: empty":                           forwarded.AnyGate(),
		"EveryGate[1]: nil gate":                   forwarded.EveryGate(good, nil),
		"AnyGate[0]: nil gate":                     forwarded.AnyGate((*wrapped)(nil), good),
		"AppService.From: nil gate":                (*wrapped)(nil),
		"AnyGate[1]: EveryGate[0]: AnyGate: empty": forwarded.AnyGate(good, forwarded.EveryGate(forwarded.AnyGate())),
		"AnyGate[1]: InsecureAnyPeer must be":      forwarded.AnyGate(good, forwarded.InsecureAnyPeer()),
		"EveryGate[0]: InsecureAnyPeer must be":    forwarded.EveryGate(wrapped{forwarded.InsecureAnyPeer()}, good),
		"SharedSecret: header is empty":            forwarded.SharedSecret("", secret),
		"SharedSecret: no value":                   forwarded.SharedSecret("X-Gate"),
		"SharedSecret: value 1: ":                  forwarded.SharedSecret("X-Gate", secret, "short"),
		"header name":                              forwarded.SharedSecret("X Gate", secret),
		"ProxyCertificate: ":                       forwarded.ProxyCertificate(nil),
		"AnyGate[1]: ProxyCertificate: ":           forwarded.AnyGate(good, forwarded.ProxyCertificate(certauth.Thumbprints{})),
		"Policy.Thumbprints[0]":                    forwarded.ProxyCertificate(certauth.Thumbprints{"ab"}),
		"Policy.DNSNames":                          forwarded.ProxyCertificate(certauth.DNSNames{"front.example"}),
		"Source: ":                                 wrapped{}, // its method panics, which is an error of New all the same
	} {
		t.Run(path, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: from}, Policy: p.chain()})
			assert.Nil(t, auth)
			assert.ErrorContains(t, err, path)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

// Two mistakes give two lines, both with the whole path.
func TestGates_EveryMistakeHasItsPath(t *testing.T) {
	_, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{From: forwarded.EveryGate(forwarded.Peers("x", "0.0.0.0/0"), forwarded.SharedSecret("", ""))}, Policy: newPartner(t).chain(),
	})
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 5, err)
	assert.Equal(t, "certauth: 4 mistakes in Config:", lines[0])
	for _, line := range lines[1:] {
		assert.Contains(t, line, "Source: AppService.From: EveryGate[")
	}
}

// The start-up text says who is trusted, and never contains the secret.
func TestGates_ArePrinted(t *testing.T) {
	onAppService(t)
	for text, from := range map[string]forwarded.Gate{
		"Peers(10.0.0.0/8, fd00::1/128)":              forwarded.Peers("10.0.0.0/8", "fd00::1"),
		"EveryGate(UnixSocket, SharedSecret(X-Gate))": forwarded.EveryGate(forwarded.UnixSocket(), forwarded.SharedSecret("x-gate", secret)),
		"InsecureAnyPeer":                             forwarded.InsecureAnyPeer(),
	} {
		auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: from}, Policy: newPartner(t).chain()})
		require.NoError(t, err)
		assert.Contains(t, auth.String(), "from "+text)
		assert.NotContains(t, auth.String(), secret)
	}
}

func TestGates_FrontDoorIsPrintedWithItsProfile(t *testing.T) {
	const profile = "11111111-2222-3333-4444-555555555555"
	source := forwarded.FrontDoor{From: forwarded.Peers("10.0.0.0/8"), ProfileID: profile, Format: forwarded.FormatBase64DER}
	auth, err := certauth.New(certauth.Config{Source: source, Policy: newPartner(t).chain()})
	require.NoError(t, err)
	assert.Contains(t, auth.String(), "Front Door "+profile+" by Peers(10.0.0.0/8)")
}

// The refusal of a value that is no certificate names the header that holds it.
func TestRefusal_NamesTheMalformedHeader(t *testing.T) {
	onAppService(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: newPartner(t).chain()})
	require.NoError(t, err)
	_, err = auth.Check(arriving("MIIC!"))
	assert.ErrorIs(t, err, certauth.ReasonCertificateMalformed)
	assert.ErrorContains(t, err, "X-ARR-ClientCert: ")
}

// The arguments of New may change afterwards.
func TestGates_AreCopied(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	prefixes, secrets := []string{"10.0.0.0/8"}, []string{secret}
	gates := []forwarded.Gate{forwarded.Peers(prefixes...), forwarded.SharedSecret("X-Gate", secrets...)}
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.EveryGate(gates...)}, Policy: p.chain()})
	require.NoError(t, err)
	prefixes[0], secrets[0], gates[0], gates[1] = "192.168.0.0/16", "another secret, long enough", forwarded.InsecureAnyPeer(), nil
	r := arriving(p.good)
	r.Header.Set("X-Gate", secret)
	_, err = auth.Check(overSocket(t, r))
	assert.NoError(t, err)
	r.RemoteAddr = "203.0.113.9:1"
	_, err = auth.Check(overSocket(t, r))
	assert.Equal(t, certauth.ReasonSourceUntrusted, reasonOf(err))
}

// The recipe for App Service's health token hashes the empty text if the variable is unset. A shared
// secret must not be empty.
func TestTrust_EmptySharedSecretIsRefused(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for name, list := range map[string][]string{
		"none": nil, "empty": {""}, "empty beside a good one": {secret, ""}, "15 bytes": {strings.Repeat("s", 15)}, "spaces": {strings.Repeat(" ", 32)}, "a space in front": {" " + secret}, "a space after": {secret + " "},
		"a tab": {secret + "\tx"}, "a line end": {secret + "\n"}, "no ASCII": {strings.Repeat("ß", 16)}, "DEL": {secret + "\x7f"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.SharedSecret("X-Gate", list...)}, Policy: p.chain()})
			assert.ErrorContains(t, err, "SharedSecret")
		})
	}
	t.Run("16 bytes", func(t *testing.T) {
		short := strings.Repeat("s", forwarded.MinSecret)
		gate := forwarded.AppService{From: forwarded.SharedSecret("x-gate", short)}
		attempt{source: gate, values: values(p.good), change: set("X-Gate", short)}.run(t, p)
	})
	t.Run("while it rotates", func(t *testing.T) {
		rotating := forwarded.AppService{From: forwarded.SharedSecret("X-Gate", secret, "the next secret of ours")}
		for value, want := range map[string]certauth.Reason{secret: "", "the next secret of ours": "", "": certauth.ReasonSourceUntrusted, secret + "the next secret of ours": certauth.ReasonSourceUntrusted} {
			attempt{source: rotating, values: values(p.good), change: set("X-Gate", value), want: want}.run(t, p)
		}
	})
}
