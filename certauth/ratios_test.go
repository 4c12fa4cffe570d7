package certauth_test

import (
	"crypto/x509"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/interleave"
)

// liveBytes is what the process holds while it measures.
const liveBytes = 64 << 20

var reportTo = flag.String("report", "", "measure the ratios and write them to this file")

// TestRatios measures what things cost in relation to one another, in interleaved rounds,
// and writes .github/BENCHMARKS.md:
//
//	go test ./certauth -run TestRatios -report "$PWD/.github/BENCHMARKS.md"
//
// It takes a minute and fails where a limit is passed, so it runs on demand only.
func TestRatios(t *testing.T) {
	if *reportTo == "" {
		t.Skip("asked for with -report")
	}
	live := make([]byte, liveBytes)
	defer runtime.KeepAlive(live)
	var out strings.Builder
	out.WriteString("# Benchmarks\n\nWritten by `go test ./certauth -run TestRatios -report \"$PWD/.github/BENCHMARKS.md\"`. Each number is the median over rounds of the\n" +
		"processor time in relation to the first row of its table, measured in the same round; nothing here is a promise of nanoseconds.\n" +
		"The request has ten headers; the policy is a chain, a key pin and a DNS name; leaf, intermediate and root have keys of one kind.\n" +
		"The process holds 64 MB of live data, as a service does: in the 4 MB of a test the collector comes every few milliseconds and\n" +
		"costs the first row more than all it does itself.\n\n" +
		"A new certificate, by the processor time of commit 70fb6b2 in the same process, 80 rounds of 600 certificates in turn, one CA between\n" +
		"leaf and root: 1.01 (P-256) and 1.00 (RSA 2048) with the CA configured, 1.01 and 1.03 with the CA sent along. At most 1.03.\n")
	of := func(group func(testing.TB, string, int) comparison, kind string, n int) func(testing.TB) comparison {
		return func(tb testing.TB) comparison { //nolint:thelper // it has no line of its own to blame
			return group(tb, kind, n)
		}
	}
	for _, c := range []struct {
		name string
		make func(testing.TB) comparison
	}{
		{"Hit/p256/1", of(hits, "p256", 1)},
		{"Hit/rsa2048/1", of(hits, "rsa2048", 1)},
		{"Hit/p256/1024", of(hits, "p256", 1024)},
		{"Hit/rsa2048/1024", of(hits, "rsa2048", 1024)},
		{"Miss/p256", of(misses, "p256", 64)},
		{"Miss/rsa2048", of(misses, "rsa2048", 64)},
		{"Roots", sameNames},
		{"Chains", chainCounts},
	} {
		t.Run(c.name, func(t *testing.T) { report(t, &out, c.make(t)) }) // one after the other, so that none keeps another's data
	}
	t.Run("Parallel", func(t *testing.T) { reportScaling(t, &out) })
	require.NoError(t, os.WriteFile(*reportTo, []byte(out.String()), 0o600))
}

// report measures one group, writes its table, and fails for each limit that is passed.
func report(t *testing.T, out *strings.Builder, c comparison) {
	t.Helper()
	fmt.Fprintf(out, "\n## %s: %s\n\n| case | ratio | limit |\n|---|---|---|\n", c.name, c.title)
	results := c.measure()
	by := map[string]float64{}
	for _, r := range results {
		by[r.Name] = r.Ratio
		limit, missed := "-", ""
		if most, ok := c.limit[r.Name]; ok {
			limit = fmt.Sprintf("at most %g", most)
			assert.LessOrEqual(t, r.Ratio, most, r.Name)
			if r.Ratio > most {
				missed = " (missed)"
			}
		}
		t.Logf("%-26s %10.0f ns %10.4f  %s", r.Name, r.MinNanoseconds, r.Ratio, limit)
		fmt.Fprintf(out, "| %s | %.*f | %s%s |\n", r.Name, digits(r.Ratio), r.Ratio, limit, missed)
	}
	if strings.HasPrefix(c.name, "Hit/") && strings.HasSuffix(c.name, "/1") {
		times := by["everything by hand"] / by["hit"]
		least := map[bool]float64{true: 350, false: 200}[strings.Contains(c.name, "p256")]
		t.Logf("everything by hand is %.0f hits", times)
		assert.GreaterOrEqual(t, times, least)
		fmt.Fprintf(out, "\nEverything by hand costs as much as %.0f hits (at least %.0f).\n", times, least)
	}
}

// reportScaling measures what two processors get done in relation to one, for a known caller
// and for what every middleware pays. A bare loop says what the machine itself gives.
func reportScaling(t *testing.T, out *strings.Builder) {
	t.Helper()
	b := newBench(t, "p256", 1024)
	auth := b.auth(t)
	serve(t, auth.Handler(http.HandlerFunc(finalWithIdentity)), b.headers...)(6 * len(b.headers))
	spin := func() func(int) {
		return func(n int) {
			sum := uint64(1)
			for range n {
				sum = sum*31 + sum>>7
			}
			sinkSum.Store(sum)
		}
	}
	// Each goroutine ends in a handler of its own: one place that both write to would be all
	// that is measured.
	handler := func(wrap func(http.Handler) http.Handler) func() func(int) {
		return func() func(int) {
			var last *x509.Certificate
			return serve(t, wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if id, ok := certauth.FromContext(r.Context()); ok {
					last = id.Leaf
				}
				runtime.KeepAlive(last)
			})), b.headers...)
		}
	}
	factors := interleave.Scale(rounds, slice,
		interleave.Worker{Name: "a bare loop", New: spin},
		interleave.Worker{Name: "WithContext(WithValue)", New: handler(bare)},
		interleave.Worker{Name: "hit", New: handler(auth.Handler)})
	ratio := factors[2] / factors[1]
	verdict := ""
	switch {
	case factors[0] < 1.7:
		verdict = " (the machine gave no second processor: this says nothing)"
	case ratio < 0.95:
		verdict = " (missed)"
		assert.GreaterOrEqual(t, ratio, 0.95)
	}
	t.Logf("two goroutines get done: bare loop %.2f, WithContext %.2f, hit %.2f; hit to WithContext %.2f%s", factors[0], factors[1], factors[2], ratio, verdict)
	fmt.Fprintf(out, "\n## Parallel: two goroutines in relation to one, one caller of 1024\n\n| case | gets done |\n|---|---|\n"+
		"| a bare loop | %.2f |\n| WithContext(WithValue) | %.2f |\n| hit | %.2f |\n\nA hit scales %.2f times as well as WithContext (at least 0.95)%s.\n",
		factors[0], factors[1], factors[2], ratio, verdict)
}

var sinkSum atomic.Uint64

// digits keeps two that count.
func digits(ratio float64) int {
	switch {
	case ratio >= 10:
		return 0
	case ratio >= 0.1:
		return 2
	}
	return 4
}
