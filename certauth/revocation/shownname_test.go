package revocation_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K93: errors and records about a list in Config.Lists contained the query of its URL, which
// may be a shared access signature of a storage account.
func TestChecker_NoMessageContainsTheQueryOfAListsURL(t *testing.T) {
	const address, key = "https://lists.blob.example/ca.crl", "sp=r&sig=Tr0ub4dor"
	for name, serve := range map[string]func(*testing.T, *wired) handler{
		"the host does not answer": as(failing(revocation.ErrTransport)),
		"it is no list":            as(body([]byte("not a list"))),
		"it has expired": func(t *testing.T, w *wired) handler {
			return body(encode(t, w.listAt(now.Add(-2*day), now.Add(-day))))
		},
		"it is a delta that continues no list": func(t *testing.T, w *wired) handler {
			return body(encode(t, w.numberedDelta(10, 11, now, now.Add(day))))
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(address, serve(t, w))
			log := &lines{}
			checker := w.operated(t, revocation.List{URL: address + "?" + key}, logging(log))
			require.Empty(t, log.text())
			said := []error{checker.Preload(t.Context()), checker.Refresh(t.Context()), checker.Ready()}
			_, err := w.check(t, checker)
			require.Error(t, err)
			text := log.text()
			for _, err := range append(said, err) {
				if err != nil {
					text += err.Error()
				}
			}
			assert.Contains(t, text, address)
			assert.NotContains(t, text, "sig=")
			assert.Equal(t, address+"?"+key, w.net.last().URL, "but it is sent")
		})
	}
}

func TestChecker_MessagesContainTheWholeNameOfAFile(t *testing.T) {
	w := wire(t)
	checker := w.operated(t, revocation.List{File: filepath.Join(t.TempDir(), "ca?1.crl")})
	require.ErrorContains(t, checker.Preload(t.Context()), `ca?1.crl":`)
}
