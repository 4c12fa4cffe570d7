package revocation_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkCheckWarm measures answers from memory, for the leaf and for a chain.
func BenchmarkCheckWarm(b *testing.B) {
	w := wire(b)
	checker := w.checker(b, leafOnly)
	chain := w.chain(w.client)
	_, err := checker.CheckChain(b.Context(), chain)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := checker.CheckChain(b.Context(), chain); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOCSPHit measures a known caller's request, with the certificates of CAs.
func BenchmarkOCSPHit(b *testing.B) {
	w := wire(b)
	checker := w.checker(b)
	chain := w.chain(w.client)
	_, err := checker.CheckChain(b.Context(), chain)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := checker.CheckChain(b.Context(), chain); err != nil {
			b.Fatal(err)
		}
	}
}
