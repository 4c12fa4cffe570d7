package forwarded_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Neither an address nor a secret declares a TLS client certificate that the sender presents: an
// undeclared one is refused even if several gates admit the sender. finding R33: the hint said that
// the request did not come through the front end, although the gates had admitted the sender.
func TestGates_NeitherAddressNorSecretDeclaresATLSCertificate(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	proxy := certauthtest.NewCA(t, "Infrastructure").Issue(t, "proxy")
	address, shared := forwarded.InsecureRemoteAddr("192.0.2.0/24"), forwarded.SharedSecret("X-Gate", secret)
	declared := forwarded.ProxyCertificate(certauth.Thumbprints{proxy.Thumbprint()})
	for name, tc := range map[string]struct {
		gate forwarded.Gate
		want certauth.Reason // with the proxy's certificate
	}{
		"InsecureRemoteAddr":          {address, certauth.ReasonSourceUntrusted},
		"SharedSecret":                {shared, certauth.ReasonSourceUntrusted},
		"both":                        {forwarded.EveryGate(address, shared), certauth.ReasonSourceUntrusted},
		"one of both":                 {forwarded.AnyGate(address, shared), certauth.ReasonSourceUntrusted},
		"both and the certificate":    {forwarded.EveryGate(address, shared, declared), certauth.ReasonNone},
		"an address or a certificate": {forwarded.AnyGate(address, declared), certauth.ReasonNone},
	} {
		auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: tc.gate}, Policy: p.chain()})
		require.NoError(t, err)
		r := arriving(p.good)
		r.RemoteAddr = "192.0.2.7:4000"
		r.Header["X-Gate"] = []string{secret}
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{proxy.Certificate}}
		_, err = auth.Check(r)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", name, err)
		if refused := (*certauth.Error)(nil); errors.As(err, &refused) {
			assert.Contains(t, refused.Hint, "add ProxyCertificate to From", name)
		}
	}
}

// The doc of SharedSecret: 16 to 4096 bytes, in the configuration and in a request.
func TestSharedSecret_Lengths(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for n, want := range map[int]bool{15: false, 16: true, 4096: true, 4097: false} {
		value := strings.Repeat("s", n)
		auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.SharedSecret("X-Gate", value)}, Policy: p.chain()})
		require.Equal(t, want, err == nil, "%d: %v", n, err)
		if !want {
			continue
		}
		for extra, reason := range map[string]certauth.Reason{"": certauth.ReasonNone, "s": certauth.ReasonSourceUntrusted} {
			r := arriving(p.good)
			r.Header["X-Gate"] = []string{value + extra}
			_, err = auth.Check(r)
			assert.Equal(t, reason, reasonOf(err), "%d: %v", n, err)
		}
	}
}

// Base64 of something else, and base64 where another base64 form is expected, are not taken for the
// form of App Service.
func TestReader_HintOfBase64(t *testing.T) {
	p := newPartner(t)
	const looks = "it looks like base64 of DER"
	good := base64.StdEncoding.EncodeToString(p.client.Certificate.Raw)
	anybody := forwarded.InsecureAnyPeer()
	for name, tc := range map[string]struct {
		source certauth.Source
		header string
		value  string
		want   bool
	}{
		"a certificate for nginx":              {forwarded.Nginx{From: anybody}, "X-Client-Cert", good, true},
		"three digits for nginx":               {forwarded.Nginx{From: anybody}, "X-Client-Cert", "MTIz", false},
		"a certificate without the colons":     {forwarded.RFC9440{From: anybody}, "Client-Cert", good, false},
		"a certificate with noise after the =": {forwarded.Nginx{From: anybody}, "X-Client-Cert", good + "?", false},
	} {
		refused := refusedBy(t, tc.source, p, http.Header{tc.header: {tc.value}, "X-Client-Verify": {"SUCCESS"}})
		assert.Equal(t, certauth.ReasonCertificateMalformed, refused.Reason, name)
		assert.Equal(t, tc.want, strings.Contains(refused.Hint, looks), "%s: %s", name, refused.Hint)
	}
}

// Swapping the header and its value would publish the secret in a log, so a value that is a header
// name is a mistake.
func TestSharedSecret_ValueThatLooksLikeAHeader(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for value, says := range map[string]string{
		"X-Front-Door-Secret":   "check whether header and value are swapped",
		"x-front-door-secret":   "check whether header and value are swapped",
		"x-(not a header) 1234": "",
		"y-front-door-secret":   "",
	} {
		_, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.SharedSecret("X-Gate", value)}, Policy: p.chain()})
		if says == "" {
			assert.NoError(t, err, value)
		} else {
			assert.ErrorContains(t, err, says, value)
		}
	}
}

// If they are swapped the other way round, the text of the mistake does not contain what may be the
// secret.
func TestSharedSecret_MistakeDoesNotShowTheHeader(t *testing.T) {
	onAppService(t)
	for _, header := range []string{"a secret (of 20 bytes)", "correct horse battery staple"} {
		for _, value := range []string{"X-Front-Door-Secret", "Front-Door-Secret"} {
			_, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.SharedSecret(header, value)}, Policy: newPartner(t).chain()})
			require.ErrorContains(t, err, "check whether header and value are swapped")
			assert.NotContains(t, err.Error(), header)
		}
	}
}
