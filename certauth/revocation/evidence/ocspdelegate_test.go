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

// The authority of a trusted responder ends with its certificate, like that of a delegate.
func TestVerifyOCSP_TrustedRespondersWordEndsWithItsCertificate(t *testing.T) {
	s := newScene(t)
	trusted := makeCert(t, "responder", newKey(t), nil, asDelegate, valid(now.Add(-day), now.Add(time.Hour)))
	o := at(now)
	o.TrustedResponders = []*x509.Certificate{trusted.cert}
	r := s.by(trusted)
	r.Answers[0].NextUpdate = ocsptest.At(now.Add(6 * time.Hour))
	result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
	assert.True(t, trusted.cert.NotAfter.Equal(result.UsableUntil), "%v", result.UsableUntil)
}

// finding C13: a key identifier, of any length, determines the order of candidates; the signature
// decides.
func TestVerifyOCSP_DelegateWhoseKeyIdentifierDiffers(t *testing.T) {
	keyed := func(id ...byte) change { return func(c *x509.Certificate) { c.SubjectKeyId = id } }
	for name, tc := range map[string]struct {
		issuer, named []byte // of the issuer, and in the delegate's certificate
	}{
		"the same":               {[]byte{1, 2}, []byte{1, 2}},
		"one octet each":         {[]byte{1}, []byte{2}},
		"one octet of the first": {[]byte{1}, []byte{1, 2}},
		"one octet of the last":  {[]byte{1, 2}, []byte{1}},
		"the issuer has none":    {nil, []byte{1}},
		"the delegate has none":  {[]byte{1}, nil},
	} {
		s := newScene(t)
		key := s.ca.key
		s.ca = makeCert(t, "Clients CA", key, s.root, asCA, keyed(tc.issuer...))
		if tc.issuer == nil {
			s.ca.cert.SubjectKeyId = nil // x509.CreateCertificate gives every CA one
		}
		as := *s.ca.cert
		as.SubjectKeyId = tc.named
		d := makeCert(t, "responder", newKey(t), &identity{cert: &as, key: key}, asDelegate)
		require.Equal(t, tc.named, d.cert.AuthorityKeyId, name)
		result, err := evidence.VerifyOCSP(encode(t, s.by(d)), s.client.cert, s.ca.cert, at(now))
		require.NoError(t, err, name)
		assert.Equal(t, evidence.Good, result.Status, name)
	}
}

// How a delegate without ocsp-nocheck is checked.
func TestVerifyOCSP_DelegateWithoutNoCheck(t *testing.T) {
	s := newScene(t)
	d := s.delegate(t, noExtras)
	der := encode(t, s.by(d))
	o := at(now)
	o.MaxDelegateLifetime = time.Second
	result, err := evidence.VerifyOCSP(der, s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Unavailable, evidence.ErrDelegateRevocation)
	o.MaxDelegateLifetime = d.cert.NotAfter.Sub(d.cert.NotBefore)
	result, err = evidence.VerifyOCSP(der, s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Good, nil)
	assert.True(t, result.DelegateUnchecked)

	o = at(now)
	o.RequireNoCheck = true
	result, err = evidence.VerifyOCSP(der, s.client.cert, s.ca.cert, o)
	expect(t, result, err, evidence.Unavailable, evidence.ErrDelegateRevocation)
	require.NotErrorIs(t, err, evidence.ErrArgument, "it is the delegate's fault")
}
