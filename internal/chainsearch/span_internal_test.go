package chainsearch

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The span of an answer ends when a date of a certificate passes, with and without the skew:
// NotAfter still belongs to the validity period (RFC 5280, section 4.1.2.5).
func TestSpan_EndsAtEveryDate(t *testing.T) {
	at := func(clock string) time.Time {
		day, err := time.Parse(time.TimeOnly, clock)
		require.NoError(t, err)
		return day.AddDate(2026, 0, 0)
	}
	cert := &x509.Certificate{NotBefore: at("10:00:00"), NotAfter: at("12:00:00")}
	const behind = time.Nanosecond
	for _, tc := range []struct {
		skew  time.Duration
		edges []time.Time
	}{
		{0, []time.Time{at("10:00:00"), at("12:00:00").Add(behind)}},
		{time.Second, []time.Time{at("09:59:59"), at("10:00:00"), at("10:00:01"), at("11:59:59").Add(behind), at("12:00:00").Add(behind), at("12:00:01").Add(behind)}},
		{5 * time.Minute, []time.Time{at("09:55:00"), at("10:00:00"), at("10:05:00"), at("11:55:00").Add(behind), at("12:00:00").Add(behind), at("12:05:00").Add(behind)}},
	} {
		edges := append([]time.Time{{}}, append(tc.edges, EndOfTime)...)
		for i := range len(edges) - 1 {
			now := edges[i]
			if i == 0 {
				now = edges[1].Add(-time.Hour)
			}
			s := newSpan(now)
			s.watch(cert, tc.skew)
			assert.True(t, s.from.Equal(edges[i]), "skew %v at %v: from %v, want %v", tc.skew, now, s.from, edges[i])
			assert.True(t, s.until.Equal(edges[i+1]), "skew %v at %v: until %v, want %v", tc.skew, now, s.until, edges[i+1])
		}
	}
}
