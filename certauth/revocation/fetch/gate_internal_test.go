package revocation

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testGate() *gate {
	return newGate(func() time.Time { return time.Unix(0, 0) }, 1000, func(context.Context, outageChange) {})
}

// finding K3: lists were built one at a time for all CAs, so a big list of one partner held up the
// small list of another.
func TestPartner_BuildsBesideOthers(t *testing.T) {
	g := testGate()
	hostile, honest := g.named("hostile", nil), g.named("honest", nil)
	inside, end := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := hostile.hand.build(t.Context(), func() (*CRL, error) {
			close(inside)
			<-end
			return nil, nil
		})
		ended <- err
	}()
	<-inside
	_, err := honest.hand.build(t.Context(), func() (*CRL, error) { return nil, nil })
	require.NoError(t, err)

	// And one at a time of one partner.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hostile.hand.build(gone, func() (*CRL, error) { return nil, nil })
	assert.ErrorIs(t, err, ErrTimeout)
	close(end)
	require.NoError(t, <-ended)
}

// finding K2: the memory of lists in hand was bounded for a CA, and not for all CAs of a partner.
func TestPartner_ListsInHandAreBounded(t *testing.T) {
	g := testGate()
	hostile := g.named("hostile", nil)
	most := int(hostile.hand.most)
	require.NoError(t, hostile.hand.take(most-10))
	assert.ErrorIs(t, hostile.hand.take(11), ErrBudget)
	require.NoError(t, hostile.hand.take(10))
	require.NoError(t, g.named("honest", nil).hand.take(most))
	hostile.hand.give(20)
	require.NoError(t, hostile.hand.take(20))
}

// finding K20: OCSPTimeout and CRLTimeout could not be raised above two seconds to the first byte.
func TestHTTPFetcher_WaitsForHeadersAsLongAsItIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		options HTTPOptions
		want    time.Duration
	}{
		"by default":            {HTTPOptions{}, DefaultOCSPTimeout},
		"OCSPTimeout":           {HTTPOptions{OCSPTimeout: 20 * time.Second}, 20 * time.Second},
		"CRLTimeout":            {HTTPOptions{CRLTimeout: 40 * time.Second}, 40 * time.Second},
		"shorter ones":          {HTTPOptions{OCSPTimeout: time.Second, CRLTimeout: 2 * time.Second}, DefaultOCSPTimeout},
		"the longer of the two": {HTTPOptions{OCSPTimeout: 10 * time.Second, CRLTimeout: 5 * time.Second}, 10 * time.Second},
	} {
		f, err := NewHTTPFetcher(c.options)
		require.NoError(t, err, name)
		for _, transport := range []http.RoundTripper{f.strict, f.configured} {
			assert.Equal(t, c.want, transport.(*http.Transport).ResponseHeaderTimeout, name)
		}
	}
}
