package revocation

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// finding K192: a partner can name any number of URLs, and each took the place of any host or URL that was
// not paused at that time, also of one that was failing: its failures were counted anew, and its outage had
// no end, but a second beginning.
func TestGate_ManyURLsDoNotDisplaceWhatFails(t *testing.T) {
	const failing = "http://failing.example/a"
	for name, failure := range map[string]error{"the host": ErrTransport, "the URL": fetch.HTTPStatusError{Status: 503}} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			var outages []Event
			g := newGate(func() time.Time { return now }, func(_ context.Context, e Event) { outages = append(outages, e) })
			fetched := func(url string, err error) {
				p, entered := g.enter(t.Context(), url)
				require.NoError(t, entered)
				p.leave(t.Context(), err)
			}
			for range breakerOpensAfter {
				fetched(failing, failure)
				now = now.Add(mostPause * 5 / 4)
			}
			for i := range 10 * maxEndpoints {
				fetched(fmt.Sprintf("http://works.example/%d", i), nil)
			}
			fetched(failing, failure)
			require.Len(t, outages, 1)
			_, err := g.enter(t.Context(), failing)
			var paused *pausedError
			require.ErrorAs(t, err, &paused)
			assert.Greater(t, paused.until.Sub(now), firstPause*3/2)
			now = now.Add(mostPause * 5 / 4)
			fetched(failing, nil)
			require.Len(t, outages, 2)
			assert.True(t, outages[1].Over)
			assert.LessOrEqual(t, len(g.known), maxEndpoints)
		})
	}
}
