package revocation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K99: the documentation of SoftFail promised that evidence that is too old denies if it says
// revoked. A hold may have been lifted since, so it denies only if it is permanent.
func TestChecker_SoftFailAcceptsWhatOnlyAnExpiredHoldIsAgainst(t *testing.T) {
	for name, c := range map[string]struct {
		reason int
		denies bool
	}{"on hold": {onHold, false}, "revoked": {keyCompromise, true}} {
		for source, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
			inBubble(t, name+", "+source, func(t *testing.T) {
				w := wire(t)
				w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-day), c.reason), now.Add(-day), now.Add(-time.Hour)))
				w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-day), now.Add(-time.Hour), entryFor(w.client, ocsptest.ReasonCode(byte(c.reason)))))))
				found, err := w.check(t, w.checker(t, softFail, config))
				if c.denies {
					require.ErrorContains(t, err, "said revoked")
					return
				}
				require.NoError(t, err)
				require.Equal(t, isWaived, found.Status)
			})
		}
	}
}
