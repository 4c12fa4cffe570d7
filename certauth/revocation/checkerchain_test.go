package revocation_test

import (
	"crypto/x509"
	"encoding/asn1"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

var noRevAvail = ocsptest.Extension{OID: asn1.ObjectIdentifier{2, 5, 29, 56}, Value: []byte{5, 0}}

func nowhere(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = nil, nil }

// botan #5785 and notation-core-go: missing evidence was treated as evidence.
func TestRevocation_SilenceIsNotEvidence(t *testing.T) {
	for _, c := range []struct {
		name   string
		change change
		config func(*revocation.Config)
		err    error
	}{
		{"nobody can be reached", func(*x509.Certificate) {}, nil, revocation.ErrTransport},
		{"case 94 no source in the certificate", nowhere, nil, revocation.ErrNoSource},
		{"nobody can be reached, and no source is allowed", func(*x509.Certificate) {}, allowNoSource, revocation.ErrTransport},
		{"sources that may not be used", func(*x509.Certificate) {}, func(c *revocation.Config) {
			c.Responders, c.IgnoreCertificateURLs = []revocation.Responder{{URL: "http://down.internal.example"}}, true
		}, revocation.ErrTransport},
		{"no CRL for CRLOnly", noPoints, sources(revocation.CRLOnly), revocation.ErrNoSource},
		{"no responder for OCSPOnly", func(c *x509.Certificate) { c.OCSPServer = nil }, sources(revocation.OCSPOnly), revocation.ErrNoSource},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			w.outage()
			config := c.config
			if config == nil {
				config = func(*revocation.Config) {}
			}
			checker := w.checker(t, leafOnly, config)
			for range 3 {
				found, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "silent", c.change)))
				require.ErrorIs(t, err, c.err)
				assert.Equal(t, certauth.Revocation{}, found)
				w.clock.advance(10 * time.Minute) // after every pause
			}
		})
	}
}

func allowNoSource(c *revocation.Config) { c.AllowNoSource = true }

// Cases 92 to 94: certificates that are exempt, and those that only claim to be.
func TestChecker_Exemptions(t *testing.T) {
	week := func(c *revocation.Config) { c.ShortLived = 7 * day }
	lives := func(d time.Duration) change { return valid(now.Add(-day), now.Add(-day).Add(d)) }
	for _, c := range []struct {
		name    string
		changes []change
		config  func(*revocation.Config)
		want    certauth.RevocationStatus
		err     error
		why     string
		fetches int
	}{
		{"case 92 noRevAvail", []change{nowhere, extra(noRevAvail)}, nil, isWaived, nil, "noRevAvail", 0},
		{"case 92 noRevAvail beside pointers is checked", []change{extra(noRevAvail)}, nil, isGood, nil, "", 1},
		{"case 92 noRevAvail beside a pointer to LDAP", []change{nowhere, extra(noRevAvail), func(c *x509.Certificate) { c.OCSPServer = []string{"ldap://x"} }}, nil, isUnavailable, revocation.ErrNoSource, "", 0},
		{"case 93 six days, ShortLived off", []change{lives(6 * day)}, nil, isGood, nil, "", 1},
		{"case 93 six days, of seven", []change{lives(6 * day)}, week, isWaived, nil, "short-lived", 0},
		{"case 93 seven days, of seven", []change{lives(7 * day)}, week, isWaived, nil, "short-lived", 0},
		{"case 93 seven days and a second", []change{lives(7*day + time.Second)}, week, isGood, nil, "", 1},
		{"a moment, ShortLived off", []change{valid(now, now)}, nil, isGood, nil, "", 1},
		{"a second, of a second", []change{valid(now, now.Add(time.Second))}, func(c *revocation.Config) { c.ShortLived = time.Second }, isWaived, nil, "short-lived", 0},
		{"case 94 no source", []change{nowhere}, nil, isUnavailable, revocation.ErrNoSource, "", 0},
		{"case 94 no source, allowed", []change{nowhere}, allowNoSource, isWaived, nil, "no source to ask", 0},
		{"case 94 no source, SoftFail", []change{nowhere}, softFail, isWaived, nil, "no source to ask", 0},
		{"ocsp-nocheck is not for clients", []change{nowhere, extra(ocsptest.Extension{OID: ocsptest.OIDNoCheck, Value: []byte{5, 0}})}, nil, isUnavailable, revocation.ErrNoSource, "", 0},
		{"must-staple is not for clients", []change{extra(ocsptest.Extension{OID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}, Value: []byte{0x30, 3, 2, 1, 5}})}, nil, isGood, nil, "", 1},
		{"distribution points that cannot be read, SoftFail", []change{nowhere, extra(ocsptest.Extension{OID: ocsptest.OIDDistributionPoints, Value: []byte{0x30, 0}})}, softFail, isUnavailable, revocation.ErrMalformed, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			config := c.config
			if config == nil {
				config = func(*revocation.Config) {}
			}
			client := w.issue(t, "exempt", c.changes...)
			found, err := w.checker(t, leafOnly, config).CheckChain(t.Context(), w.chain(client))
			if c.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, c.err)
			}
			assert.Equal(t, c.want.String(), found.Status.String())
			assert.Equal(t, c.why, found.Why)
			assert.Equal(t, c.fetches, w.net.total())
		})
	}
	t.Run("case 92 noRevAvail on a CA is checked, and so is a short-lived CA", func(t *testing.T) {
		w := wire(t)
		w.net.serve(rootsURL, failing(revocation.ErrTransport))
		w.ca = makeCert(t, "Clients CA", newKey(t), w.root, asCA, extra(noRevAvail), lives(6*day))
		w.client = w.issue(t, "client")
		_, err := w.check(t, w.checker(t, week))
		require.ErrorIs(t, err, revocation.ErrNoSource)
	})
}

// Cases 98 and 100: invalid arguments are errors, and nothing is fetched for them.
func TestChecker_RefusesWrongArguments(t *testing.T) {
	w := wire(t)
	stranger := makeCert(t, "Another CA", w.ca.key, w.root, asCA)
	long := []*x509.Certificate{w.root.cert}
	for by := w.root; len(long) < 12; {
		by = makeCert(t, "CA below", newKey(t), by, asCA)
		long = append([]*x509.Certificate{by.cert}, long...)
	}
	for _, c := range []struct {
		name  string
		chain []*x509.Certificate
		err   error
	}{
		{"case 100 nil chain", nil, revocation.ErrArgument},
		{"case 100 empty chain", []*x509.Certificate{}, revocation.ErrArgument},
		{"case 100 nil leaf", []*x509.Certificate{nil, w.ca.cert, w.root.cert}, revocation.ErrArgument},
		{"case 100 nil issuer", []*x509.Certificate{w.client.cert, nil}, revocation.ErrArgument},
		{"case 100 nil alone", []*x509.Certificate{nil}, revocation.ErrArgument},
		{"case 100 a certificate of nothing", []*x509.Certificate{{}, w.ca.cert}, revocation.ErrArgument},
		{"case 100 one certificate, its own anchor", []*x509.Certificate{w.root.cert}, revocation.ErrNoSource},
		{"case 98 an issuer of another name and the same key", []*x509.Certificate{w.client.cert, stranger.cert, w.root.cert}, revocation.ErrIssuerMismatch},
		{"case 98 in the wrong order", []*x509.Certificate{w.root.cert, w.ca.cert, w.client.cert}, revocation.ErrIssuerMismatch},
		{"case 100 twelve certificates", long, evidence.ErrLimits},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.net.total()
			for _, change := range []func(*revocation.Config){func(*revocation.Config) {}, softFail} {
				checker := w.checker(t, change)
				found, err := checker.CheckChain(t.Context(), c.chain)
				if c.err == revocation.ErrNoSource && err == nil { //nolint:errorlint // the sentinel of the table
					require.Equal(t, isWaived, found.Status, "SoftFail: no CA above could revoke it")
					continue
				}
				require.ErrorIs(t, err, c.err)
				require.Equal(t, isUnavailable, found.Status)
				_, err = checker.Check(t.Context(), c.chain)
				require.ErrorIs(t, err, c.err)
			}
			if c.err == revocation.ErrArgument || c.err == evidence.ErrLimits { //nolint:errorlint // the sentinel of the table
				assert.Equal(t, before, w.net.total())
			}
		})
	}
	t.Run("case 100 a Checker that New has not made", func(t *testing.T) {
		for name, checker := range map[string]*revocation.Checker{"nil": nil, "zero": {}} {
			require.NotPanics(t, func() {
				found, err := checker.CheckChain(t.Context(), w.chain(w.client))
				require.Error(t, err, name)
				require.Equal(t, isUnavailable, found.Status, name)
				_, err = checker.Check(t.Context(), w.chain(w.client))
				require.Error(t, err, name)
				require.Error(t, checker.Preload(t.Context()), name)
				require.Error(t, checker.Ready(), name)
				require.NoError(t, checker.Close(), name)
				require.Zero(t, checker.Stats().Records, name)
			}, name)
		}
	})
}
