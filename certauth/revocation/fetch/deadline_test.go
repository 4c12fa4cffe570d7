package fetch_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// short is the deadline of fetches that are supposed to miss it.
const short = 50 * time.Millisecond

// trickle writes one byte per millisecond until the client disconnects: progress that never ends.
func trickle(conn net.Conn, text string) {
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for i := 0; ; i++ {
		<-ticks.C
		if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
			return
		}
	}
}

// within requires that the function takes no longer than that.
func within(t testing.TB, limit time.Duration, run func()) {
	t.Helper()
	start := time.Now()
	run()
	assert.Less(t, time.Since(start), limit)
}

// timesOut requires that a deadline of the fetcher itself ends the fetch.
func timesOut(t testing.TB, f fetch.Fetcher, r fetch.Request) {
	t.Helper()
	err := refused(t, f, r, fetch.ErrTimeout)
	assert.NotErrorIs(t, err, context.DeadlineExceeded, "that is for the caller's deadline")
}

// dotnet/runtime#31664: a hanging responder delayed a handshake for 100 s. Adversarial tests 59 and
// 60: whatever a responder does slowly, the deadline covers all of it.
func TestRevocation_HangingResponderIsCutOff(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(*net.TCPConn)
	}{
		{"59: no answer", func(conn *net.TCPConn) { gone(conn) }},
		{"59: half of the status", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 2")
			gone(conn)
		}},
		{"59: headers without an end", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nA: a\r\n")
			gone(conn)
		}},
		{"59: headers trickled", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nA: ")
			trickle(conn, "a")
		}},
		{"60: no body", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			gone(conn)
		}},
		{"60: body trickled", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
			trickle(conn, "a")
		}},
		{"60: chunks trickled", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			trickle(conn, "1\r\na\r\n")
		}},
		{"60: body without a length trickled", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.0 200 OK\r\n\r\n")
			trickle(conn, "a")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, c.answer)
			o := reaching(t, raw)
			o.OCSPTimeout, o.CRLTimeout = short, 2*short
			f := newFetcher(t, o)
			for _, r := range []fetch.Request{forOCSP(raw), post(raw, "request"), forCRL(raw)} {
				within(t, patience, func() { timesOut(t, f, r) })
			}
		})
	}
	t.Run("redirects do not start the deadline anew", func(t *testing.T) {
		var served atomic.Int64
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if served.Add(1) == 3 {
				<-r.Context().Done()
				return
			}
			http.Redirect(w, r, "/", http.StatusFound)
		})
		o := reaching(t, server.URL)
		o.CRLTimeout = 10 * short
		f := newFetcher(t, o)
		within(t, patience, func() { refused(t, f, forCRL(server.URL), fetch.ErrTimeout) })
		assert.EqualValues(t, 3, served.Load())
	})
}

// Each kind of evidence has its own deadline.
func TestFetch_DeadlineIsThatOfTheKind(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "answer") })
	o := reaching(t, server.URL)
	o.OCSPTimeout = 1
	f := newFetcher(t, o)
	timesOut(t, f, forOCSP(server.URL))
	_, err := f.Fetch(t.Context(), forCRL(server.URL))
	require.NoError(t, err)
	o.OCSPTimeout, o.CRLTimeout = 0, 1
	f = newFetcher(t, o)
	timesOut(t, f, forCRL(server.URL))
	_, err = f.Fetch(t.Context(), forOCSP(server.URL))
	require.NoError(t, err)
}

// The phases of a fetch have their own deadlines. This takes two seconds of real time, because they
// are not configurable.
func TestFetch_PartsAreCutOffBeforeTheWhole(t *testing.T) {
	t.Run("together", func(t *testing.T) {
		t.Run("59: headers, after 2 s", func(t *testing.T) {
			t.Parallel()
			raw := serveRaw(t, func(conn *net.TCPConn) { gone(conn) })
			f, err := fetch.NewHTTPFetcher(reaching(t, raw))
			require.NoError(t, err)
			within(t, patience, func() { timesOut(t, f, forCRL(raw)) })
			assert.NoError(t, f.Close())
		})
		t.Run("59: TLS, after 1 s", func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { listener.Close() })
			raw := "https://" + listener.Addr().String()
			f, err := fetch.NewHTTPFetcher(reaching(t, raw))
			require.NoError(t, err)
			within(t, patience, func() { timesOut(t, f, forCRL(raw)) }) // the kernel has accepted
			assert.NoError(t, f.Close())
		})
		t.Run("59: the lookup, after 1 s", func(t *testing.T) {
			t.Parallel()
			silent, err := net.ListenPacket("udp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { _ = silent.Close() })
			f, err := fetch.NewHTTPFetcher(fetch.HTTPOptions{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "udp", silent.LocalAddr().String())
			}}})
			require.NoError(t, err)
			within(t, patience, func() { timesOut(t, f, forCRL("http://responder.example/")) })
			assert.NoError(t, f.Close())
		})
	})
	assert.Eventually(t, func() bool { return clientGoroutines() == 0 }, patience, time.Millisecond)
}

// The caller's context ends a fetch at any point, and is distinguished from the deadlines of the
// fetcher.
func TestFetch_CallersContextEndsIt(t *testing.T) {
	asked := make(chan struct{}, 1)
	raw := serveRaw(t, func(conn *net.TCPConn) {
		send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\na")
		select {
		case asked <- struct{}{}:
		default:
		}
		gone(conn)
	})
	f := newFetcher(t, reaching(t, raw))
	t.Run("cancelled while it waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-asked
			cancel()
		}()
		response, err := f.Fetch(ctx, forCRL(raw))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, fetch.ErrTransport)
		assert.NotErrorIs(t, err, fetch.ErrTimeout)
		assert.Equal(t, fetch.Response{}, response)
	})
	t.Run("its deadline is earlier", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), short)
		defer cancel()
		_, err := f.Fetch(ctx, forCRL(raw))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, fetch.ErrTimeout)
	})
	t.Run("over before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.Fetch(ctx, forCRL(raw))
		assert.ErrorIs(t, err, context.Canceled)
	})
}

// Adversarial test 64: a broken connection gives no evidence, and half of a body is no body.
func TestFetch_BrokenConnectionIsNoAnswer(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(*net.TCPConn)
		want   error
		body   string
	}{
		{"64: reset", func(conn *net.TCPConn) { _ = conn.SetLinger(0) }, fetch.ErrTransport, ""},
		{"64: closed without an answer", func(*net.TCPConn) {}, fetch.ErrTransport, ""},
		{"64: half closed without an answer", func(conn *net.TCPConn) {
			_ = conn.CloseWrite()
			gone(conn)
		}, fetch.ErrTransport, ""},
		{"64: half closed within the body", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			_ = conn.CloseWrite()
			gone(conn)
		}, fetch.ErrTransport, ""},
		{"64: reset within the body", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			_ = conn.SetLinger(0)
		}, fetch.ErrTransport, ""},
		{"64: chunks without the last", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
		}, fetch.ErrTransport, ""},
		{"64: a length that is too short cuts the body", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhalf and half")
		}, nil, "half"},
		{"64: two lengths", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nhalf")
		}, fetch.ErrTransport, ""},
		{"64: a negative length", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhalf")
		}, fetch.ErrTransport, ""},
		{"64: no HTTP", func(conn *net.TCPConn) { send(conn, "220 smtp.example ready\r\n") }, fetch.ErrTransport, ""},
		{"64: a header that is none", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.1 200 OK\r\nno colon\r\n\r\n")
		}, fetch.ErrTransport, ""},
		{"a body until the end of the connection is whole", func(conn *net.TCPConn) {
			send(conn, "HTTP/1.0 200 OK\r\n\r\nwhole")
		}, nil, "whole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw := serveRaw(t, c.answer)
			f := newFetcher(t, reaching(t, raw))
			if c.want != nil {
				err := refused(t, f, forOCSP(raw), c.want)
				assert.NotErrorIs(t, err, fetch.ErrTimeout)
				return
			}
			response, err := f.Fetch(t.Context(), forOCSP(raw))
			require.NoError(t, err)
			assert.Equal(t, c.body, string(response.Body))
		})
	}
	t.Run("64: nobody listens", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		raw := "http://" + listener.Addr().String()
		listener.Close()
		f := newFetcher(t, reaching(t, raw))
		err = refused(t, f, forOCSP(raw), fetch.ErrTransport)
		var operation *net.OpError
		assert.ErrorAs(t, err, &operation, "the cause is kept")
	})
	t.Run("64: TLS where none is spoken", func(t *testing.T) {
		raw := serveRaw(t, func(*net.TCPConn) {})
		f := newFetcher(t, reaching(t, raw))
		refused(t, f, forOCSP("https"+raw[len("http"):]), fetch.ErrTransport)
	})
}

// A responder closes idle connections. The next request, even a POST, uses a new one.
func TestFetch_ConnectionThatWasClosedMeanwhileIsReplaced(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	accepted := make(chan int, 10)
	go func() {
		for count := 1; ; count++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- count
			reader := bufio.NewReader(conn)
			if _, err := http.ReadRequest(reader); err == nil {
				send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nanswer")
			}
			// The second request is read and never answered: the client must have considered the
			// connection alive.
			if count == 1 {
				_, err = http.ReadRequest(reader)
				assert.NoError(t, err)
			}
			conn.Close()
		}
	}()
	raw := "http://" + listener.Addr().String()
	f := newFetcher(t, reaching(t, raw))
	for range 2 {
		response, err := f.Fetch(t.Context(), post(raw, "request"))
		require.NoError(t, err)
		assert.Equal(t, "answer", string(response.Body))
	}
	assert.Len(t, accepted, 2)
}

// https responders are authenticated by RootCAs, over TLS 1.2 or later and HTTP/1.1.
func TestFetch_TLS(t *testing.T) {
	secure := newTLSServer(t, nil)
	old := newTLSServer(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	t.Run("a known authority", func(t *testing.T) {
		o := reaching(t, secure.URL)
		o.RootCAs = poolOf(secure)
		f := newFetcher(t, o)
		response, err := f.Fetch(t.Context(), post(secure.URL, "request"))
		require.NoError(t, err)
		assert.Equal(t, "HTTP/1.1", string(response.Body))
	})
	t.Run("an unknown authority", func(t *testing.T) {
		f := newFetcher(t, reaching(t, secure.URL))
		err := refused(t, f, forOCSP(secure.URL), fetch.ErrTransport)
		var verification *tls.CertificateVerificationError
		assert.ErrorAs(t, err, &verification)
	})
	t.Run("another name", func(t *testing.T) {
		o := reaching(t, secure.URL)
		o.RootCAs, o.Resolver = poolOf(secure), names{"responder.test": {{"127.0.0.1"}}}.resolver(t)
		f := newFetcher(t, o)
		refused(t, f, forOCSP(fmt.Sprintf("https://responder.test:%d/", portOf(t, secure.URL))), fetch.ErrTransport)
	})
	t.Run("TLS 1.1", func(t *testing.T) {
		o := reaching(t, old.URL)
		o.RootCAs = poolOf(old)
		f := newFetcher(t, o)
		refused(t, f, forOCSP(old.URL), fetch.ErrTransport)
	})
}
