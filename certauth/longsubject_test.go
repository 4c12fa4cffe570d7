package certauth_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding S37: for the event of each refusal the whole subject was formatted and searched for keys, so that anybody with a
// self-made certificate that has a long one cost six milliseconds of processor time and a megabyte for each request, which is
// four hundred times as much as with a short one. Only 256 bytes of it are shown.
func TestLimits_TheEventOfALongSubjectCostsLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	trusted, own := newRoot(t, "CA"), newRoot(t, "Own")
	cost := func(commonName string) (bytes float64, shown string) {
		leaf := own.newClient(t, func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: commonName} }).Certificate
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("own", leaf), Policy: certauth.Chain{Roots: certsFrom(trusted)},
			Observe: func(_ context.Context, e certauth.Event) { shown = e.Certificate.Subject },
		})
		require.NoError(t, err)
		bytes = bytesPerRun(func(n int) {
			for range n / 40 {
				_, err = auth.Admit(request())
			}
		}) * 40
		assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err))
		return bytes, shown
	}
	for name, tc := range map[string]struct{ part, want string }{
		"what may be a key":  {"M-", "CN=" + strings.Repeat("M-", 126) + "M..."},
		"control characters": {"\x01", "CN=" + strings.Repeat(`\\01`, 84) + `\\...`},
	} {
		t.Run(name, func(t *testing.T) {
			bytes, shown := cost(strings.Repeat(tc.part, 15000/len(tc.part)))
			assert.Less(t, bytes, 64e3)
			assert.Equal(t, tc.want, shown)
		})
	}
}

// finding S46: the names of the issuers of unknown certificates, those that were sent along included, were folded whatever
// their length, so that a client with self-made certificates cost three milliseconds of processor time and 700 kilobytes for
// each request over one connection. RFC 5280, appendix A.1: an attribute has at most 64 characters, a few have up to 32768.
func TestLimits_LongNamesOfIssuersCostLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	trusted := newRoot(t, "CA")
	cost := func(name string) float64 {
		own := newRoot(t, name)
		sent := []*x509.Certificate{own.newClient(t).Certificate}
		for range 9 {
			sent = append(sent, own.newCA(t, "Own").Certificate)
		}
		auth, err := certauth.New(certauth.Config{Source: fixedSource("own", sent...), Policy: certauth.Chain{Roots: certsFrom(trusted)}})
		require.NoError(t, err)
		bytes := bytesPerRun(func(n int) {
			for range n / 40 {
				_, err = auth.Check(request())
			}
		}) * 40
		assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err))
		return bytes
	}
	assert.Less(t, cost("Own"), 64e3)
	assert.Less(t, cost(strings.Repeat("\u4e2d ", 3500)), 64e3)
}

// finding S37: the text of the refusal of an unreadable certificate, which hooks read, cost as much for a long name that
// crypto/x509 quotes.
func TestLimits_TheTextAboutALongUnreadableNameCostsLittle(t *testing.T) {
	own := newRoot(t, "Own")
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	san(t, altName(6, "http://a.b/%/"+strings.Repeat("M-", 5000)))(template)
	der, err := x509.CreateCertificate(rand.Reader, template, own.Certificate, own.key.Public(), own.key)
	require.NoError(t, err)
	auth, err := certauth.New(certauth.Config{Source: forwarded.APIManagement{From: forwarded.InsecureAnyPeer()}, Policy: certauth.Chain{Roots: certsFrom(newRoot(t, "CA"))}})
	require.NoError(t, err)
	r := request()
	r.Header.Set("X-Client-Cert", base64.StdEncoding.EncodeToString(der))
	_, err = auth.Check(r)
	require.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
	text := ""
	bytes := bytesPerRun(func(n int) {
		for range n / 40 {
			text = err.Error()
		}
	}) * 40
	assert.Less(t, bytes, 64e3)
	assert.Contains(t, text, `cannot parse URI \"http://a.b/%/M-M-`)
}
