package revocation_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// partner is an anchor and a CA, independent of the scene's, with its own responder.
type partner struct {
	*wired
	name string
	root *identity
	ca   *identity
}

func (w *wired) partner(t testing.TB, name string) *partner {
	t.Helper()
	root := makeCert(t, name+" Root", newKey(t), nil, asCA)
	return &partner{wired: w, name: name, root: root, ca: makeCert(t, name+" CA", newKey(t), root, asCA)}
}

func (p *partner) url() string { return "http://ocsp." + p.name + ".example" }

func (p *partner) client(t testing.TB, changes ...change) *identity {
	t.Helper()
	return makeCert(t, "client of "+p.name, newKey(t), p.ca, append([]change{asClient, func(c *x509.Certificate) { c.OCSPServer = []string{p.url()} }}, changes...)...)
}

func (p *partner) chain(of *identity) []*x509.Certificate {
	return []*x509.Certificate{of.cert, p.ca.cert, p.root.cert}
}

// answers returns the partner's responder.
func (p *partner) answers(t testing.TB, status []byte) handler {
	t.Helper()
	return func(_ context.Context, r revocation.Request) (revocation.Response, error) {
		question, at := parseRequest(t, r), p.clock.now()
		response := ocsptest.Response{
			Responder: ocsptest.ByName(p.ca.cert.RawSubject), ProducedAt: ocsptest.At(at.Add(-time.Minute)), Key: p.ca.key,
			Answers: []ocsptest.Answer{{
				ID: ocsptest.IDOf(crypto.SHA1, p.ca.cert, question.SerialNumber), Status: status,
				ThisUpdate: ocsptest.At(at.Add(-time.Hour)), NextUpdate: ocsptest.At(at.Add(23 * time.Hour)),
			}},
		}
		return revocation.Response{Body: encode(t, response)}, nil
	}
}

func (p *partner) check(t testing.TB, c *revocation.Checker, of *identity) (certauth.Revocation, error) {
	t.Helper()
	return c.CheckChain(t.Context(), p.chain(of))
}

// One partner's CRL host hangs. The refreshes for its clients must not prevent those of others, and
// no request that needs evidence may wait behind them.
func TestAttack_HangingHostOfOnePartnerDelaysNobodyElse(t *testing.T) {
	for _, far := range []bool{false, true} {
		inBubble(t, fmt.Sprintf("after the evidence has run out %t", far), func(t *testing.T) {
			w := wire(t)
			hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
			w.net.serve(hostile.url(), hostile.answers(t, ocsptest.StatusGood))
			w.net.serve(honest.url(), honest.answers(t, ocsptest.StatusGood))
			client := honest.client(t)
			checker := w.checker(t, leafOnly)
			var theirs []*identity
			for range 40 {
				theirs = append(theirs, hostile.client(t, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://hang.hostile.example/ca.crl"} }))
				_, err := hostile.check(t, checker, theirs[len(theirs)-1])
				require.NoError(t, err)
			}
			_, err := honest.check(t, checker, client)
			require.NoError(t, err)
			w.clock.advance(2 * time.Hour)
			w.net.serve("http://hang.hostile.example", hanging)
			w.net.serve(hostile.url(), failing(revocation.ErrTransport))
			w.net.serve(honest.url(), honest.answers(t, revokedAt(now, keyCompromise)))
			for _, one := range theirs { // answered from memory, with a refresh each
				_, err := hostile.check(t, checker, one)
				require.NoError(t, err)
			}
			synctest.Wait()
			if far {
				_, err = honest.check(t, checker, client) // triggers its refresh
				require.NoError(t, err)
				w.clock.advance(40 * time.Hour)
			} else {
				_, err = honest.check(t, checker, client)
				require.NoError(t, err)
				synctest.Wait()
			}
			began := time.Now()
			found, err := honest.check(t, checker, client)
			require.NoError(t, err)
			assert.Equal(t, isRevoked.String(), found.Status.String())
			assert.Less(t, time.Since(began), time.Second)
			require.NoError(t, checker.Close())
		})
	}
}
