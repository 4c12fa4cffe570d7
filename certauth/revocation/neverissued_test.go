package revocation_test

import (
	"testing"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K100: to a responder that answers revoked for a certificate that the CA never issued, a hold
// since January 1, 1970 means that (RFC 6960, section 2.2). No list contains such a certificate, so a
// newer list without it is no reason to accept it. The responder itself may have learned of it late.
func TestChecker_NoListClearsACertificateThatWasNeverIssued(t *testing.T) {
	for name, c := range map[string]struct {
		since time.Time
		want  certauth.RevocationStatus
	}{
		"never issued": {time.Unix(0, 0), isRevoked},
		"on hold":      {now.Add(-day), isGood},
	} {
		for order, config := range map[string]func(*revocation.Config){"OCSP first": sources(revocation.PreferOCSP), "lists first": sources(revocation.PreferCRL)} {
			inBubble(t, name+", "+order, func(t *testing.T) {
				w := wire(t)
				w.net.serve(crlURL, failing(revocation.ErrTransport))
				w.net.serve(ocspURL, w.dated(t, revokedAt(c.since, onHold), now.Add(-time.Minute), now.Add(day)))
				checker := w.checker(t, leafOnly, config, func(c *revocation.Config) {
					c.Lists, c.Issuers = []revocation.List{{URL: crlURL}}, certs(w.ca)
				})
				w.says(t, checker, w.client, isRevoked, nil)

				w.clock.advance(10 * time.Minute)
				w.net.serve(crlURL, body(encode(t, w.listAt(w.clock.now().Add(-time.Minute), w.clock.now().Add(day)))))
				_ = checker.Refresh(t.Context())
				w.says(t, checker, w.client, c.want, nil)

				w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, w.clock.now(), w.clock.now().Add(day)))
				_ = checker.Refresh(t.Context())
				w.says(t, checker, w.client, isGood, nil)
			})
		}
	}
}
