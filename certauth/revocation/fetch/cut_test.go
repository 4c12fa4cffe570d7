package fetch_test

import (
	"bytes"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// finding S10: when a body that was not read to its end is closed, Go 1.27 reads up to 256 KiB
// more, so the limits of a fetch did not apply on the wire.
func TestFetch_AnswerThatIsCutShortIsReadNoFurther(t *testing.T) {
	const sent = 200 << 10 // less than Close would read, and more than any limit here
	pour := func(w http.ResponseWriter) {
		block := bytes.Repeat([]byte("a"), 1024)
		for n := 0; n < sent; n += len(block) {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
	header := func(name, value string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			w.WriteHeader(status)
			pour(w)
		}
	}
	for _, c := range []struct {
		name    string
		answer  http.HandlerFunc
		request func(string) fetch.Request
		why     error
		body    int64 // how much of the body may be read
	}{
		{"an announced length over the bound", header("Content-Length", "204800", http.StatusOK), forOCSP, fetch.ErrTooLarge, 0},
		{"chunks over the bound", header("A", "b", http.StatusOK), forOCSP, fetch.ErrTooLarge, maxBytes + 1},
		{"an error page", header("A", "b", http.StatusInternalServerError), forOCSP, fetch.ErrHTTPStatus, 0},
		{"an error page with its length", header("Content-Length", "204800", http.StatusNotFound), forCRL, fetch.ErrHTTPStatus, 0},
		{
			"an error page in answer to a POST", header("A", "b", http.StatusBadRequest), func(raw string) fetch.Request { return post(raw, "x") },
			fetch.ErrHTTPStatus, 0,
		},
		{"a redirect that is not followed", header("Location", "http://127.0.0.1/", http.StatusFound), forOCSP, fetch.ErrRedirect, 0},
		{"a redirect to what is blocked", header("Location", "ftp://127.0.0.1/", http.StatusFound), forCRL, fetch.ErrRedirect, 0},
		{"a coding that is not undone", header("Content-Encoding", "gzip", http.StatusOK), forCRL, fetch.ErrEncoding, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, c.answer)
			f := newFetcher(t, reaching(t, server.URL))
			read := countReads(f)
			for range 20 {
				read.Store(0)
				refused(t, f, c.request(server.URL), c.why)
				require.Eventually(t, func() bool { return clientGoroutines() == 0 }, patience, time.Millisecond)
				assert.LessOrEqual(t, read.Load(), c.body+c.body/32+overhead)
			}
		})
	}
	t.Run("a redirect that is followed", func(t *testing.T) {
		var server string
		server = serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				header("Location", server+"/there", http.StatusFound)(w, r)
			}
		}).URL
		f := newFetcher(t, reaching(t, server))
		read := countReads(f)
		_, err := f.Fetch(t.Context(), forCRL(server))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Eventually(t, func() bool { return clientGoroutines() == 0 }, patience, time.Millisecond)
		assert.LessOrEqual(t, read.Load(), int64(2*overhead))
	})
	t.Run("what is read to its end leaves a connection that is used again", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, maxBytes)) })
		f := newFetcher(t, reaching(t, server.URL))
		var connections atomic.Int64
		fetch.WrapConnections(f, func(conn net.Conn) net.Conn {
			connections.Add(1)
			return conn
		})
		for range 3 {
			_, err := f.Fetch(t.Context(), forOCSP(server.URL))
			require.NoError(t, err)
		}
		assert.EqualValues(t, 1, connections.Load())
	})
}
