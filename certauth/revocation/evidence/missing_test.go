package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// HarperFast/harper #2380: a missing issuer was treated as valid.
func TestRevocation_MissingIssuerIsUnavailable(t *testing.T) {
	s := newScene(t)
	der := encode(t, s.good())
	for name, verify := range map[string]verifier{"OCSP": evidence.VerifyOCSP, "CRL": bothWays(t)} {
		result, err := verify(der, s.client.cert, nil, at(now))
		assert.ErrorIs(t, err, evidence.ErrArgument, name)
		assert.Equal(t, evidence.Result{}, result, name)
	}
}
