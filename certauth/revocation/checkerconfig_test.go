package revocation_test

import (
	"crypto"
	"crypto/x509"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

func TestNew_TellsEveryMistake(t *testing.T) {
	s := newScene(t)
	all := []struct {
		change func(*revocation.Config)
		want   string
	}{
		{func(c *revocation.Config) { c.Mode = 2 }, "Mode: 2"},
		{func(c *revocation.Config) { c.Scope = 2 }, "Scope: 2"},
		{func(c *revocation.Config) { c.Sources = 5 }, "Sources: 5"},
		{func(c *revocation.Config) { c.CertIDHash = crypto.MD5 }, "CertIDHash: MD5"},
		{func(c *revocation.Config) { c.AllowUnknown = true }, "AllowUnknown: needs Mode SoftFail"},
		{func(c *revocation.Config) { c.ShortLived = -1 }, "ShortLived"},
		{func(c *revocation.Config) { c.StaleGrace = -1 }, "StaleGrace"},
		{func(c *revocation.Config) { c.StaleGrace = 24*time.Hour + 1 }, "StaleGrace: 24h0m0.000000001s, want at most 24h0m0s"},
		// finding K68: a bound that is a multiple of it became negative, and every list was refused
		{func(c *revocation.Config) { c.MaxListBytes = math.MaxInt }, "MaxListBytes: "},
		// finding K92: a fetch ended earlier, and as that was not its own timeout, the host was never paused
		{func(c *revocation.Config) { c.Fetcher, c.HTTP.OCSPTimeout = nil, 2*time.Minute }, "HTTP.OCSPTimeout: 2m0s, want less than 2m0s"},
		{func(c *revocation.Config) { c.Fetcher, c.HTTP.CRLTimeout = nil, 10*time.Minute }, "HTTP.CRLTimeout: 10m0s, want less than 2m0s"},
		{func(c *revocation.Config) { c.Verify.Now = now }, "Verify: Now"},
		{func(c *revocation.Config) { c.Verify.Nonce = []byte{1} }, "Verify: Now, Nonce"},
		{func(c *revocation.Config) { c.Verify.TrustedResponders = certs(s.ca) }, "TrustedResponders"},
		{func(c *revocation.Config) { c.Verify.Previous = &revocation.Result{} }, "Previous"},
		{func(c *revocation.Config) { c.Verify.NonceMode = 3 }, "Verify.NonceMode: 3"},
		// finding K112: a signer that could not be parsed was ignored, and the lists that it signs were refused
		{func(c *revocation.Config) { c.Verify.CRLIssuers = []*x509.Certificate{s.ca.cert, nil} }, "Verify.CRLIssuers[1]: nil or empty certificate"},
		{func(c *revocation.Config) { c.Verify.CRLIssuers = []*x509.Certificate{{}} }, "Verify.CRLIssuers[0]: nil or empty certificate"},
		{func(c *revocation.Config) {
			c.Responders = []revocation.Responder{{URL: ocspURL, Trusted: certs(s.other)}}
		}, "Responders[0].Trusted: needs an Issuer"},
		{func(c *revocation.Config) {
			c.Responders = []revocation.Responder{{URL: ocspURL}, {URL: ocspURL, Issuer: s.ca.cert, Trusted: []*x509.Certificate{nil}}}
		}, "Responders[1].Trusted: nil certificate"},
		{func(c *revocation.Config) { c.Lists = []revocation.List{{File: "a"}} }, "Lists: need Issuers"},
		{func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{{}}, certs(s.ca) }, "Lists[0]: 0 of URL, File and Dir are set"},
		{func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{File: "a"}, {File: "a", Dir: "b"}}, certs(s.ca)
		}, "Lists[1]: 2 of URL, File and Dir are set"},
		{func(c *revocation.Config) { c.Issuers = []*x509.Certificate{nil} }, "Issuers[0]: nil or empty"},
		{func(c *revocation.Config) { c.Issuers = []*x509.Certificate{s.ca.cert, {}} }, "Issuers[1]: nil or empty"},
		{func(c *revocation.Config) { c.IgnoreCertificateURLs = true }, "IgnoreCertificateURLs: leaves no source"},
		{func(c *revocation.Config) { c.MaxWait = -1 }, "MaxWait: -1ns is negative"},
		{func(c *revocation.Config) { c.PollInterval = -1 }, "PollInterval: -1ns is negative"},
		{func(c *revocation.Config) { c.MaxRecords = -1 }, "MaxRecords: -1 is negative"},
		{func(c *revocation.Config) { c.MaxListMemory = -1 }, "MaxListMemory: -1 is negative"},
		{func(c *revocation.Config) { c.MaxListBytes = -1 }, "MaxListBytes: -1 is negative"},
	}
	for _, one := range all {
		t.Run(one.want, func(t *testing.T) {
			config := revocation.Config{Fetcher: newNetwork()}
			one.change(&config)
			checker, err := revocation.New(config)
			require.ErrorContains(t, err, one.want)
			assert.Nil(t, checker)
		})
	}
	t.Run("all at once, and no worker is started", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			_, err := revocation.New(revocation.Config{
				Mode: 9, Scope: 9, Sources: 9, CertIDHash: 9, MaxWait: -1, MaxRecords: -1, IgnoreCertificateURLs: true,
				Fetcher: newNetwork(),
			})
			for _, want := range []string{"Mode", "Scope", "Sources", "CertIDHash", "MaxWait", "MaxRecords", "IgnoreCertificateURLs"} {
				require.ErrorContains(t, err, want)
			}
		})
	})
	t.Run("the zero value with a Fetcher is fine, and opens nothing", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) { // a worker would outlive the bubble
			net := newNetwork()
			checker, err := revocation.New(revocation.Config{Fetcher: net})
			require.NoError(t, err)
			require.NoError(t, checker.Ready())
			require.NoError(t, checker.Preload(t.Context()))
			assert.Zero(t, net.total())
		})
	})
	t.Run("the Config is copied", func(t *testing.T) {
		w := wire(t)
		issuers, responders := certs(w.ca), []revocation.Responder{{URL: ocspURL}}
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.Issuers, c.Responders = issuers, responders })
		issuers[0], responders[0].URL = nil, "http://elsewhere.example"
		_, err := w.check(t, checker)
		require.NoError(t, err)
		assert.Zero(t, w.net.count(""), "elsewhere")
	})
}

// finding K39: Verify.CRLIssuers was not copied with the Config, so a caller that reused its slice changed which certificates may
// sign lists.
func TestChecker_CopiesTheSignersOfLists(t *testing.T) {
	w := wire(t)
	signer := makeCert(t, "Clients CA", newKey(t), nil, asCA)
	w.net.serve(crlURL, body(encode(t, w.signedBy(signer))))
	signers := certs(signer)
	checker := w.checker(t, leafOnly, sources(revocation.CRLOnly), func(c *revocation.Config) { c.Verify.CRLIssuers = signers })
	signers[0] = nil
	_, err := w.check(t, checker)
	require.NoError(t, err)
}

// The operator's responders are asked first, and only for their CA.
func TestChecker_RespondersOfTheOperator(t *testing.T) {
	const internal = "http://ocsp.internal.example"
	t.Run("come before those of the certificate, and may be inside", func(t *testing.T) {
		w := wire(t)
		w.net.serve(internal, w.responder(t, ocsptest.StatusGood))
		_, err := w.check(t, w.checker(t, leafOnly, func(c *revocation.Config) { c.Responders = []revocation.Responder{{URL: internal}} }))
		require.NoError(t, err)
		assert.Equal(t, 1, w.net.total())
		assert.Equal(t, 1, w.net.count(internal))
		assert.True(t, w.net.last().Configured)
	})
	t.Run("then those of the certificate, unless they are ignored", func(t *testing.T) {
		for ignore, want := range map[bool]int{false: 2, true: 1} {
			w := wire(t)
			w.net.serve(internal, failing(revocation.ErrTransport))
			_, err := w.check(t, w.checker(t, ocspOnly, func(c *revocation.Config) {
				c.Responders, c.IgnoreCertificateURLs = []revocation.Responder{{URL: internal}}, ignore
			}))
			assert.Equal(t, ignore, err != nil)
			assert.Equal(t, want, w.net.total())
			if !ignore {
				assert.False(t, w.net.last().Configured)
			}
		}
	})
	t.Run("of another CA are not asked", func(t *testing.T) {
		w := wire(t)
		w.net.serve(internal, w.responder(t, ocsptest.StatusGood))
		_, err := w.check(t, w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Responders = []revocation.Responder{{URL: internal, Issuer: w.root.cert}}
		}))
		require.NoError(t, err)
		assert.Zero(t, w.net.count(internal))
	})
	t.Run("a trusted responder signs for its issuer, and at that URL alone", func(t *testing.T) {
		w := wire(t)
		alone := makeCert(t, "our own responder", newKey(t), nil, asDelegate)
		signs := w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) {
			r.Responder, r.Key = ocsptest.ByName(alone.cert.RawSubject), alone.key
		})
		trusting := func(c *revocation.Config) {
			c.Responders = []revocation.Responder{{URL: internal, Issuer: w.ca.cert, Trusted: certs(alone)}}
		}
		w.net.serve(internal, signs)
		_, err := w.check(t, w.checker(t, ocspOnly, trusting))
		require.NoError(t, err)
		w.net.serve(internal, failing(revocation.ErrTransport))
		w.net.serve(ocspURL, signs)
		_, err = w.check(t, w.checker(t, ocspOnly, trusting))
		require.ErrorIs(t, err, evidence.ErrNoSigner, "the URL of the certificate is not the operator's responder")
	})
	inBubble(t, "are asked in order, the next when one fails or after 700 ms", func(t *testing.T) {
		const a, b, c = "http://a.example", "http://b.example", "http://c.example"
		w := wire(t)
		w.net.serve(a, hanging)
		w.net.serve(b, failing(revocation.ErrTransport))
		w.net.serve(c, w.responder(t, ocsptest.StatusGood))
		checker := w.checker(t, ocspOnly, func(config *revocation.Config) {
			config.Responders = []revocation.Responder{{URL: a}, {URL: b}, {URL: c}}
		})
		began := time.Now()
		w.says(t, checker, w.client, isGood, nil)
		assert.Equal(t, 700*time.Millisecond, time.Since(began))
		var order []string
		for _, r := range w.net.requests() {
			order = append(order, r.URL[:len(a)])
		}
		assert.Equal(t, []string{a, b, c}, order)
		assert.Zero(t, w.net.count(ocspURL), "c was enough")
	})
}
