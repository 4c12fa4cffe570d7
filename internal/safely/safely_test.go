package safely_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

func TestDo_APanicIsAnErrorOfBoundedText(t *testing.T) {
	value, err := safely.Do(func() (int, error) { return 7, nil })
	require.NoError(t, err)
	assert.Equal(t, 7, value)
	failure := errors.New("no")
	_, err = safely.Do(func() (int, error) { return 0, failure })
	require.ErrorIs(t, err, failure)
	value, err = safely.Do(func() (int, error) { panic("line\none " + strings.Repeat("x", 10_000)) })
	require.ErrorContains(t, err, `panic: line\none `)
	assert.Less(t, len(err.Error()), 600)
	_, err = safely.Do(func() (int, error) { panic(strings.Repeat("x", 512)) })
	require.EqualError(t, err, "panic: "+strings.Repeat("x", 512))
	_, err = safely.Do(func() (int, error) { panic(strings.Repeat("x", 513)) })
	require.EqualError(t, err, "panic: "+strings.Repeat("x", 512)+"...")
	assert.Zero(t, value)
	t.Setenv("GODEBUG", "panicnil=1")
	var nothing atomic.Value
	_, err = safely.Do(func() (int, error) { panic(nothing.Load()) })
	require.EqualError(t, err, "panic: <nil>")
}
