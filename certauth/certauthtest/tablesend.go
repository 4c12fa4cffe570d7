package certauthtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// answer is the response to one request.
type answer struct {
	response  *http.Response
	body      []byte
	failure   string // why there is no response
	hung      bool
	takenOver bool // the connection changed to HTTP/2
}

func (a *answer) status() string {
	switch {
	case a.takenOver:
		return "the connection speaks HTTP/2 now"
	case a.response == nil:
		return a.failure
	}
	if location := a.response.Header.Get("Location"); location != "" {
		return fmt.Sprintf("answer %d to %.80q", a.response.StatusCode, location)
	}
	return fmt.Sprintf("answer %d", a.response.StatusCode)
}

// isLast reports whether the server has closed the connection, or says that it does.
func (a *answer) isLast() bool { return a.response == nil || a.response.Close }

// maxAnswer bounds how much of a response body is read.
const maxAnswer = 1 << 20

// send makes the requests of a row. An error of type leftOutError says why the row was skipped.
func (run *tableRun) send(row *row) ([]answer, error) {
	run.tb.Helper()
	if row.fromStranger() && run.test.InsecureAnyPeer {
		return nil, leftOutError("the service trusts every sender")
	}
	var wires []wireRequest
	for i := range row.Requests {
		wire, err := run.render(&row.Requests[i])
		if err != nil {
			return nil, err
		}
		wires = append(wires, wire)
	}
	ctx, cancel := context.WithTimeout(context.Background(), run.limit)
	defer cancel()
	if row.Transport == transportHTTP2 {
		return run.byHTTP2(ctx, wires)
	}
	if row.Concurrent > 0 {
		return run.atOnce(ctx, row, wires)
	}
	return run.byHTTP1(ctx, row, wires)
}

// mostApart bounds how long requests wait for those that are to be sent at the same time. A service that limits
// its connections, or has a short queue of them, takes some only when others have ended.
const mostApart = time.Second

// atOnce sends each request several times, each on a connection of its own, which are opened one after another until
// the service takes no more. The last byte of all requests is then written at the same time. Of the answers to a
// request it returns a wrong one, if there is any.
func (run *tableRun) atOnce(ctx context.Context, row *row, wires []wireRequest) ([]answer, error) {
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	opening, stop := context.WithTimeout(ctx, mostApart)
	defer stop()
	for len(conns) < len(wires)*row.Concurrent {
		conn, err := run.dialWithin(ctx, opening, wires[len(conns)%len(wires)].sender)
		if err != nil && len(conns) == 0 && opening.Err() == nil {
			a, err := notDialed(ctx, err)
			return slices.Repeat([]answer{a}, len(wires)), err
		}
		if err != nil {
			break
		}
		conns = append(conns, conn)
	}
	if len(conns) < len(wires) {
		return nil, leftOutError("the service takes too few connections at the same time")
	}
	answers := make([]answer, len(conns))
	start := make(chan struct{})
	var group, ready sync.WaitGroup
	for i, conn := range conns {
		ready.Add(1)
		group.Go(func() {
			w := wires[i%len(wires)]
			text := w.http1(true)
			_, _ = io.WriteString(conn, text[:len(text)-1])
			ready.Done()
			<-start
			_, _ = io.WriteString(conn, text[len(text)-1:])
			answers[i] = readAnswer(ctx, bufio.NewReader(conn), w.method)
		})
	}
	ready.Wait()
	close(start)
	group.Wait()
	merged := answers[:len(wires):len(wires)]
	for i := range answers {
		if at := i % len(wires); run.mistake(row.Requests[at].Expect, &answers[i]) != "" {
			merged[at] = answers[i]
		}
	}
	return merged, nil
}

// dialWithin connects for HTTP/1 before opening ends. The connection ends with ctx.
func (run *tableRun) dialWithin(ctx, opening context.Context, sender string) (net.Conn, error) {
	life, end := context.WithCancel(ctx)
	inTime := context.AfterFunc(opening, end)
	conn, err := run.dial(life, sender, run.plain, "http/1.1")
	if err == nil && !inTime() {
		err = opening.Err()
	}
	if err != nil {
		end()
		return nil, err
	}
	return conn, nil
}

// dial connects as the given sender. The connection ends with the context.
func (run *tableRun) dial(ctx context.Context, sender string, to endpoint, protocols ...string) (net.Conn, error) {
	dialer := &net.Dialer{}
	if sender == senderStranger {
		if to.other != nil {
			to = *to.other
		}
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(run.test.Stranger), 0))
	}
	conn, err := dialer.DialContext(ctx, to.network, to.address)
	if err != nil {
		if sender == senderStranger && !run.test.UnixSocket {
			return nil, leftOutError("this machine has no loopback address " + run.test.Stranger)
		}
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if !to.tls {
		return conn, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, RootCAs: to.roots, ServerName: "127.0.0.1"}
	if to.roots == nil {
		config.InsecureSkipVerify = true // a service on this machine, whose certificate may be for another name
	}
	if run.test.Outside {
		config.ServerName = run.test.Host
		if host, _, err := net.SplitHostPort(run.test.Host); err == nil {
			config.ServerName = host
		}
	}
	own, with := run.test.FrontEndCertificate, []*CA(nil)
	if sender == senderClient {
		own, with = run.test.Client, run.test.With
	}
	if own != nil && sender != senderStranger {
		pair := own.TLS(with...)
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, handshakeError{err}
	}
	return secured, nil
}

// handshakeError says that a server ended the handshake, as one that requires a certificate does: a refusal.
type handshakeError struct{ error }

// notDialed returns the answer of a service to which there is no connection.
func notDialed(ctx context.Context, err error) (a answer, failure error) {
	refused, isRefused := errors.AsType[handshakeError](err)
	switch {
	case ctx.Err() != nil:
		a = failed(ctx, err)
	case isRefused:
		a.failure = "the handshake failed: " + refused.Error()
	default:
		failure = err
	}
	return a, failure
}

// byHTTP1 writes the requests byte by byte.
func (run *tableRun) byHTTP1(ctx context.Context, row *row, wires []wireRequest) ([]answer, error) {
	var conn net.Conn
	var reader *bufio.Reader
	var answers []answer
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for i, w := range wires {
		if conn == nil || w.again {
			if conn != nil {
				_ = conn.Close()
			}
			var err error
			conn, err = run.dial(ctx, w.sender, run.plain, "http/1.1")
			if err != nil {
				a, err := notDialed(ctx, err)
				return append(answers, a), err
			}
			reader = bufio.NewReader(conn)
		}
		text := w.http1(i == len(wires)-1)
		if row.Pipelined && i == 0 {
			for j, next := range wires[1:] {
				text += next.http1(j == len(wires)-2)
			}
		}
		if !row.Pipelined || i == 0 {
			// Ignore errors: a server that answers before it has read everything closes the
			// connection.
			_, _ = io.WriteString(conn, text)
		}
		answers = append(answers, readAnswer(ctx, reader, w.method))
	}
	return answers, nil
}

func readAnswer(ctx context.Context, reader *bufio.Reader, method string) answer {
	var a answer
	if start, err := reader.Peek(9); err == nil && start[3] == 4 && bytes.Equal(start[5:9], make([]byte, 4)) {
		return answer{takenOver: true} // a SETTINGS frame of stream 0 (RFC 9113, section 6.5)
	}
	for {
		response, err := http.ReadResponse(reader, &http.Request{Method: method}) //nolint:bodyclose // finished reads it, and the connection is closed
		if err != nil {
			return failed(ctx, err)
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			a.response = response
			break
		}
	}
	if a.response.StatusCode == http.StatusSwitchingProtocols {
		return a
	}
	defer func() { _ = a.response.Body.Close() }()
	return finished(ctx, a)
}

func finished(ctx context.Context, a answer) answer {
	body, err := io.ReadAll(io.LimitReader(a.response.Body, maxAnswer))
	a.body = body
	if err == nil {
		_, err = io.Copy(io.Discard, a.response.Body)
	}
	if err != nil && ctx.Err() != nil {
		return failed(ctx, err)
	}
	return a
}

func failed(ctx context.Context, err error) answer {
	if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return answer{failure: "there is no response", hung: true}
	}
	return answer{failure: "the connection was closed without a response"}
}

// errNoHTTP2 is returned for a service that does not speak HTTP/2.
var errNoHTTP2 = errors.New("the service does not speak HTTP/2")

// byHTTP2 makes the requests on one connection, unless the row asks for several.
func (run *tableRun) byHTTP2(ctx context.Context, wires []wireRequest) ([]answer, error) {
	if run.secure.address == "" {
		return nil, leftOutError("the service does not speak HTTP/2 over TLS")
	}
	var transport *http.Transport
	var answers []answer
	var refusedDial error
	defer func() {
		if transport != nil {
			transport.CloseIdleConnections()
		}
	}()
	for _, w := range wires {
		if transport == nil || w.again {
			if transport != nil {
				transport.CloseIdleConnections()
			}
			transport = &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
			transport.Protocols.SetHTTP2(true)
			transport.DialTLSContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := run.dial(ctx, w.sender, run.secure, "h2", "http/1.1")
				var left leftOutError
				if errors.As(err, &left) {
					refusedDial = left
				}
				if secured, ok := conn.(*tls.Conn); err == nil && ok && secured.ConnectionState().NegotiatedProtocol != "h2" {
					_ = conn.Close()
					refusedDial = errNoHTTP2
					return nil, errNoHTTP2
				}
				return conn, err
			}
		}
		r, err := w.http2(ctx)
		if err != nil {
			return nil, err
		}
		response, err := transport.RoundTrip(r)
		if refusedDial != nil {
			return nil, refusedDial
		}
		if err != nil {
			answers = append(answers, failed(ctx, err))
			continue
		}
		a := finished(ctx, answer{response: response})
		_ = response.Body.Close()
		answers = append(answers, a)
	}
	return answers, nil
}
