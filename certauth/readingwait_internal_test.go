package certauth

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Who gives up waiting for what another request reads is refused for that, and has no facts.
func TestReading_WaitEndsWithTheRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, refused := (&reading{done: make(chan struct{})}).wait(ctx)
	assert.Nil(t, f)
	if assert.NotNil(t, refused) {
		assert.Equal(t, ReasonRequestCanceled, refused.Reason)
		assert.ErrorIs(t, refused, context.Canceled)
	}
}
