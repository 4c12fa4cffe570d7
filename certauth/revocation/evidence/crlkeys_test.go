package evidence_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Of a CA's many keys, eight are tried: first those whose identifier the list names, and those
// without one, wherever they are in CRLIssuers.
func TestVerifyCRL_KeysThatTheListNamesAreTriedFirst(t *testing.T) {
	s := newScene(t)
	signed := func(by *identity, cert *x509.Certificate, keyID []byte) (list []byte, o evidence.VerifyOptions) {
		l := s.list()
		l.Key = by.key
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(keyID), ocsptest.CRLNumber(7)}
		o = at(now)
		for i := range 9 {
			identifier := func(c *x509.Certificate) { c.SubjectKeyId = []byte{byte(100 + i)} }
			o.CRLIssuers = append(o.CRLIssuers, makeCert(t, "Clients CA", newKey(t), s.root, asCA, identifier).cert)
		}
		o.CRLIssuers = append(o.CRLIssuers, cert)
		return encode(t, l), o
	}
	newest := makeCert(t, "Clients CA", newKey(t), s.root, asCA)
	nameless := *newest.cert
	nameless.SubjectKeyId = nil
	short := *newest.cert
	short.SubjectKeyId = []byte{7}
	for _, c := range []struct {
		name   string
		cert   *x509.Certificate
		keyID  []byte
		status evidence.Status
		err    error
	}{
		{"the tenth is named", newest.cert, newest.cert.SubjectKeyId, evidence.Good, nil},
		{"the tenth has no identifier", &nameless, newest.cert.SubjectKeyId, evidence.Good, nil},
		{"the tenth is named by one byte", &short, []byte{7}, evidence.Good, nil},
		{"none is named, and the tenth is one too many", newest.cert, []byte("another"), evidence.Unavailable, evidence.ErrBadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, o := signed(newest, c.cert, c.keyID)
			result, err := bothWays(t)(list, s.client.cert, s.ca.cert, o)
			expect(t, result, err, c.status, c.err)
		})
	}
}

// The doc of Lookup: the caller is responsible for knowing the issuer of a certificate if no key
// identifier contradicts. A missing one does not.
func TestCRL_Lookup_AbsentKeyIdentifierContradictsNothing(t *testing.T) {
	s := newScene(t)
	namesake := makeCert(t, "Clients CA", newKey(t), s.root, asCA)
	client := makeCert(t, "client", newKey(t), namesake, asClient).cert
	nameless, noKeyID := *client, *s.ca.cert
	nameless.AuthorityKeyId, noKeyID.SubjectKeyId = nil, nil
	list := encode(t, s.list())
	for _, c := range []struct {
		name   string
		issuer *x509.Certificate
		client *x509.Certificate
		status evidence.Status
		err    error
	}{
		{"both name a key", s.ca.cert, client, evidence.Unavailable, evidence.ErrIssuerMismatch},
		{"the client names none", s.ca.cert, &nameless, evidence.Good, nil},
		{"the issuer has none", &noKeyID, client, evidence.Good, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := evidence.ParseCRL(list, c.issuer, at(now))
			require.NoError(t, err)
			result, err := l.Lookup(c.client, at(now))
			expect(t, result, err, c.status, c.err)
		})
	}
}

// A CRL that no parser made cannot be compared with any other, on either side.
func TestCRL_CheckNewer_ZeroValue(t *testing.T) {
	s := newScene(t)
	list := parse(t, s.ca, encode(t, s.list()))
	for _, pair := range [][2]*evidence.CRL{{list, {}}, {{}, list}, {{}, {}}} {
		assert.ErrorIs(t, pair[0].CheckNewer(pair[1]), evidence.ErrCRLIssuer)
	}
}

// finding K160: a list that another key of the CA had signed no longer accused once the certificate of that key had
// expired, although an expired list does. It is authentic if it was signed before.
func TestVerifyCRL_ARevocationOutlivesTheCertificateOfItsSigner(t *testing.T) {
	s := newScene(t)
	signer := makeCert(t, "Clients CA", newKey(t), s.root, asCA, valid(now.Add(-14*day), now.Add(-skew-time.Second)))
	renewed := makeCert(t, "Clients CA", signer.key, s.root, asCA)
	for name, c := range map[string]struct {
		entry   []ocsptest.Entry
		at      time.Time // thisUpdate
		endless bool
		issuers []*identity
		status  evidence.Status
		stale   bool
		err     error
	}{
		"revoked":                             {[]ocsptest.Entry{entryFor(s.client)}, now.Add(-time.Hour), false, []*identity{signer}, evidence.Unavailable, true, evidence.ErrNotFresh},
		"revoked, without nextUpdate":         {[]ocsptest.Entry{entryFor(s.client)}, now.Add(-time.Hour), true, []*identity{signer}, evidence.Unavailable, true, evidence.ErrNotFresh},
		"revoked, but signed later":           {[]ocsptest.Entry{entryFor(s.client)}, now, false, []*identity{signer}, evidence.Unavailable, false, evidence.ErrCRLIssuer},
		"revoked, the certificate renewed":    {[]ocsptest.Entry{entryFor(s.client)}, now.Add(-time.Hour), false, []*identity{signer, renewed}, evidence.Revoked, false, nil},
		"on hold":                             {[]ocsptest.Entry{entryFor(s.client, ocsptest.ReasonCode(6))}, now.Add(-time.Hour), false, []*identity{signer}, evidence.Unavailable, false, evidence.ErrNotFresh},
		"not listed":                          {nil, now.Add(-time.Hour), false, []*identity{signer}, evidence.Unavailable, false, evidence.ErrNotFresh},
		"not listed, without nextUpdate":      {nil, now.Add(-time.Hour), true, []*identity{signer}, evidence.Unavailable, false, evidence.ErrNotFresh},
		"not listed, the certificate renewed": {nil, now.Add(-time.Hour), false, []*identity{signer, renewed}, evidence.Good, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l := s.list(c.entry...)
			l.ThisUpdate, l.Key = ocsptest.UTCAt(c.at), signer.key
			l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(signer.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
			if c.endless {
				l.NextUpdate = nil
			}
			o := at(now)
			o.AllowNoNextUpdate, o.CRLIssuers = true, certs(c.issuers...)
			result, err := evidence.VerifyCRL(encode(t, l), s.client.cert, s.ca.cert, o)
			expect(t, result, err, c.status, c.err)
			assert.Equal(t, c.stale, result.StaleRevoked)
		})
	}
}
