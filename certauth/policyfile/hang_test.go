package policyfile_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// openHanging opens a document. From hang on, its cases hang until goOn is called.
func openHanging(t *testing.T) (f *folder, auth *policyfile.Authenticator, reported *events, hang func() (goOn func())) {
	t.Helper()
	f, reported = newFolder(t), &events{}
	hangs := make(chan struct{})
	var hanging atomic.Bool
	auth, err := policyfile.Open(f.write("policy.json", scoped), certauth.Config{Observe: reported.observe, Now: func() time.Time {
		if hanging.Load() && strings.Contains(string(debug.Stack()), "RunCases") {
			<-hangs
		}
		return time.Now()
	}})
	require.NoError(t, err)
	return f, auth, reported, func() func() {
		hanging.Store(true)
		return func() {
			hanging.Store(false)
			close(hangs)
		}
	}
}

// finding P5: while a check of the files hung, as on an unavailable network share, every request
// waited a second for it, and nothing was reported.
func TestHandler_ACheckThatHangsDelaysNoRequestForLongAndIsReported(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f, auth, reported, hang := openHanging(t)
		ask := func() time.Duration {
			begun := time.Now()
			call(auth, http.NotFoundHandler(), "X-Client-Cert", f.clientA.Base64())
			return time.Since(begun)
		}
		f.write("policy.json", scoped+" ")
		goOn := hang()
		time.Sleep(2 * time.Hour) //nolint:forbidigo // the bubble's clock
		assert.Equal(t, time.Second, ask(), "the first request after a pause waits")
		for range 10 {
			time.Sleep(5 * time.Minute) //nolint:forbidigo // the bubble's clock
			assert.Zero(t, ask())
		}
		taken := reported.take()
		require.Len(t, taken, 1, "reported once")
		assert.Equal(t, certauth.Outcome("kept"), taken[0].Outcome)
		assert.ErrorContains(t, taken[0].Err, "has not ended within a minute")

		// finding P29: it was never reported again, however long the share was gone.
		for range 24 {
			time.Sleep(5 * time.Minute) //nolint:forbidigo // the bubble's clock
			assert.Zero(t, ask())
		}
		synctest.Wait()
		taken = reported.take()
		require.Len(t, taken, 2, "once an hour")
		assert.ErrorContains(t, taken[1].Err, "has not ended within a minute")

		goOn()
		synctest.Wait()
		taken = reported.take()
		require.Len(t, taken, 1, "a document that was read so late is not put into use")
		assert.Equal(t, certauth.Outcome("kept"), taken[0].Outcome)
		time.Sleep(30 * time.Second) //nolint:forbidigo // the bubble's clock
		ask()
		synctest.Wait()
		taken = reported.take()
		require.Len(t, taken, 1)
		assert.Equal(t, certauth.Outcome("reloaded"), taken[0].Outcome)
		require.NoError(t, auth.Close())
		synctest.Wait()
	})
}

// finding P131: Open waited without end, so that a service whose share hung at its start reported nothing.
func TestOpen_WaitsNoLongerThanAMinute(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFolder(t)
		path := f.write("policy.json", scoped)
		hangs := make(chan struct{})
		begun := time.Now()
		_, err := policyfile.Open(path, certauth.Config{Now: func() time.Time {
			<-hangs
			return time.Now()
		}})
		require.ErrorContains(t, err, "policy.json\" has not been read in time")
		assert.Equal(t, time.Minute, time.Since(begun))
		close(hangs)
		synctest.Wait()
	})
}

// finding P133: Load waited without end.
func TestLoad_WaitsNoLongerThanAMinute(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFolder(t)
		path := f.write("policy.json", scoped)
		hangs := make(chan struct{})
		begun := time.Now()
		_, err := policyfile.Load(path, certauth.Config{Now: func() time.Time {
			<-hangs
			return time.Now()
		}})
		require.ErrorContains(t, err, "policy.json\" has not been read in time")
		assert.Equal(t, time.Minute, time.Since(begun))
		close(hangs)
		synctest.Wait() // the bubble ends only if the document that nobody wants was closed
		_, err = policyfile.Load(path, certauth.Config{Now: func() time.Time { panic("the clock") }})
		require.ErrorContains(t, err, "panic: the clock")
	})
}

// finding P134: Reload waited without end, whatever its context said, and a later one for as long as its own allowed.
func TestReload_EndsWithItsContextWhileTheFilesHang(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f, auth, reported, hang := openHanging(t)
		f.write("policy.json", scoped+" ")
		goOn := hang()
		for _, want := range []string{"policy.json\" has not been read in time", "another reload is running"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			begun := time.Now()
			err := auth.Reload(ctx)
			cancel()
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Second, time.Since(begun))
		}
		assert.Empty(t, reported.take())
		goOn()
		synctest.Wait()
		taken := reported.take()
		require.Len(t, taken, 1, "what nobody waits for has an event")
		assert.Equal(t, certauth.Outcome("kept"), taken[0].Outcome)
		assert.Contains(t, taken[0].Err.Hint, "the disk or the share")
		require.NoError(t, auth.Reload(t.Context()))
		require.NoError(t, auth.Close())
		synctest.Wait()
	})
}

// finding P132: after a report by a clock that was ahead, a document that stayed broken was not reported again until that
// time had come.
func TestHandler_AReportByAClockThatWasAheadIsNotTheLast(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFolder(t)
		path := f.write("policy.json", scoped)
		var ahead atomic.Int64
		var reported events
		auth, err := policyfile.Open(path, certauth.Config{Observe: reported.observe, Now: func() time.Time {
			return time.Now().Add(time.Duration(ahead.Load()))
		}})
		require.NoError(t, err)
		f.write("policy.json", "{")
		for _, step := range []struct {
			ahead, later time.Duration
			want         int
		}{
			{ahead: 1000 * time.Hour, want: 1},
			{ahead: 0, want: 1},
			{later: 59 * time.Minute, want: 0},
			{later: time.Minute, want: 1},
		} {
			ahead.Store(int64(step.ahead))
			time.Sleep(step.later) //nolint:forbidigo // the bubble's clock
			call(auth, http.NotFoundHandler())
			synctest.Wait()
			assert.Len(t, reported.take(), step.want, step)
		}
		require.NoError(t, auth.Close())
		synctest.Wait()
	})
}

// finding P7: a request that read the clock slightly earlier than another one started a second
// check, as in finding S5.
func TestHandler_ALateRequestBeginsNoCheck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFolder(t)
		path := f.write("policy.json", scoped)
		var behind atomic.Int64
		var reported events
		auth, err := policyfile.Open(path, certauth.Config{Observe: reported.observe, Now: func() time.Time {
			return time.Now().Add(-time.Duration(behind.Load()))
		}})
		require.NoError(t, err)
		f.write("policy.json", "{")
		for back, want := range map[time.Duration]int{time.Microsecond: 0, time.Second: 0} {
			behind.Store(int64(back))
			call(auth, http.NotFoundHandler())
			synctest.Wait()
			assert.Len(t, reported.take(), want, back)
		}
		behind.Store(int64(time.Second) + 1)
		call(auth, http.NotFoundHandler())
		synctest.Wait()
		assert.Len(t, reported.take(), 1, "the clock went back")
		require.NoError(t, auth.Close())
		synctest.Wait()
	})
}

// finding P6: a clock that panicked during the report of a document ended the process.
func TestHandler_AClockThatPanicsInAReportEndsNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		f := newFolder(t)
		path := f.write("policy.json", scoped)
		panics := 0
		auth, err := policyfile.Open(path, certauth.Config{Observe: func(context.Context, certauth.Event) {}, Now: func() time.Time {
			if strings.Contains(string(debug.Stack()), ").report") {
				panics++
				panic("the clock")
			}
			return time.Now()
		}})
		require.NoError(t, err)
		f.write("policy.json", "{")
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
		call(auth, http.NotFoundHandler())
		synctest.Wait()
		assert.Positive(t, panics)
		require.NoError(t, auth.Close())
		synctest.Wait()
	})
}

// finding P24: a clock that panicked while a request was judged ended the process of a service whose
// interceptors call Admit, and the connection otherwise. certauth refuses such a request.
func TestAuthenticator_AClockThatPanicsIsARefusal(t *testing.T) {
	f := newFolder(t)
	var panics atomic.Bool
	auth := open(t, f.write("policy.json", scoped), certauth.Config{Now: func() time.Time {
		if panics.Load() {
			panic("the clock")
		}
		return time.Now()
	}})
	header := f.clientA.Base64()
	request := func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("X-Client-Cert", header)
		return r
	}
	admitted := func() error {
		_, err := auth.Admit(request())
		_, checked := auth.Check(request())
		assert.Equal(t, err == nil, checked == nil)
		return err
	}
	require.NoError(t, admitted())
	panics.Store(true)
	refused, ok := errors.AsType[*certauth.Error](admitted())
	require.True(t, ok)
	assert.Equal(t, certauth.ReasonInternalError, refused.Reason)
	status, _ := call(auth, roles, "X-Client-Cert", header)
	assert.Equal(t, http.StatusUnauthorized, status)
	panics.Store(false)
	require.NoError(t, admitted())
}
