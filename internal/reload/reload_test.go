package reload_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// The effect of a reload on requests is tested in package certauth. These tests show that the last
// good value stays, that each value has its own number, and that an unchanged digest is not a
// reload.
func TestItem_KeepsTheLastGoodValue(t *testing.T) {
	type report struct {
		path string
		err  error
	}
	var told []report
	m := reload.New(time.Minute, nil, func(path string, err error) { told = append(told, report{path, err}) })
	checks := 0
	m.Check = func(paths []string) {
		assert.Equal(t, []string{"Policy.X"}, paths)
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
	require.NoError(t, m.Reload(t.Context(), true), "an item whose first load failed is not read again")
	assert.Equal(t, 7, *reload.Fixed("x", 7).Get())
}

// The doc of Config.ReloadInterval: 0 means 30 seconds. A clock that goes back by no more than the
// difference between overtaking requests does not cause a reload.
func TestRefresh_WhenItIsTime(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for elapsed, want := range map[time.Duration]bool{
		0: false, 30*time.Second - 1: false, 30 * time.Second: true, time.Hour: true,
		-reload.ClockSlack: false, -reload.ClockSlack - 1: true, -time.Hour: true,
	} {
		bubble.Test(t, func(t *testing.T) {
			m := reload.New(0, func() time.Time { return start }, nil)
			looks := 0
			m.Check = func(paths []string) {
				assert.Empty(t, paths, "the material has not changed")
				looks++
			}
			loads := 0
			_, err := reload.Watch(m, "x", true, func(context.Context, reload.Digest) (int, reload.Digest, error) {
				loads++
				return 0, reload.Digest{}, nil
			})
			require.NoError(t, err)
			m.Refresh(t.Context(), start.Add(elapsed))
			synctest.Wait()
			assert.Equal(t, want, loads == 2, elapsed)
			assert.Equal(t, want, looks == 1, elapsed)
		})
	}
}

// After a quiet night a request waits for the reload, but never longer than 25 milliseconds.
func TestRefresh_WaitsForASlowReloadOnlySoLong(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		start := time.Now()
		m := reload.New(time.Minute, time.Now, nil)
		first := true
		_, err := reload.Watch(m, "x", true, func(ctx context.Context, _ reload.Digest) (int, reload.Digest, error) {
			if !first {
				<-ctx.Done()
			}
			first = false
			return 0, reload.Digest{}, ctx.Err()
		})
		require.NoError(t, err)
		m.Refresh(t.Context(), start.Add(2*time.Minute-1))
		assert.Zero(t, time.Since(start), "a single missed interval is normal")
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
		begun := time.Now()
		m.Refresh(t.Context(), start.Add(time.Hour))
		assert.Equal(t, 25*time.Millisecond, time.Since(begun))
		time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
	})
}

// A reload that changes nothing, fails, hangs, or is left to another one is no news: the material
// is not checked.
func TestReload_WithoutAChangeChecksNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := reload.New(time.Minute, time.Now, nil)
		looks, loads := 0, 0
		m.Check = func([]string) { looks++ }
		var failure error
		hangs := make(chan struct{})
		close(hangs)
		item, err := reload.Watch(m, "x", true, func(context.Context, reload.Digest) (int, reload.Digest, error) {
			loads++
			<-hangs
			return 0, reload.Digest{}, failure
		})
		require.NoError(t, err)
		failure = errors.New("no")
		require.Error(t, m.Reload(t.Context(), true))
		failure = nil
		require.NoError(t, m.Reload(t.Context(), true))

		hangs = make(chan struct{})
		answers := make(chan error, 1)
		go func() { answers <- m.Reload(t.Context(), true) }()
		synctest.Wait()
		require.Equal(t, 4, loads)
		require.NoError(t, m.Reload(t.Context(), false), "it is left to the running reload")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorContains(t, m.Reload(ctx, true), "x: the previous reload is still running")
		require.ErrorContains(t, <-answers, "no answer in time")
		for _, wait := range []bool{false, true} {
			require.ErrorContains(t, m.Reload(t.Context(), wait), "x: the previous reload is still running")
		}
		assert.Equal(t, 4, loads, "one at a time")
		close(hangs)
		synctest.Wait()
		require.NoError(t, m.Reload(t.Context(), true))
		assert.Equal(t, 5, loads)
		assert.Zero(t, looks)
		assert.EqualValues(t, 1, item.Current().Generation)
	})
}

// The running reload may have read the item before it changed, so a caller that waits reads it
// again.
func TestReload_CallerThatWaitsReadsAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := reload.New(time.Minute, time.Now, nil)
		value, goOn := 0, make(chan struct{})
		close(goOn)
		item, err := reload.Watch(m, "x", true, func(context.Context, reload.Digest) (int, reload.Digest, error) {
			read := value
			<-goOn
			return read, reload.Digest{byte(read)}, nil
		})
		require.NoError(t, err)
		value, goOn = 1, make(chan struct{})
		answers := make(chan error, 2)
		for range 2 {
			go func() { answers <- m.Reload(t.Context(), true) }()
			synctest.Wait()
		}
		value = 2
		close(goOn)
		require.NoError(t, <-answers)
		require.NoError(t, <-answers)
		assert.Equal(t, 2, *item.Get())
	})
}

// finding N172: that an item can be read again was not reported if it is the one in use, as after a rollback.
func TestReload_TheFirstSuccessAfterAFailureIsReported(t *testing.T) {
	var told []string
	looks := 0
	m := reload.New(time.Minute, nil, func(path string, err error) { told = append(told, fmt.Sprintf("%s: %v", path, err)) })
	m.Check = func([]string) { looks++ }
	failure := error(nil)
	item, err := reload.Watch(m, "x", true, func(context.Context, reload.Digest) (string, reload.Digest, error) {
		return "", reload.Digest{}, failure
	})
	require.NoError(t, err)
	const failed, succeeded = "x: no such file (the last good set stays in use)", "x: <nil>"
	for _, now := range []error{nil, errors.New("no such file"), errors.New("no such file"), nil, nil, errors.New("no such file"), nil} {
		failure = now
		_ = m.Reload(t.Context(), true)
	}
	assert.Equal(t, []string{failed, failed, succeeded, failed, succeeded}, told)
	assert.Zero(t, looks, "the material has not changed")
	assert.EqualValues(t, 1, item.Current().Generation, "facts about the same set stay valid")
}

// A hook that reloads after every failed reload called itself without end.
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
	assert.Equal(t, 2, told, "the next reload must report again")
}

// finding P9: a value that a function returned after the wait for it had ended came into use without
// a report: the failure was reported, saying that the last good set stays in use, but the change was
// not.
func TestReload_LateValueIsReported(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var told []string
		m := reload.New(time.Minute, nil, func(path string, err error) { told = append(told, fmt.Sprintf("%s: %v", path, err)) })
		looks := 0
		m.Check = func(paths []string) {
			assert.Equal(t, []string{"x"}, paths)
			looks++
		}
		value, hangs, failure := 0, make(chan struct{}), error(nil)
		close(hangs)
		item, err := reload.Watch(m, "x", true, func(context.Context, reload.Digest) (int, reload.Digest, error) {
			<-hangs
			return value, reload.Digest{byte(value)}, failure
		})
		require.NoError(t, err)
		for _, row := range []struct {
			value int
			err   error
			want  []string
			looks int
		}{
			{1, nil, []string{"x: <nil>"}, 1},
			{1, nil, []string{"x: <nil>"}, 0}, // nothing new, but the failure was reported
			{2, errors.New("no"), nil, 0},
		} {
			told, looks = nil, 0
			value, failure, hangs = row.value, row.err, make(chan struct{})
			require.ErrorContains(t, m.Reload(t.Context(), true), "no answer in time")
			require.Len(t, told, 1)
			assert.Contains(t, told[0], "the last good set stays in use")
			assert.Zero(t, looks)
			told = nil
			close(hangs)
			synctest.Wait()
			assert.Equal(t, row.want, told)
			assert.Equal(t, row.looks, looks)
		}
		assert.Equal(t, 1, *item.Get())
	})
}

// A late answer can come while the failure is being reported. Its report must be the last, because
// the failure says that the last good set stays in use.
func TestReload_LateValueIsReportedAfterTheFailure(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var mutex sync.Mutex
		var told []string
		hangs := make(chan struct{})
		m := reload.New(time.Minute, nil, func(path string, err error) {
			outcome := "changed"
			if err != nil {
				outcome = "failed"
				close(hangs)
				time.Sleep(time.Second) //nolint:forbidigo // inside a bubble: the late answer has come by now
			}
			mutex.Lock()
			defer mutex.Unlock()
			told = append(told, path+" "+outcome)
		})
		value := 0
		_, err := reload.Watch(m, "x", true, func(context.Context, reload.Digest) (int, reload.Digest, error) {
			if value > 0 {
				<-hangs
			}
			return value, reload.Digest{byte(value)}, nil
		})
		require.NoError(t, err)
		value = 1
		require.ErrorContains(t, m.Reload(t.Context(), true), "no answer in time")
		synctest.Wait()
		mutex.Lock()
		defer mutex.Unlock()
		assert.Equal(t, []string{"x failed", "x changed"}, told)
	})
}
