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

// finding K147: a response that calls a certificate permanently revoked counted against it after its nextUpdate,
// but no longer once the certificate of its delegate had expired, which may be sooner. It is authentic if it was
// signed before.
func TestVerifyOCSP_ARevocationOutlivesTheCertificateOfItsResponder(t *testing.T) {
	s := newScene(t)
	over := valid(now.Add(-14*day), now.Add(-skew-time.Second))
	ofCA := s.delegate(t, over)
	ofOthers := makeCert(t, "responder", newKey(t), nil, asDelegate, over)
	for name, c := range map[string]struct {
		by     *identity
		status []byte
		at     time.Time // producedAt
		stale  bool
		want   error
	}{
		"revoked":                                  {ofCA, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1), now.Add(-time.Hour), true, evidence.ErrNotFresh},
		"revoked, by a trusted responder":          {ofOthers, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1), now.Add(-time.Hour), true, evidence.ErrNotFresh},
		"a hold, which may have been lifted since": {ofCA, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 6), now.Add(-time.Hour), false, evidence.ErrResponderNotAuthorized},
		"good":                                   {ofCA, ocsptest.StatusGood, now.Add(-time.Hour), false, evidence.ErrResponderNotAuthorized},
		"good, by a trusted responder":           {ofOthers, ocsptest.StatusGood, now.Add(-time.Hour), false, evidence.ErrResponderNotAuthorized},
		"revoked, but signed later":              {ofCA, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1), now, false, evidence.ErrResponderNotAuthorized},
		"revoked, but signed later by a trusted": {ofOthers, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1), now, false, evidence.ErrResponderNotAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.by(c.by)
			r.ProducedAt, r.Answers[0].Status = ocsptest.At(c.at), c.status
			o := at(now)
			o.TrustedResponders = certs(ofOthers)
			result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
			expect(t, result, err, evidence.Unavailable, c.want)
			require.ErrorIs(t, err, evidence.ErrResponderNotAuthorized)
			assert.Equal(t, c.stale, result.StaleRevoked)
		})
	}
	t.Run("a trusted responder that is not yet valid", func(t *testing.T) {
		trusted := makeCert(t, "responder", newKey(t), nil, asDelegate, valid(now.Add(skew+time.Second), now.Add(day)))
		r, o := s.by(trusted), at(now)
		r.ProducedAt, o.TrustedResponders = ocsptest.At(now.Add(2*time.Second)), certs(trusted) // within skew of the beginning and of now
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Unavailable, evidence.ErrResponderNotAuthorized)
	})
	t.Run("the issuer is that of a chain that was verified", func(t *testing.T) {
		expired := makeCert(t, "Clients CA", s.ca.key, s.root, asCA, over)
		result, err := evidence.VerifyOCSP(encode(t, s.good()), s.client.cert, expired.cert, at(now))
		expect(t, result, err, evidence.Good, nil)
	})
	t.Run("a renewed certificate comes first", func(t *testing.T) {
		renewed := makeCert(t, "responder", ofCA.key, s.ca, asDelegate)
		r := s.by(ofCA)
		r.Certificates = [][]byte{ofCA.cert.Raw, renewed.cert.Raw}
		result, err := evidence.VerifyOCSP(encode(t, r), s.client.cert, s.ca.cert, at(now))
		expect(t, result, err, evidence.Good, nil)

		current := makeCert(t, "responder", newKey(t), nil, asDelegate)
		o := at(now)
		for range 4 {
			o.TrustedResponders = append(o.TrustedResponders, makeCert(t, "responder", newKey(t), nil, asDelegate, over).cert)
		}
		o.TrustedResponders = append([]*x509.Certificate{ofOthers.cert}, append(o.TrustedResponders, current.cert)...)
		result, err = evidence.VerifyOCSP(encode(t, s.by(current)), s.client.cert, s.ca.cert, o)
		expect(t, result, err, evidence.Good, nil)
	})
}
