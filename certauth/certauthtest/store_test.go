package certauthtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// memory is a store that fulfills the contract, except for the fault that a test selects.
type memory struct {
	mutex  sync.Mutex
	now    time.Duration
	values map[string]kept
	fault  fault
	end    chan struct{} // closing it ends all calls that hang
}

type kept struct {
	value []byte
	until time.Duration
}

type fault string

func newMemory(f fault) *memory {
	return &memory{values: map[string]kept{}, fault: f, end: make(chan struct{})}
}

func (m *memory) advance(d time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.now += d
}

// Get has most of the faults, each named for what the store does wrong.
func (m *memory) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if m.fault == "Get hangs" && ctx.Err() != nil {
		<-m.end
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.fault == "invents a value when the context has ended" && ctx.Err() != nil {
		return []byte("invented"), true, nil
	}
	found, ok := m.values[key]
	switch {
	case !ok && m.fault == "an error for a miss":
		return nil, false, errors.New("not found")
	case !ok && m.fault == "an empty value for a miss":
		return []byte{}, true, nil
	case ok && m.now >= found.until:
		return nil, false, nil
	case ok && m.fault == "ends values early" && m.now+time.Minute >= found.until:
		return nil, false, nil
	case m.fault == "fails":
		return nil, false, errors.New("down")
	case m.fault == "gives its own bytes away":
		return found.value, ok, nil
	case m.fault == "text only":
		return bytes.Clone(bytes.ToValidUTF8(found.value, nil)), ok, nil
	case m.fault == "trims":
		return bytes.Clone(bytes.TrimSpace(found.value)), ok, nil
	case m.fault == "cuts at 64 KiB":
		return bytes.Clone(found.value[:min(len(found.value), 64<<10)]), ok, nil
	}
	return bytes.Clone(found.value), ok, nil
}

func (m *memory) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	if m.fault == "Set hangs" && ctx.Err() != nil {
		<-m.end
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	old, had := m.values[key]
	switch {
	case m.fault == "cannot set":
		return errors.New("read-only")
	case m.fault == "first value stays" && had:
		return nil
	case m.fault == "first time to live stays" && had:
		m.values[key] = kept{bytes.Clone(der), old.until}
		return nil
	case m.fault == "no time to live is for ever" && ttl <= 0, m.fault == "keeps values for ever" && ttl > 0:
		ttl = 1000 * time.Hour
	case m.fault == "keeps the caller's bytes":
		m.values[key] = kept{der, m.now + ttl}
		return nil
	case m.fault == "keys are cut":
		key = key[:min(len(key), 100)]
	case m.fault == "appends" && had:
		der = append(bytes.Clone(old.value), der...)
	}
	m.values[key] = kept{bytes.Clone(der), m.now + ttl}
	return nil
}

// torn is a store in which one of many writers fails halfway.
type torn struct{ *memory }

func (s torn) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	// Affect only the concurrent writes: the mebibyte is random, and sometimes begins with an a.
	if len(der) >= 5000 && len(der) < 6000 && der[0] == 'a' {
		der = der[:len(der)/2]
	}
	return s.memory.Set(ctx, key, der, ttl)
}

// reporter records its message and ends the check as a test would.
type reporter struct {
	fakeTB
	text string
}

func (r *reporter) Fatalf(format string, args ...any) {
	r.text = fmt.Sprintf(format, args...)
	r.fakeTB.Fatalf(format, args...)
}

// complaint returns what CheckStore reports about the store, or "".
func complaint(open func() revocation.Store, advance func(time.Duration)) (text string) {
	r := &reporter{}
	defer func() {
		text = r.text
		if p := recover(); p != nil && p != (failed{}) {
			panic(p)
		}
	}()
	certauthtest.CheckStore(r, open, advance)
	return ""
}

func TestCheckStore_AcceptsAStoreThatKeepsTheContract(t *testing.T) {
	m := newMemory("")
	assert.Empty(t, complaint(func() revocation.Store { return m }, m.advance))
	assert.Empty(t, complaint(func() revocation.Store { return m }, m.advance), "in a store that is not empty")
}

func TestCheckStore_FindsEachFault(t *testing.T) {
	for f, want := range map[fault]string{
		"an error for a miss":         "never set",
		"an empty value for a miss":   "never set",
		"keeps values for ever":       "after 11 seconds",
		"ends values early":           "before its time is over",
		"fails":                       "Get: down",
		"cannot set":                  "Set: read-only",
		"gives its own bytes away":    "changed after Get",
		"keeps the caller's bytes":    "changed after Set",
		"text only":                   "finds",
		"trims":                       "space at the ends",
		"cuts at 64 KiB":              "a mebibyte",
		"first value stays":           "replaced",
		"first time to live stays":    "after 11 seconds",
		"no time to live is for ever": "time to live is",
		"keys are cut":                "the key",
		"appends":                     "replaced",
		"invents a value when the context has ended": "a context that has ended",
	} {
		t.Run(string(f), func(t *testing.T) {
			m := newMemory(f)
			text := complaint(func() revocation.Store { return m }, m.advance)
			assert.Contains(t, text, "certauthtest: store: ")
			assert.Contains(t, text, want)
		})
	}
}

// CheckStore waits by the clock of the bubble.
func TestCheckStore_FindsWhatHangs(t *testing.T) {
	for _, f := range []fault{"Get hangs", "Set hangs"} {
		t.Run(string(f), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				m := newMemory(f)
				text := complaint(func() revocation.Store { return m }, m.advance)
				close(m.end)
				method, _, _ := strings.Cut(string(f), " ")
				assert.Contains(t, text, method+" with a context that has ended has not returned")
			})
		})
	}
}

func TestCheckStore_FindsATornValue(t *testing.T) {
	m := newMemory("")
	assert.Contains(t, complaint(func() revocation.Store { return torn{m} }, m.advance), "which nobody has set")
}

func TestCheckStore_FindsInstancesThatShareNothing(t *testing.T) {
	assert.Contains(t, complaint(func() revocation.Store { return newMemory("") }, func(time.Duration) {}), "instance 1 finds nothing")
}

func TestCheckStore_NeedsBothFunctions(t *testing.T) {
	m := newMemory("")
	open := func() revocation.Store { return m }
	assert.Contains(t, complaint(nil, m.advance), "needs open and advance")
	assert.Contains(t, complaint(open, nil), "needs open and advance")
	require.NotPanics(t, func() { complaint(open, m.advance) })
}
