package revocation_test

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// parseAndLookup is VerifyCRL by way of the index.
func parseAndLookup(der []byte, cert, issuer *x509.Certificate, o revocation.VerifyOptions) (revocation.Result, error) {
	list, err := revocation.ParseCRL(der, issuer, o)
	if err != nil {
		return revocation.Result{}, err
	}
	return list.Lookup(cert, o)
}

// bothWays is VerifyCRL, which reads the list from one end to the other; the test fails
// unless the index comes to the same.
func bothWays(t testing.TB) verifier {
	t.Helper()
	return func(der []byte, cert, issuer *x509.Certificate, o revocation.VerifyOptions) (revocation.Result, error) {
		result, err := revocation.VerifyCRL(der, cert, issuer, o)
		indexed, indexedErr := parseAndLookup(der, cert, issuer, o)
		agree(t, result, err, indexed, indexedErr)
		return result, err
	}
}

// agree compares everything but what an index does not keep. Certificates that do not
// belong together, and missing ones, are noticed at different times.
func agree(t testing.TB, result revocation.Result, err error, indexed revocation.Result, indexedErr error) {
	t.Helper()
	if errors.Is(err, revocation.ErrIssuerMismatch) || errors.Is(err, revocation.ErrArgument) {
		assert.Error(t, indexedErr)
	} else if err != nil || indexedErr != nil {
		assert.EqualError(t, indexedErr, errorText(err))
	}
	assert.Equal(t, kept(result), kept(indexed))
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// kept is what an index knows of a result.
func kept(r revocation.Result) revocation.Result {
	if r.Status == revocation.Revoked {
		r.RevokedAt = time.Time{}
		if r.Reason != revocation.ReasonCertificateHold {
			r.Reason = revocation.ReasonUnspecified
		}
	}
	return r
}
