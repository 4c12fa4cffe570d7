package revocation_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// answering returns the scene's responder with a change in each response.
func (w *wired) answering(t testing.TB, status []byte, change func(revocation.Request, *ocsptest.Response)) handler {
	t.Helper()
	return func(_ context.Context, r revocation.Request) (revocation.Response, error) {
		response := w.answerTo(t, r, status)
		change(r, &response)
		return revocation.Response{Body: encode(t, response)}, nil
	}
}

// dated returns a responder whose answers have these times. A zero nextUpdate is omitted.
func (w *wired) dated(t testing.TB, status []byte, thisUpdate, nextUpdate time.Time) handler {
	t.Helper()
	return w.answering(t, status, func(_ revocation.Request, r *ocsptest.Response) {
		r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(thisUpdate), nil
		if !nextUpdate.IsZero() {
			r.Answers[0].NextUpdate = ocsptest.At(nextUpdate)
		}
	})
}

// refusing answers with only an OCSPResponseStatus.
func refusing(t testing.TB, status byte) handler {
	t.Helper()
	return body(encode(t, ocsptest.Response{Status: status, WithoutBytes: true}))
}

// listAt returns the scene's list, with the given times and a number that grows with thisUpdate, as
// a CA's does.
func (w *wired) listAt(thisUpdate, nextUpdate time.Time, entries ...ocsptest.Entry) ocsptest.List {
	l := w.list(entries...)
	l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(thisUpdate), ocsptest.UTCAt(nextUpdate)
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.ca.cert.SubjectKeyId), ocsptest.CRLNumber(thisUpdate.Unix())}
	return l
}

// inTurn answers the first request with the first handler, and so on; the last one is repeated.
func inTurn(handlers ...handler) handler {
	turn := make(chan int, 1)
	turn <- 0
	return func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
		n := <-turn
		turn <- min(n+1, len(handlers)-1)
		return handlers[n](ctx, r)
	}
}

// byMethod answers GET and POST differently.
func byMethod(get, post handler) handler {
	return func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
		if r.Method == http.MethodGet {
			return get(ctx, r)
		}
		return post(ctx, r)
	}
}

// requests returns all requests in order.
func (n *network) requests() []revocation.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]revocation.Request(nil), n.log...)
}

// says checks what the Checker answers about a certificate now, and waits for the background work
// that this triggers. It is only for use inside a bubble of synctest.
func (w *wired) says(t testing.TB, c *revocation.Checker, about *identity, want certauth.RevocationStatus, why error) certauth.Revocation {
	t.Helper()
	found, err := c.CheckChain(t.Context(), w.chain(about))
	if why == nil {
		require.NoError(t, err)
	} else {
		require.ErrorIs(t, err, why)
	}
	require.Equal(t, want.String(), found.Status.String())
	synctest.Wait()
	return found
}

const (
	isUnavailable = certauth.RevocationUnavailable
	isGood        = certauth.RevocationGood
	isRevoked     = certauth.RevocationRevoked
	isUnknown     = certauth.RevocationUnknown
	isWaived      = certauth.RevocationWaived
)

// inBubble runs the test in a bubble, which also proves that no goroutine is left.
func inBubble(t *testing.T, name string, f func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { bubble.Test(t, f) })
}

func noPoints(c *x509.Certificate) { c.CRLDistributionPoints = nil }
