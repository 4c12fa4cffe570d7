package fetch_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// readCounter counts the bytes that are read from the connections of a fetcher.
type readCounter struct {
	net.Conn
	read *atomic.Int64
}

func (c readCounter) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func countReads(f *fetch.HTTPFetcher) *atomic.Int64 {
	var read atomic.Int64
	fetch.WrapConnections(f, func(conn net.Conn) net.Conn { return readCounter{conn, &read} })
	return &read
}

// overhead is what may be read in addition to the body: headers, the framing of chunks, and one
// buffer of the transport.
const overhead = 512 + 4096

// endless writes until the client disconnects.
func endless(w http.ResponseWriter) {
	block := bytes.Repeat([]byte("a"), 1024)
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// Vault: io.ReadAll on a responder's answer. Adversarial test 57 and F6.
func TestRevocation_OversizedAnswerIsRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		read   int64 // of the body, at most
	}{
		{"57: declared over the cap", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(maxBytes+1))
			endless(w)
		}, 0},
		{"57: declared as an exabyte", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.FormatInt(1<<60, 10))
			endless(w)
		}, 0},
		{"57: chunked without an end", func(w http.ResponseWriter, _ *http.Request) { endless(w) }, maxBytes + 1},
		{"57: until the connection closes", func(w http.ResponseWriter, _ *http.Request) {
			conn, buffer, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, err = buffer.WriteString("HTTP/1.0 200 OK\r\n\r\n")
			for err == nil {
				_, err = buffer.WriteString(strings.Repeat("a", 1024))
			}
		}, maxBytes + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, c.answer)
			f := newFetcher(t, reaching(t, server.URL))
			read := countReads(f)
			refused(t, f, forOCSP(server.URL), fetch.ErrTooLarge)
			assert.LessOrEqual(t, read.Load(), c.read+c.read/32+overhead) // chunks of 2 KiB have 7 bytes of framing each
			read.Store(0)
			refused(t, f, forCRL(server.URL), fetch.ErrTooLarge)
			assert.LessOrEqual(t, read.Load(), c.read+c.read/32+overhead)
		})
	}
}

func TestFetch_BodyIsBoundedToTheByte(t *testing.T) {
	for _, declared := range []bool{true, false} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			length, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
			assert.NoError(t, err)
			if declared {
				w.Header().Set("Content-Length", strconv.Itoa(length))
			} else {
				assert.NoError(t, http.NewResponseController(w).Flush())
			}
			_, _ = w.Write(bytes.Repeat([]byte("a"), length))
		})
		f := newFetcher(t, reaching(t, server.URL))
		for _, limit := range []int{1, 1000, maxBytes} {
			for _, length := range []int{0, limit - 1, limit} {
				r := forOCSP(fmt.Sprintf("%s/%d", server.URL, length))
				r.MaxBytes = int64(limit)
				response, err := f.Fetch(t.Context(), r)
				require.NoError(t, err, "%d of %d", length, limit)
				assert.Len(t, response.Body, length)
			}
			r := forOCSP(fmt.Sprintf("%s/%d", server.URL, limit+1))
			r.MaxBytes = int64(limit)
			refused(t, f, r, fetch.ErrTooLarge)
		}
	}
}

// Adversarial test 58: compression is neither requested nor undone.
func TestFetch_CompressedBodyIsRefused(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := w.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, c := range []struct {
		name     string
		encoding []string
		want     error
	}{
		{"58: gzip", []string{"gzip"}, fetch.ErrEncoding},
		{"58: deflate", []string{"deflate"}, fetch.ErrEncoding},
		{"58: br", []string{"br"}, fetch.ErrEncoding},
		{"58: upper case", []string{"GZIP"}, fetch.ErrEncoding},
		{"58: after identity", []string{"identity", "gzip"}, fetch.ErrEncoding},
		{"58: a list", []string{"identity, gzip"}, fetch.ErrEncoding},
		{"58: what nobody knows", []string{"snappy"}, fetch.ErrEncoding},
		{"identity", []string{"identity"}, nil},
		{"identity in upper case", []string{"Identity"}, nil},
		{"empty", []string{""}, nil},
		{"58: gzip that is not declared", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, []string{"identity"}, r.Header["Accept-Encoding"])
				if c.encoding != nil {
					w.Header()["Content-Encoding"] = c.encoding
				}
				_, _ = w.Write(bomb.Bytes())
			})
			f := newFetcher(t, reaching(t, server.URL))
			if c.want != nil {
				refused(t, f, forCRL(server.URL), c.want)
				return
			}
			response, err := f.Fetch(t.Context(), forCRL(server.URL))
			require.NoError(t, err)
			assert.Equal(t, bomb.Bytes(), response.Body, "not inflated")
		})
	}
}

// Adversarial test 60: headers are limited too.
func TestFetch_HeadersAreBounded(t *testing.T) {
	for _, c := range []struct{ name, line string }{
		{"60: 1 MiB of headers", "A: " + strings.Repeat("a", 1000) + "\r\n"},
		{"60: one header without an end", "aaaaaaaa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, func(conn *net.TCPConn) {
				_, err := fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n")
				for sent := 0; err == nil && sent < 1<<20; sent += len(c.line) {
					_, err = fmt.Fprint(conn, c.line)
				}
				if err == nil {
					send(conn, "\r\n\r\n")
				}
			})
			f := newFetcher(t, reaching(t, raw))
			read := countReads(f)
			refused(t, f, forOCSP(raw), fetch.ErrTooLarge)
			assert.LessOrEqual(t, read.Load(), int64(8<<10+overhead))
		})
	}
	t.Run("60: interim answers without an end", func(t *testing.T) {
		raw := serveRaw(t, func(conn *net.TCPConn) {
			for {
				if _, err := fmt.Fprint(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"); err != nil {
					return
				}
			}
		})
		f := newFetcher(t, reaching(t, raw))
		read := countReads(f)
		refused(t, f, forOCSP(raw))
		assert.LessOrEqual(t, read.Load(), int64(8<<10+overhead))
	})
	t.Run("7 KiB of headers are read", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("A", strings.Repeat("a", 7<<10)) })
		f := newFetcher(t, reaching(t, server.URL))
		_, err := f.Fetch(t.Context(), forOCSP(server.URL))
		assert.NoError(t, err)
	})
}
