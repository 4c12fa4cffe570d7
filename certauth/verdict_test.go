package certauth_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// CVE-2026-28755 nginx stream, CVE-2026-61699 nebula-mesh: checked, but the result was not used.
func TestRevocation_VerdictReachesTheDecision(t *testing.T) {
	w := newWorld(t)
	for status, want := range map[certauth.RevocationStatus]certauth.Reason{
		certauth.RevocationGood:        certauth.ReasonNone,
		certauth.RevocationRevoked:     certauth.ReasonCertificateRevoked,
		certauth.RevocationUnknown:     certauth.ReasonRevocationUnknown,
		certauth.RevocationUnavailable: certauth.ReasonRevocationUnavailable,
		certauth.RevocationStatus(99):  certauth.ReasonRevocationUnavailable,
	} {
		id, err := judge(t, w.behind(certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: status}, nil}}), w.leaf.Certificate)
		assert.Equal(t, want, reasonOf(err), status)
		assert.Equal(t, want == certauth.ReasonNone, id != nil, status)
	}
}

// gosnowflake: Revoked was lost if something else also failed.
func TestRevocation_RevokedWinsOverErrors(t *testing.T) {
	w := newWorld(t)
	both := answer{certauth.Revocation{Status: certauth.RevocationRevoked}, errors.New("another responder did not answer")}
	_, err := judge(t, w.behind(certauth.NotRevoked{Checker: both}), w.leaf.Certificate)
	assert.Equal(t, certauth.ReasonCertificateRevoked, reasonOf(err))
}
