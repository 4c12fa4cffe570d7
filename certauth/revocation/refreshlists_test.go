package revocation_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// finding K98: Refresh counted an attempt for a certificate that had begun after the call but before the
// operator's lists were read, so that it sometimes reported the earlier failure of a list that it had just
// read.
func TestChecker_RefreshReportsNoFailureThatItHasEnded(t *testing.T) {
	for range 200 { // it depends on the order in which goroutines run
		bubble.Test(t, func(t *testing.T) {
			w := wire(t)
			gate := make(chan struct{})
			w.net.serve(crlURL, gated(gate, failing(revocation.ErrTransport)))
			checker := w.operated(t, revocation.List{URL: crlURL}, sources(revocation.CRLOnly))
			checked, refreshed := make(chan error, 1), make(chan error, 1)
			go func() {
				_, err := w.check(t, checker)
				checked <- err
			}()
			synctest.Wait()
			w.net.serve(crlURL, body(encode(t, w.list())))
			go func() { refreshed <- checker.Refresh(t.Context()) }()
			synctest.Wait()
			close(gate)
			<-checked
			require.NoError(t, <-refreshed)
		})
	}
}
