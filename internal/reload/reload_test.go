package reload_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// What requests see of a reload is tested in package certauth. Here: the last good value stays,
// each value has a number of its own, and a digest that did not change is no reload.
func TestItem_KeepsTheLastGoodValue(t *testing.T) {
	type report struct {
		path string
		err  error
	}
	var told []report
	m := reload.New(time.Minute, nil, func(path string, err error) { told = append(told, report{path, err}) })
	checks := 0
	m.Check = func(force bool) {
		assert.True(t, force)
		checks++
	}
	value, failure := "a", error(nil)
	item, err := reload.Watch(m, "Policy.X", true, func(context.Context, reload.Digest) (string, reload.Digest, error) {
		return value, reload.Digest{value[0]}, failure
	})
	require.NoError(t, err)
	assert.Equal(t, "a", *item.Get())
	assert.Equal(t, "Policy.X", item.Path())
	first := item.Current().Generation

	require.NoError(t, m.Reload(t.Context(), true))
	assert.Equal(t, first, item.Current().Generation, "nothing changed")
	assert.Empty(t, told)

	value = "b"
	require.NoError(t, m.Reload(t.Context(), true))
	assert.Equal(t, "b", *item.Get())
	assert.Greater(t, item.Current().Generation, first)
	assert.Equal(t, []report{{"Policy.X", nil}}, told)
	assert.Equal(t, 1, checks)

	value, failure = "c", errors.New("no such file")
	err = m.Reload(t.Context(), true)
	require.ErrorIs(t, err, failure)
	require.ErrorContains(t, err, "Policy.X: no such file (the last good set stays in use)")
	assert.Equal(t, "b", *item.Get())
	require.Len(t, told, 2)
	assert.ErrorIs(t, told[1].err, failure)

	failure = nil
	require.NoError(t, m.Reload(t.Context(), true))
	assert.Equal(t, "c", *item.Get())
}

func TestWatch_WithoutAFirstValueThereIsNone(t *testing.T) {
	m := reload.New(0, nil, nil)
	for name, load := range map[string]func(context.Context, reload.Digest) (int, reload.Digest, error){
		"an error": func(context.Context, reload.Digest) (int, reload.Digest, error) {
			return 7, reload.Digest{1}, errors.New("no")
		},
		"a panic": func(context.Context, reload.Digest) (int, reload.Digest, error) { panic("load") },
	} {
		item, err := reload.Watch(m, "x", true, load)
		require.Error(t, err, name)
		assert.Nil(t, item.Get(), name)
		assert.Nil(t, item.Current(), name)
	}
	require.NoError(t, m.Reload(t.Context(), true), "what has failed at first is not read again")
	assert.Equal(t, 7, *reload.Fixed("x", 7).Get())
}

// A hook that reloads whenever a reload failed did so within itself for ever.
func TestReload_AFailureIsNotToldWithinItsOwnReport(t *testing.T) {
	var m *reload.Material
	told, depth := 0, 0
	m = reload.New(time.Minute, nil, func(string, error) {
		told++
		if depth++; depth < 100 {
			assert.Error(t, m.Reload(t.Context(), true))
		}
		depth--
	})
	failure := error(nil)
	_, err := reload.Watch(m, "Policy.X", true, func(context.Context, reload.Digest) (string, reload.Digest, error) {
		return "", reload.Digest{}, failure
	})
	require.NoError(t, err)
	failure = errors.New("no such file")
	require.Error(t, m.Reload(t.Context(), true))
	assert.Equal(t, 1, told)
	require.Error(t, m.Reload(t.Context(), true))
	assert.Equal(t, 2, told, "the next reload tells again")
}
