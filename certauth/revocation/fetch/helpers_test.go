package fetch_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// patience is far more than anything here takes, and far less than the longest deadline of the
// fetcher.
const patience = 10 * time.Second

const maxBytes = 64 << 10

// watched contains the tests that check for goroutines at their end.
var watched sync.Map

// newFetcher makes a fetcher. At the end of the test, after all of its fetchers are closed, none of
// their goroutines may be left.
func newFetcher(t testing.TB, o fetch.HTTPOptions) *fetch.HTTPFetcher {
	t.Helper()
	f, err := fetch.NewHTTPFetcher(o)
	require.NoError(t, err)
	if _, again := watched.LoadOrStore(t, true); !again {
		t.Cleanup(func() {
			watched.Delete(t)
			assert.Eventually(t, func() bool { return clientGoroutines() == 0 }, patience, time.Millisecond, "goroutines are left")
		})
	}
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

// clientGoroutines counts the goroutines of HTTP clients. Those of servers end with their
// connections.
func clientGoroutines() int {
	var stacks strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		return -1
	}
	count := 0
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if strings.Contains(stack, "net/http.(*persistConn)") || strings.Contains(stack, "net/http.(*Transport)") || strings.Contains(stack, "fetch.(*guard)") {
			count++
		}
	}
	return count
}

// serve answers on loopback.
func serve(t testing.TB, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

// serveRaw passes every connection to answer after a request has arrived.
func serveRaw(t testing.TB, answer func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var open sync.WaitGroup
	t.Cleanup(open.Wait)
	t.Cleanup(func() { listener.Close() })
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					answer(conn.(*net.TCPConn))
				}
			})
		}
	})
	return "http://" + listener.Addr().String() + "/"
}

// send writes to a client that may have disconnected.
func send(conn net.Conn, text string) { _, _ = conn.Write([]byte(text)) }

// gone waits until the client closes the connection.
func gone(conn net.Conn) {
	for buffer := make([]byte, 1024); ; {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

// counter is a listener on loopback to which nothing should connect.
type counter struct {
	port     int
	address  string
	accepted atomic.Int64
}

func newCounter(t testing.TB) *counter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &counter{port: listener.Addr().(*net.TCPAddr).Port, address: listener.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.accepted.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return c
}

// connections returns how many there were. Connections are accepted in order, so after our own one
// all earlier ones are counted.
func (c *counter) connections(t testing.TB) int64 {
	t.Helper()
	conn, err := net.Dial("tcp", c.address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err, "the listener closes what it accepts")
	return c.accepted.Add(-1)
}

// portOf returns the port of a URL.
func portOf(t testing.TB, raw string) int {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(t, err)
	return port
}

// needIPv6 skips the test if no IPv6 socket can be made, because the guard checks sockets.
func needIPv6(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 on this machine: ", err)
	}
	listener.Close()
}

func nets(list ...string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range list {
		prefixes = append(prefixes, netip.MustParsePrefix(text))
	}
	return prefixes
}

// reaching returns options that permit the URL of a certificate to lead to our server.
func reaching(t testing.TB, raw string) fetch.HTTPOptions {
	t.Helper()
	return fetch.HTTPOptions{AllowNets: nets("127.0.0.1/32"), AllowPorts: []int{portOf(t, raw)}}
}

func forOCSP(raw string) fetch.Request {
	return fetch.Request{Kind: fetch.OCSP, Method: http.MethodGet, URL: raw, MaxBytes: maxBytes}
}

func post(raw, body string) fetch.Request {
	return fetch.Request{Kind: fetch.OCSP, Method: http.MethodPost, URL: raw, Body: []byte(body), MaxBytes: maxBytes}
}

func forCRL(raw string) fetch.Request {
	return fetch.Request{Kind: fetch.CRL, Method: http.MethodGet, URL: raw, MaxBytes: maxBytes}
}

// configured returns the request for a URL that the operator wrote.
func configured(r fetch.Request) fetch.Request {
	r.Configured = true
	return r
}

// refused requires an error of these classes and an empty response, in less time than any default
// deadline of the fetcher, and a text that contains nothing of the URL.
func refused(t testing.TB, f fetch.Fetcher, r fetch.Request, classes ...error) error {
	t.Helper()
	response, err := f.Fetch(t.Context(), r)
	require.Error(t, err, "%.100s", r.URL)
	assert.Equal(t, fetch.Response{}, response)
	for _, class := range classes {
		assert.ErrorIs(t, err, class, "%.100s", r.URL)
	}
	assert.Less(t, len(err.Error()), 600)
	assert.NotContains(t, err.Error(), "\n")
	assert.NotContains(t, err.Error(), "secret")
	assert.Regexp(t, `^revocation: [^r]`, err.Error(), "one prefix")
	return err
}

// names are the answers of a DNS server: lists of addresses in the order of the queries, the last
// of which is repeated. A name that is missing does not exist.
type names map[string][][]string

// resolver serves the names on loopback.
func (n names) resolver(t testing.TB) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		asked := map[string]int{}
		for buffer := make([]byte, 1500); ; {
			length, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer := n.answer(buffer[:length], asked); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

const (
	typeA    = 1
	typeAAAA = 28
)

// answer encodes a response (RFC 1035, section 4.1). Each type of a name has its own sequence of
// answers.
func (n names) answer(query []byte, asked map[string]int) []byte {
	if len(query) < 17 {
		return nil
	}
	var labels []string
	at := 12
	for query[at] != 0 {
		end := at + 1 + int(query[at])
		if end+5 > len(query) {
			return nil
		}
		labels = append(labels, strings.ToLower(string(query[at+1:end])))
		at = end
	}
	kind := binary.BigEndian.Uint16(query[at+1:])
	name := strings.Join(labels, ".")
	lists, exists := n[name]
	var data [][]byte
	if exists {
		key := name + strconv.Itoa(int(kind))
		turn := min(asked[key], len(lists)-1)
		asked[key]++
		for _, text := range lists[turn] {
			address := netip.MustParseAddr(text)
			if address.Is4() == (kind == typeA) && (kind == typeA || kind == typeAAAA) {
				data = append(data, address.AsSlice())
			}
		}
	}
	question := query[12 : at+5]
	flags := uint16(0x8180) // a response, recursion available
	if !exists {
		flags |= 3 // no such name
	}
	message := append([]byte{}, query[:2]...)
	for _, field := range []uint16{flags, 1, uint16(len(data)), 0, 0} {
		message = binary.BigEndian.AppendUint16(message, field)
	}
	message = append(message, question...)
	for _, address := range data {
		message = append(message, 0xC0, 12) // the name of the question
		message = append(message, question[len(question)-4:]...)
		message = append(message, 0, 0, 0, 0, 0, byte(len(address)))
		message = append(message, address...)
	}
	return message
}
