package revocation

import (
	"context"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

func testPartners() (hostile, honest *partner) {
	all := &partners{inHand: 1000}
	hostile = all.of(&x509.Certificate{RawSubject: []byte("hostile")})
	honest = all.of(&x509.Certificate{RawSubject: []byte("honest")})
	return hostile, honest
}

// finding K3: lists were built one at a time for all CAs, so a big list of one partner delayed the
// small list of another.
func TestPartner_BuildsWhileOthersDo(t *testing.T) {
	hostile, honest := testPartners()
	inside, end := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := hostile.budget.build(t.Context(), func() (*evidence.CRL, error) {
			close(inside)
			<-end
			return nil, nil
		})
		ended <- err
	}()
	<-inside
	_, err := honest.budget.build(t.Context(), func() (*evidence.CRL, error) { return nil, nil })
	require.NoError(t, err)

	// And one at a time for one partner.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hostile.budget.build(gone, func() (*evidence.CRL, error) { return nil, nil })
	assert.ErrorIs(t, err, ErrTimeout)
	close(end)
	require.NoError(t, <-ended)
}

// finding K2: the memory of lists that are being processed was bounded per CA, and not for all CAs
// of a partner.
func TestPartner_ListsInHandAreBounded(t *testing.T) {
	hostile, honest := testPartners()
	most := int(hostile.budget.most)
	require.NoError(t, hostile.budget.take(most-10))
	assert.ErrorIs(t, hostile.budget.take(11), ErrBudget)
	require.NoError(t, hostile.budget.take(10))
	require.NoError(t, honest.budget.take(most))
	hostile.budget.give(20)
	require.NoError(t, hostile.budget.take(20))
}

// A list that waits for a slow store prevented other lists of the partner from being read.
func TestPartner_ASlowStoreHoldsOneSmallListApart(t *testing.T) {
	hostile, honest := testPartners()
	assert.False(t, hostile.budget.lend(101, 100), "a big one stays in hand")
	assert.True(t, hostile.budget.lend(100, 100))
	assert.False(t, hostile.budget.lend(1, 100), "one at a time")
	assert.True(t, honest.budget.lend(1, 100))
	hostile.budget.storing.Unlock()
	assert.True(t, hostile.budget.lend(1, 100))
}
