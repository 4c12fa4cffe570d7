package revocation_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

func noResponder(c *x509.Certificate) { c.OCSPServer = nil }

// If a certificate names only one of the two sources, that source is asked: its evidence against
// the certificate counts, whatever is accepted without evidence.
func TestAttack_TheOneSourceThatThereIsIsHeard(t *testing.T) {
	for _, c := range []struct {
		name   string
		change change
		serve  func(*testing.T, *wired, *identity)
	}{
		{"OCSP alone", noPoints, func(t *testing.T, w *wired, _ *identity) {
			w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), keyCompromise)))
		}},
		{"CRL alone", noResponder, func(t *testing.T, w *wired, client *identity) {
			w.net.serve(crlURL, body(encode(t, w.list(entryFor(client)))))
		}},
	} {
		for name, config := range map[string]func(*revocation.Config){"SoftFail": softFail, "AllowNoSource": allowNoSource, "strict": func(*revocation.Config) {}} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				w := wire(t)
				client := w.issue(t, "one source", c.change)
				c.serve(t, w, client)
				found, err := w.checker(t, leafOnly, config).CheckChain(t.Context(), w.chain(client))
				require.NoError(t, err)
				assert.Equal(t, isRevoked.String(), found.Status.String())
			})
		}
	}
}

// AllowNoSource accepts certificates that name no source, and no others.
func TestAttack_AllowNoSourceIsNotForCertificatesThatNameASource(t *testing.T) {
	ignoring := func(c *revocation.Config) {
		c.Responders, c.IgnoreCertificateURLs = []revocation.Responder{{URL: ocspURL}}, true
	}
	for _, c := range []struct {
		name   string
		change change
		config func(*revocation.Config)
	}{
		{"CRLOnly and a responder", noPoints, sources(revocation.CRLOnly)},
		{"OCSPOnly and a list", noResponder, sources(revocation.OCSPOnly)},
		{"IgnoreCertificateURLs and both", func(*x509.Certificate) {}, ignoring},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			anotherCA := makeCert(t, "Another CA", newKey(t), nil, asCA)
			client := w.issue(t, "names somebody", c.change)
			checker := w.checker(t, leafOnly, c.config, allowNoSource, func(config *revocation.Config) {
				for i := range config.Responders {
					config.Responders[i].Issuer = anotherCA.cert
				}
			})
			found, err := checker.CheckChain(t.Context(), w.chain(client))
			require.ErrorIs(t, err, revocation.ErrNoSource)
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		})
	}
}
