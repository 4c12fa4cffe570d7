package revocation_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K44: an unreadable configured list caused a record every PollInterval.
func TestChecker_AListThatCannotBeReadIsToldOnce(t *testing.T) {
	const url = "http://lists.partner.example/all.crl"
	for name, list := range map[string]func(dir string) revocation.List{
		"a file that is missing":   func(dir string) revocation.List { return revocation.List{File: filepath.Join(dir, "none.crl")} },
		"a file that is no list":   func(dir string) revocation.List { return revocation.List{File: filepath.Join(dir, "broken.crl")} },
		"a file in a directory":    func(dir string) revocation.List { return revocation.List{Dir: dir} },
		"a directory that is gone": func(dir string) revocation.List { return revocation.List{Dir: filepath.Join(dir, "none")} },
		"a URL that has nothing":   func(string) revocation.List { return revocation.List{URL: url} },
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			var log lines
			dir := t.TempDir()
			write(t, filepath.Join(dir, "broken.crl"), []byte("broken"))
			w.net.serve(url, failing(revocation.ErrTransport))
			checker := w.checker(t, leafOnly, logging(&log), func(c *revocation.Config) {
				c.Lists, c.Issuers = []revocation.List{list(dir)}, certs(w.ca)
			})
			told := func() int { return strings.Count(log.text(), "a configured CRL could not be read") }
			poll := func(times int) {
				for range times {
					w.says(t, checker, w.client, isGood, nil)
					w.clock.advance(time.Minute)
				}
			}
			poll(30)
			assert.Equal(t, 1, told(), log.text())
			poll(60)
			assert.Equal(t, 2, told(), "once an hour: %s", log.text())

			// Once the list was read, the next failure is a new one.
			good := encode(t, w.listAt(now, now.Add(7*day)))
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "none"), 0o700))
			for _, path := range []string{"none.crl", "broken.crl", "none/a.crl"} {
				write(t, filepath.Join(dir, path), good)
			}
			w.net.serve(url, body(good))
			poll(10)
			assert.Equal(t, 2, told(), log.text())
			require.NoError(t, checker.Ready())
			synctest.Wait() // for the reading that Ready has started
			for _, path := range []string{"none.crl", "broken.crl", "none/a.crl"} {
				write(t, filepath.Join(dir, path), []byte("broken"))
			}
			w.net.serve(url, failing(revocation.ErrTransport))
			w.clock.advance(7 * time.Hour)
			poll(10)
			assert.Equal(t, 3, told(), log.text())
		})
	}
}
