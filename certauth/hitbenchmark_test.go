package certauth_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// These benchmarks are for a profiler and a quick check. Relative costs are measured by
// examples/bench, and written to .github/BENCHMARKS.md.

func loop(b *testing.B, run func(int)) {
	b.Helper()
	run(1)
	b.ReportAllocs()
	for b.Loop() {
		run(1)
	}
}

func BenchmarkHit(b *testing.B) {
	for _, kind := range []string{"p256", "rsa2048", "rsa4096"} {
		for _, n := range []int{1, 1024} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				w := newBench(b, kind, n)
				run := serve(b, w.auth(b).Handler(http.HandlerFunc(finalWithIdentity)), w.headers...)
				run(6 * n)
				loop(b, run)
			})
		}
	}
}

func BenchmarkHitRevocation(b *testing.B) {
	w := newBench(b, "p256", 1)
	auth := w.auth(b, func(c *certauth.Config) {
		c.Policy = w.policy(certauth.NotRevoked{Checker: &tracker{now: certauth.RevocationGood}})
	})
	loop(b, serve(b, auth.Handler(http.HandlerFunc(finalWithIdentity)), w.headers...))
}

// BenchmarkHitParallel is to be compared with BenchmarkBareParallel: a hit scales equally.
func BenchmarkHitParallel(b *testing.B) {
	w := newBench(b, "p256", 1024)
	parallel(b, w.auth(b).Handler(http.HandlerFunc(finalWithIdentity)), w.headers)
}

func BenchmarkBareParallel(b *testing.B) {
	w := newBench(b, "p256", 1)
	parallel(b, bare(http.HandlerFunc(final)), w.headers)
}

func parallel(b *testing.B, h http.Handler, headers []string) {
	b.Helper()
	serve(b, h, headers...)(6 * len(headers))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		run := serve(b, h, headers...)
		for pb.Next() {
			run(1)
		}
	})
}

func BenchmarkBare(b *testing.B) {
	w := newBench(b, "p256", 1)
	loop(b, serve(b, bare(http.HandlerFunc(final)), w.headers...))
}

func BenchmarkNaive(b *testing.B) {
	for _, kind := range []string{"p256", "rsa2048"} {
		b.Run(kind, func(b *testing.B) {
			w := newBench(b, kind, 1)
			loop(b, serve(b, w.byHand(http.HandlerFunc(final)), w.headers...))
		})
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, kind := range []string{"p256", "rsa2048"} {
		b.Run(kind, func(b *testing.B) {
			w := newBench(b, kind, 64)
			auth := w.auth(b, func(c *certauth.Config) { c.CacheSize = 1 })
			loop(b, serve(b, auth.Handler(http.HandlerFunc(finalWithIdentity)), w.headers...))
		})
	}
}
