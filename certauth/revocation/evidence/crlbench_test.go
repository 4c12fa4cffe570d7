package evidence_test

import (
	"crypto/x509"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

var benchmarkSizes = []struct {
	name string
	n    int
}{{"1k", 1000}, {"100k", 100_000}, {"1M", 1_000_000}}

// BenchmarkCRLParse compares with x509.ParseRevocationList, which verifies no signature, in
// alternating rounds: the median of the ratios within a round is reproducible on a machine on which
// means are not.
func BenchmarkCRLParse(b *testing.B) {
	const rounds = 11
	s := newScene(b)
	for _, size := range benchmarkSizes {
		b.Run(size.name, func(b *testing.B) {
			der := s.bigList(b, size.n, 16)
			repeat := max(1, 20_000/size.n)
			var ours, theirs []time.Duration
			var ratios []float64
			round := func() {
				runtime.GC() // the garbage of the other one
				start := time.Now()
				for range repeat {
					_, err := x509.ParseRevocationList(der)
					require.NoError(b, err)
				}
				taken := time.Since(start)
				runtime.GC()
				start = time.Now()
				for range repeat {
					_, err := evidence.ParseCRL(der, s.ca.cert, at(now))
					require.NoError(b, err)
				}
				theirs, ours = append(theirs, taken), append(ours, time.Since(start))
				ratios = append(ratios, ours[len(ours)-1].Seconds()/taken.Seconds())
			}
			for b.Loop() {
				round()
			}
			for len(ratios) < rounds {
				round()
			}
			slices.Sort(ratios)
			milliseconds := func(of []time.Duration) float64 { return slices.Min(of).Seconds() * 1000 / float64(repeat) }
			b.ReportMetric(0, "ns/op") // of a round, which says nothing
			b.ReportMetric(ratios[len(ratios)/2], "of-x509")
			b.ReportMetric(milliseconds(ours), "min-ms")
			b.ReportMetric(milliseconds(theirs), "x509-min-ms")
		})
	}
}

// BenchmarkCRLLookup measures the cost of a request whose list is in memory.
func BenchmarkCRLLookup(b *testing.B) {
	s := newScene(b)
	for _, size := range benchmarkSizes {
		list := parse(b, s.ca, s.bigList(b, size.n, 16))
		serials := manySerials(1<<12, 16, 2) // not listed; as many as an authenticator keeps identities
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			like, o := subjectOf(b, s.client), at(now)
			i := 0
			for b.Loop() {
				i++
				asked := like.WithSerial(serials[i%len(serials)])
				if _, err := list.LookupSubject(&asked, &o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCRLMemory measures the memory of a list.
func BenchmarkCRLMemory(b *testing.B) {
	s := newScene(b)
	for _, size := range benchmarkSizes {
		b.Run(size.name, func(b *testing.B) {
			var measured int
			for b.Loop() {
				var list *evidence.CRL
				list, measured = heldMemory(func() *evidence.CRL { return parse(b, s.ca, s.bigList(b, size.n, 16)) })
				runtime.KeepAlive(list)
			}
			b.ReportMetric(float64(measured)/float64(size.n), "B/entry")
		})
	}
}
