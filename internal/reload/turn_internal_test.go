package reload

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding P11: a reload that ended at the moment at which its caller stopped waiting marked the next one as
// late, and a record said "the previous reload is still running" although nothing hung.
func TestTurn_IsLateForItselfAlone(t *testing.T) {
	m := New(0, nil, nil)
	item, err := Watch(m, "x", true, func(context.Context, Digest) (int, Digest, error) { return 0, Digest{}, nil })
	require.NoError(t, err)
	first := item.begin(t.Context(), false)
	require.NotNil(t, first)
	assert.Nil(t, item.begin(t.Context(), false), "one at a time")
	item.end()
	second := item.begin(t.Context(), false)
	require.NotNil(t, second)
	first.late.Store(true)
	assert.False(t, item.overdue())
	second.late.Store(true)
	assert.True(t, item.overdue())
	assert.Nil(t, item.begin(t.Context(), true), "nobody waits for what is late")
	item.end()
	assert.False(t, item.overdue())
}
