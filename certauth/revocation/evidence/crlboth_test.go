package evidence_test

import (
	"crypto/x509"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// parseAndLookup is VerifyCRL using the index.
func parseAndLookup(der []byte, cert, issuer *x509.Certificate, o evidence.VerifyOptions) (evidence.Result, error) {
	list, err := evidence.ParseCRL(der, issuer, o)
	if err != nil {
		return evidence.Result{}, err
	}
	return list.Lookup(cert, o)
}

// bothWays is VerifyCRL, which reads the list from beginning to end; the test fails unless the
// index gives the same result.
func bothWays(t testing.TB) verifier {
	t.Helper()
	return func(der []byte, cert, issuer *x509.Certificate, o evidence.VerifyOptions) (evidence.Result, error) {
		result, err := evidence.VerifyCRL(der, cert, issuer, o)
		indexed, indexedErr := parseAndLookup(der, cert, issuer, o)
		agree(t, result, err, indexed, indexedErr)
		return result, err
	}
}

// agree compares everything except what an index does not keep. Certificates that do not belong
// together, and missing ones, are detected at different times.
func agree(t testing.TB, result evidence.Result, err error, indexed evidence.Result, indexedErr error) {
	t.Helper()
	if errors.Is(err, evidence.ErrIssuerMismatch) || errors.Is(err, evidence.ErrArgument) {
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

// kept returns the part of a result that an index knows.
func kept(r evidence.Result) evidence.Result {
	if r.Status == evidence.Revoked {
		r.RevokedAt = time.Time{}
		if r.Reason != evidence.ReasonCertificateHold {
			r.Reason = evidence.ReasonUnspecified
		}
	}
	return r
}
