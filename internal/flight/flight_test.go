package flight_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/flight"
)

func TestGroup_CallersWithTheSameKeyShareOneCall(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var g flight.Group[string, int]
		var runs atomic.Int32
		goOn := make(chan struct{})
		var group sync.WaitGroup
		for i := range 40 {
			group.Go(func() {
				key, want := "a", 1
				if i%2 == 1 {
					key, want = "b", 2
				}
				call, first := g.Join(key)
				defer g.Leave(key, call)
				if first {
					runs.Add(1)
					<-goOn
					g.Finish(call, want)
				}
				value, err := g.Wait(t.Context(), call)
				assert.NoError(t, err)
				assert.Equal(t, want, value)
			})
		}
		synctest.Wait()
		assert.Equal(t, 2, g.Len())
		close(goOn)
		group.Wait()
		assert.EqualValues(t, 2, runs.Load())
		assert.Zero(t, g.Len(), "nothing stays")
	})
}

func TestGroup_CallerThatGivesUpStopsNoOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var g flight.Group[int, string]
		ctx, cancel := context.WithCancel(t.Context())
		call, first := g.Join(7)
		require.True(t, first)
		impatient, patient := make(chan error, 1), make(chan string, 1)
		go func() {
			joined, first := g.Join(7)
			assert.False(t, first)
			_, err := g.Wait(ctx, joined)
			g.Leave(7, joined)
			impatient <- err
		}()
		go func() {
			joined, _ := g.Join(7)
			defer g.Leave(7, joined)
			value, _ := g.Wait(t.Context(), joined)
			patient <- value
		}()
		synctest.Wait()
		cancel()
		assert.ErrorIs(t, <-impatient, context.Canceled)
		g.Finish(call, "done")
		assert.Equal(t, "done", <-patient)
		value, err := g.Wait(ctx, call)
		require.NoError(t, err, "an available result is returned even if the context has ended")
		assert.Equal(t, "done", value)
	})
}

func TestGroup_ForgottenKeyStartsANewCall(t *testing.T) {
	var g flight.Group[int, string]
	old, _ := g.Join(7)
	joined, first := g.Join(7)
	require.False(t, first)
	assert.Same(t, old, joined)
	g.Forget(7, old)
	begun, first := g.Join(7)
	assert.True(t, first)
	g.Finish(old, "old")
	g.Leave(7, old)
	g.Leave(7, joined)
	assert.Equal(t, 1, g.Len(), "the end of the old call does not end the new one")
	value, _ := g.Wait(t.Context(), joined)
	assert.Equal(t, "old", value)
	g.Finish(begun, "new")
	late, first := g.Join(7)
	assert.False(t, first, "the result is available while a caller uses it")
	value, _ = g.Wait(t.Context(), late)
	assert.Equal(t, "new", value)
	g.Leave(7, begun)
	g.Leave(7, late)
	assert.Zero(t, g.Len())
}
