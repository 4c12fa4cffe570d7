package revocation_test

import (
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K127: RFC 5280, section 6.3.3 (f): the path of a list's issuer is validated too, and that
// includes revocation (NIST PKITS 4.4.21). A list by a key whose certificate is revoked proves
// nothing, because somebody else may have that key.
func TestKin_AListIsRefusedOnceTheCertificateOfItsSignerIsRevoked(t *testing.T) {
	for _, c := range []struct {
		name  string
		entry func(kin *identity) []ocsptest.Entry // of the list of the CA that issued the signer's certificate
		want  certauth.RevocationStatus
	}{
		{"not listed", func(*identity) []ocsptest.Entry { return nil }, isGood},
		{"revoked", func(kin *identity) []ocsptest.Entry { return []ocsptest.Entry{entryFor(kin)} }, isUnavailable},
		{"on hold", func(kin *identity) []ocsptest.Entry { return []ocsptest.Entry{entryFor(kin, ocsptest.ReasonCode(6))} }, isUnavailable},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			kin := makeCert(t, "Clients CA", newKey(t), w.root, asCA, keyUsage(x509.KeyUsageCRLSign))
			about, listed := w.issue(t, "client", noResponder), w.issue(t, "listed", noResponder)
			byKin, byRoot := encode(t, w.signedBy(kin, entryFor(listed))), encode(t, w.rootList(c.entry(kin)...))

			dir := t.TempDir()
			write(t, filepath.Join(dir, "clients.crl"), byKin)
			write(t, filepath.Join(dir, "root.crl"), encode(t, w.rootList()))
			checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Issuers = certs(w.ca, kin, w.root) })
			found, _ := checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, isGood.String(), found.Status.String(), "the signer is not revoked yet")
			write(t, filepath.Join(dir, "root.crl"), byRoot)
			w.clock.advance(2 * time.Minute)
			w.nudge(t, checker)
			found, err := checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "both in a directory")
			if c.want != isGood {
				assert.ErrorContains(t, err, "the certificate of the key that signed it is revoked")
			}
			found, _ = checker.CheckChain(t.Context(), w.chain(listed))
			assert.Equal(t, isRevoked.String(), found.Status.String(), "both in a directory: one more revocation lets nobody in")

			w.net.serve(crlURL, body(byKin))
			w.net.serve(rootsURL, body(byRoot))
			checker = w.checker(t, sources(revocation.CRLOnly), func(c *revocation.Config) { c.Issuers = certs(kin) })
			found, _ = checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "both fetched")
			w.clock.advance(time.Second)
			found, err = checker.CheckChain(t.Context(), w.chain(about))
			assert.Equal(t, c.want.String(), found.Status.String(), "both in memory")
			if c.want != isGood {
				assert.ErrorContains(t, err, "the certificate of the key that signed it is revoked")
			}
			found, _ = checker.CheckChain(t.Context(), w.chain(listed))
			assert.Equal(t, isRevoked.String(), found.Status.String(), "both in memory: what the list says against a certificate counts")
		})
	}
}
