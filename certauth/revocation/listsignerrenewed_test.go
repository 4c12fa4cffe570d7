package revocation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// finding K78: the renewed certificate of a key that signs a CA's lists was ignored because the key was
// known, and so was a fifth key although the certificates of the others had expired. The lists were
// then refused until the next restart.
func TestListSigner_AKeyIsRenewed(t *testing.T) {
	for name, sameKey := range map[string]bool{"with the same key": true, "with a new key each time": false} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			key := newKey(t)
			checker := w.checker(t, crlOnly)
			for n := range 7 {
				at := w.clock.now()
				if !sameKey {
					key = newKey(t)
				}
				signer := makeCert(t, "Clients CA", key, w.ca, asCA, valid(at.Add(-time.Hour), at.Add(2*day)))
				l := w.listAt(at.Add(-time.Minute), at.Add(day))
				l.Key = key
				w.net.serve(crlURL, body(encode(t, l)))
				found, err := checker.CheckChain(presented.With(t.Context(), certs(signer)), w.chain(w.client))
				require.NoError(t, err, n)
				assert.Equal(t, isGood.String(), found.Status.String(), n)
				w.clock.advance(3 * day)
			}
		})
	}
}
