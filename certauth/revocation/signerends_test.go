package revocation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K77: a list at a distribution point that another key of the CA had signed counted until its
// nextUpdate, even after the certificate of that key had expired (RFC 5280, section 6.3.3 (f): the
// path of the signer must be valid).
func TestListSigner_AFetchedListEndsWithTheCertificateOfItsSigner(t *testing.T) {
	for name, vouched := range map[string]bool{"in Issuers": false, "in Verify.CRLIssuers": true} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(-day), now.Add(time.Hour)))
			signed := func(l ocsptest.List, by *identity) []byte {
				l.Key = by.key
				return encode(t, l)
			}
			w.net.serve(crlURL, body(signed(w.listAt(now.Add(-time.Minute), now.Add(5*day)), signer)))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) {
				if vouched {
					c.Verify.CRLIssuers = certs(signer)
				} else {
					c.Issuers = certs(signer)
				}
			})
			w.says(t, checker, w.client, isGood, nil)
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			w.clock.advance(time.Hour + skew)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(time.Second)
			w.says(t, checker, w.issue(t, "another"), isUnavailable, revocation.ErrNotFresh)
			w.clock.advance(time.Minute)
			w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
			w.net.serve(crlURL, body(signed(w.listAt(w.clock.now(), w.clock.now().Add(5*day)), w.ca)))
			w.clock.advance(10 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
			asked := w.net.count(crlURL)
			w.clock.advance(time.Hour)
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, asked, w.net.count(crlURL))
		})
	}
}

// finding K90: such a list without nextUpdate, which Verify.AllowNoNextUpdate accepts, counted until
// it was thirty days old, because only a nextUpdate was cut at the end of the signer's certificate.
func TestListSigner_AListWithoutNextUpdateEndsWithTheCertificateOfItsSigner(t *testing.T) {
	for name, vouched := range map[string]bool{"in Issuers": false, "in Verify.CRLIssuers": true} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA, valid(now.Add(-day), now.Add(time.Hour)))
			l := w.listAt(now.Add(-time.Minute), now)
			l.NextUpdate, l.Key = nil, signer.key
			w.net.serve(crlURL, body(encode(t, l)))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) {
				c.Verify.AllowNoNextUpdate = true
				if vouched {
					c.Verify.CRLIssuers = certs(signer)
				} else {
					c.Issuers = certs(signer)
				}
			})
			w.says(t, checker, w.client, isGood, nil)
			strict := w.checker(t, crlOnly, func(c *revocation.Config) { c.Issuers, c.Verify.CRLIssuers = certs(signer), certs(signer) })
			w.says(t, strict, w.client, isUnavailable, revocation.ErrNotFresh)
			w.clock.advance(time.Hour + skew)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(time.Second)
			w.says(t, checker, w.client, isUnavailable, revocation.ErrCRLIssuer)
			l.Key = w.ca.key
			w.net.serve(crlURL, body(encode(t, l)))
			w.clock.advance(10 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(20 * day)
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}
