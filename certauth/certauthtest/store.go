package certauthtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// storeTTL bounds the lifetime of the values that CheckStore sets, and storeAdvance exceeds
	// it.
	storeTTL, storeAdvance = 10 * time.Second, 11 * time.Second

	// storeCallLimit bounds each call of a store.
	storeCallLimit = 30 * time.Second
)

// EvidenceStore is identical to revocation.Store. This package does not import revocation, so
// that tests of the packages below it can use this package.
type EvidenceStore interface {
	Get(ctx context.Context, key string) (der []byte, ok bool, err error)
	Set(ctx context.Context, key string, der []byte, ttl time.Duration) error
}

// CheckStore checks that a revocation.Store fulfills its contract: a value that was set is found
// again, byte for byte and by other instances; it is replaced as a whole; it is gone after its
// time to live; calls end with their context; concurrent use is safe. The test fails at the first
// violation.
//
// open returns the store as another instance of the service would open it: values set through one
// must be found through the next. For a store in memory, open may return the same value each
// time. advance makes the store behave as if the duration had passed: by setting its clock, by
// shortening the lives of its values, or by waiting. It is called twice with 11 seconds, from the
// goroutine of the caller.
//
// Every run uses its own keys, so the store need not be empty. The values that remain expire
// within an hour.
func CheckStore[S EvidenceStore](tb TB, open func() S, advance func(time.Duration)) {
	tb.Helper()
	if open == nil || advance == nil {
		tb.Fatalf("certauthtest: CheckStore needs open and advance")
	}
	c := &storeCheck{tb: tb, one: open(), other: open(), advance: advance, run: strings.ToLower(rand.Text())}
	c.values()
	c.expiry()
	c.concurrency()
	c.contexts()
}

// storeCheck is one run over two instances of a store.
type storeCheck struct {
	tb         TB
	one, other EvidenceStore
	advance    func(time.Duration)
	run        string
}

func (c *storeCheck) fail(format string, args ...any) {
	c.tb.Helper()
	c.tb.Fatalf("certauthtest: store: "+format, args...)
}

// key returns a key that is unique to this run.
func (c *storeCheck) key(name string) string { return "check-" + c.run + "-" + name }

func (c *storeCheck) set(name string, value []byte, ttl time.Duration) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	if err := c.one.Set(ctx, c.key(name), value, ttl); err != nil {
		c.fail("Set: %v", err)
	}
}

// want reads the value through both instances.
func (c *storeCheck) want(what, name string, value []byte) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	for instance, store := range []EvidenceStore{c.one, c.other} {
		got, ok, err := store.Get(ctx, c.key(name))
		switch {
		case err != nil:
			c.fail("%s: Get: %v", what, err)
		case value == nil && ok:
			c.fail("%s: instance %d finds %d bytes, want nothing", what, instance, len(got))
		case value != nil && !ok:
			c.fail("%s: instance %d finds nothing", what, instance)
		case !bytes.Equal(got, value):
			c.fail("%s: instance %d finds %s, want %s", what, instance, brief(got), brief(value))
		}
	}
}

func brief(b []byte) string {
	if len(b) > 16 {
		return fmt.Sprintf("%d bytes %x...", len(b), b[:16])
	}
	return fmt.Sprintf("%d bytes %x", len(b), b)
}

func (c *storeCheck) values() {
	c.tb.Helper()
	c.want("a key that was never set", "never", nil)

	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	large := make([]byte, 1<<20)
	_, _ = rand.Read(large) // never fails
	for _, v := range []struct {
		name  string
		value []byte
	}{
		{"a value", []byte("value")},
		{"a single byte", []byte{0x30}},
		{"every byte", every},
		{"space at the ends", []byte("\r\n\t value\x00value \r\n")},
		{"zeros at the ends", []byte("\x00\x00value\x00")},
		{"bytes that are no text", []byte{0xFF, 0xFE, 0xC3, 0x28, 0x00}},
		{"a mebibyte", large},
	} {
		key := strings.ReplaceAll(v.name, " ", "-")
		c.set(key, v.value, time.Hour)
		c.want(v.name, key, v.value)
	}

	c.set("again", []byte("a longer first value"), time.Hour)
	c.set("again", []byte("second"), time.Hour)
	c.want("a value that was replaced", "again", []byte("second"))

	c.keysApart()
	c.noAliases()
}

// keysApart sets keys that differ only slightly. The longest has 128 bytes.
func (c *storeCheck) keysApart() {
	c.tb.Helper()
	long := strings.Repeat("a", 128-len(c.key("")))
	names := []string{"k", "k-", "-k", "k-1", "k1", "k-10", long, long[1:] + "b", "b" + long[1:]}
	for _, name := range names {
		c.set(name, []byte("value of "+name), time.Hour)
	}
	for _, name := range names {
		c.want("the key "+name, name, []byte("value of "+name))
	}
}

// noAliases changes the values that it passed and the values that it received.
func (c *storeCheck) noAliases() {
	c.tb.Helper()
	value := []byte("not changed")
	c.set("aliases", value, time.Hour)
	value[0] = 'X'
	c.want("a value that its owner changed after Set", "aliases", []byte("not changed"))
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	if got, ok, err := c.one.Get(ctx, c.key("aliases")); ok && err == nil {
		got[0] = 'X'
	}
	c.want("a value that was changed after Get", "aliases", []byte("not changed"))
}

func (c *storeCheck) expiry() {
	c.tb.Helper()
	value, newer := []byte("value"), []byte("newer")
	c.set("short", value, storeTTL)
	c.set("long", value, time.Hour)
	c.set("shortened", value, time.Hour)
	c.set("shortened", newer, storeTTL)
	c.set("prolonged", value, storeTTL)
	c.set("prolonged", newer, time.Hour)
	for name, want := range map[string][]byte{"short": value, "long": value, "shortened": newer, "prolonged": newer} {
		c.want("before its time is over: "+name, name, want)
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	for name, ttl := range map[string]time.Duration{"zero": 0, "negative": -time.Second} {
		_ = c.one.Set(ctx, c.key(name), value, ttl) // an error is acceptable
		c.want("a value whose time to live is "+name, name, nil)
	}
	c.advance(storeAdvance)
	for name, want := range map[string][]byte{"short": nil, "long": value, "shortened": nil, "prolonged": newer, "zero": nil, "negative": nil} {
		c.want("after 11 seconds: "+name, name, want)
	}
	c.set("short", newer, time.Hour)
	c.want("a value set after the last one's time", "short", newer)
}

// concurrency lets both instances write whole values to a few keys. Every reader must find one of
// these values.
func (c *storeCheck) concurrency() {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	const letters, rounds, length = "abcdefgh", 20, 5000
	wrong := make(chan string, len(letters))
	var group sync.WaitGroup
	for writer := range len(letters) {
		store := []EvidenceStore{c.one, c.other}[writer%2]
		group.Go(func() {
			mine := bytes.Repeat([]byte{letters[writer]}, length+writer)
			for round := range rounds {
				key := c.key(fmt.Sprintf("shared-%d", (writer+round)%3))
				if err := store.Set(ctx, key, mine, time.Hour); err != nil {
					wrong <- fmt.Sprintf("Set: %v", err)
					return
				}
				got, ok, err := store.Get(ctx, key)
				if err != nil {
					wrong <- fmt.Sprintf("Get: %v", err)
					return
				}
				if ok && !wholeValue(got, length) {
					wrong <- "finds " + brief(got) + ", which nobody has set"
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case text := <-wrong:
		c.fail("concurrent use: %s", text)
	default:
	}
}

// wholeValue reports whether one writer of concurrency wrote all of the value.
func wholeValue(value []byte, length int) bool {
	return len(value) >= length && len(value) == length+int(value[0]-'a') && !slices.ContainsFunc(value, func(b byte) bool { return b != value[0] })
}

// contexts calls the store with contexts that have ended. The store may return anything, provided
// that it returns and does not return a value that was never set.
func (c *storeCheck) contexts() {
	c.tb.Helper()
	value := []byte("value")
	c.set("contexts", value, time.Hour)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c.returns("Get with a context that has ended", func() string {
		got, ok, err := c.one.Get(ctx, c.key("contexts"))
		if ok && err == nil && !bytes.Equal(got, value) {
			return "finds " + brief(got)
		}
		return ""
	})
	c.returns("Set with a context that has ended", func() string {
		_ = c.one.Set(ctx, c.key("contexts"), value, time.Hour) // an error is acceptable
		return ""
	})
	c.want("after calls with a context that has ended", "contexts", value)
}

// returns fails unless f returns in time and reports no problem.
func (c *storeCheck) returns(what string, f func() string) {
	c.tb.Helper()
	done := make(chan string, 1)
	go func() { done <- f() }()
	limit := time.NewTimer(storeCallLimit)
	defer limit.Stop()
	select {
	case text := <-done:
		if text != "" {
			c.fail("%s: %s", what, text)
		}
	case <-limit.C:
		c.fail("%s has not returned after %v", what, storeCallLimit)
	}
}
