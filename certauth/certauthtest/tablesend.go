package certauthtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// answer is what came back for one request.
type answer struct {
	response  *http.Response
	body      []byte
	failure   string // why there is no response
	hung      bool
	takenOver bool // the connection went over to HTTP/2
}

func (a *answer) status() string {
	switch {
	case a.takenOver:
		return "the connection speaks HTTP/2 now"
	case a.response == nil:
		return a.failure
	}
	return fmt.Sprintf("answer %d", a.response.StatusCode)
}

// maxAnswer is how much of an answer's body is read.
const maxAnswer = 1 << 20

// send makes the requests of a row. An error that is leftOutError says why it was left out.
func (run *tableRun) send(row *row) ([]answer, error) {
	run.tb.Helper()
	if row.fromStranger() && run.test.InsecureAnyPeer {
		return nil, leftOutError("everybody is believed")
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
	return run.byHTTP1(ctx, row, wires)
}

// wireRequest is a request whose templates are filled in.
type wireRequest struct {
	sender                                 string
	method, target, version, preface, body string
	lines, trailers                        [][2]string
	bare, announce, again                  bool
}

// render fills the templates in.
func (run *tableRun) render(a *attempt) (wireRequest, error) {
	run.tb.Helper()
	if a.Bare && run.direct {
		return wireRequest{}, leftOutError("HTTP/2 without TLS may be the server's own")
	}
	w := wireRequest{sender: a.Sender, bare: a.Bare, announce: !a.Unannounced, again: a.NewConnection}
	lines, err := run.frontEndLines(a)
	if err != nil {
		return w, err
	}
	before, err := run.pairs(a.Before)
	if err != nil {
		return w, err
	}
	after, err := run.pairs(a.After)
	if err != nil {
		return w, err
	}
	w.lines = append(append(before, lines...), after...)
	if w.trailers, err = run.pairs(a.Trailers); err != nil {
		return w, err
	}
	w.method, w.version, w.preface = otherwise(a.Method, run.test.Method), a.Version, latin1(a.Preface)
	if w.target, err = run.text(a.Target); err != nil {
		return w, err
	}
	w.body, err = run.text(a.Body)
	if w.body != "" && len(w.trailers) == 0 && !names(w.lines, "Content-Length") && !names(w.lines, "Transfer-Encoding") {
		w.lines = append(w.lines, [2]string{"Content-Length", fmt.Sprint(len(w.body))})
	}
	return w, err
}

// frontEndLines are the headers that the front end itself writes into a request.
func (run *tableRun) frontEndLines(a *attempt) ([][2]string, error) {
	run.tb.Helper()
	layout := *run.layout
	if a.Sender == senderStranger {
		layout.Evidence = nil
	}
	var certs []*x509.Certificate
	verdict := verdictNone
	if a.Forwarded != "none" {
		cert := run.certificate(a.Forwarded)
		if cert == nil {
			return nil, leftOutError("it takes HandlerTest.Issuer to make the " + a.Forwarded + " certificate")
		}
		if a.Forwarded == "samekey" && run.test.KeyPinned {
			return nil, leftOutError("a key is pinned, and names do not count")
		}
		verdict, certs = verdictSuccess, append(certs, cert)
		switch {
		case a.Forwarded == "genuine":
			for _, ca := range run.test.With {
				certs = append(certs, ca.Certificate)
			}
		case run.test.FrontEndVerifies:
			verdict = verdictFailure
		}
	}
	lines, err := layout.lines(certs, otherwise(a.Flags, verdict))
	if err != nil {
		return nil, err
	}
	if a.Certificate != nil {
		value, err := run.text(*a.Certificate)
		if err != nil {
			return nil, err
		}
		if own, err := run.layout.value(certs...); err == nil && own == value {
			return nil, errSame
		}
		lines = replaced(lines, layout.Certificate.Header, value)
	}
	for _, template := range a.Without {
		name, err := run.text(template)
		if err != nil {
			return nil, err
		}
		if !names(lines, name) && !names(run.secretLines(a), name) {
			return nil, errSame
		}
		lines = removed(lines, name)
	}
	for _, line := range run.secretLines(a) {
		if !run.isLeftOut(a, line[0]) {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (run *tableRun) isLeftOut(a *attempt, header string) bool {
	for _, template := range a.Without {
		if name, err := run.text(template); err == nil && strings.EqualFold(name, header) {
			return true
		}
	}
	return false
}

func (run *tableRun) secretLines(a *attempt) [][2]string {
	var lines [][2]string
	if a.Sender == senderFrontEnd {
		for name, values := range run.test.Secret {
			lines = append(lines, [2]string{name, values[0]})
		}
	}
	return lines
}

func (run *tableRun) pairs(templates [][2]string) ([][2]string, error) {
	run.tb.Helper()
	var lines [][2]string
	for _, template := range templates {
		if foldName(template[0]) == foldName(run.layout.Certificate.Header) {
			return nil, errSame // the row is about other headers than the front end's own
		}
		var line [2]string
		for i, text := range template {
			filled, err := run.text(text)
			if err != nil {
				return nil, err
			}
			line[i] = filled
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// foldName makes one of all spellings that some layers take for one name.
func foldName(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

func names(lines [][2]string, name string) bool {
	for _, line := range lines {
		if strings.EqualFold(line[0], name) {
			return true
		}
	}
	return false
}

func removed(lines [][2]string, name string) [][2]string {
	var kept [][2]string
	for _, line := range lines {
		if !strings.EqualFold(line[0], name) {
			kept = append(kept, line)
		}
	}
	return kept
}

func replaced(lines [][2]string, name, value string) [][2]string {
	return append([][2]string{{name, value}}, removed(lines, name)...)
}

// latin1 turns each character of a JSON string into a byte.
func latin1(text string) string {
	var b strings.Builder
	for _, c := range text {
		b.WriteByte(byte(c)) //nolint:gosec // a test of the file sees to it that it fits
	}
	return b.String()
}

// dial connects as the sender. The connection ends with the context.
func (run *tableRun) dial(ctx context.Context, sender string, to endpoint, protocol string) (net.Conn, error) {
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
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{protocol}, RootCAs: to.roots, ServerName: "127.0.0.1"}
	if to.roots == nil {
		config.InsecureSkipVerify = true // a service on this machine, whose certificate need not be for it
	}
	if own := run.test.FrontEndCertificate; own != nil && sender == senderFrontEnd {
		pair := own.TLS()
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// byHTTP1 writes the requests as they are.
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
			if conn, err = run.dial(ctx, w.sender, run.plain, "http/1.1"); err != nil {
				return nil, err
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
			// A server that answers before it has read everything ends the connection.
			_, _ = io.WriteString(conn, text)
		}
		answers = append(answers, readAnswer(ctx, reader, w.method))
	}
	return answers, nil
}

// http1 is the request in bytes.
func (w wireRequest) http1(last bool) string {
	if w.bare {
		return w.preface
	}
	var b strings.Builder
	b.WriteString(w.preface + w.method + " " + w.target + " " + w.version + "\r\n")
	if !names(w.lines, "Host") {
		b.WriteString("Host: app.example\r\n")
	}
	for _, line := range w.lines {
		b.WriteString(line[0] + ": " + line[1] + "\r\n")
	}
	if last && !names(w.lines, "Connection") {
		b.WriteString("Connection: close\r\n")
	}
	if len(w.trailers) == 0 {
		return b.String() + "\r\n" + w.body
	}
	b.WriteString("Transfer-Encoding: chunked\r\n")
	if w.announce {
		for _, line := range w.trailers {
			b.WriteString("Trailer: " + line[0] + "\r\n")
		}
	}
	b.WriteString("\r\n4\r\nbody\r\n0\r\n")
	for _, line := range w.trailers {
		b.WriteString(line[0] + ": " + line[1] + "\r\n")
	}
	return b.String() + "\r\n"
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
		return answer{failure: "there is no answer", hung: true}
	}
	return answer{failure: "the connection is closed without an answer"}
}

// errNoHTTP2 is for a service that speaks no HTTP/2.
var errNoHTTP2 = errors.New("the service speaks no HTTP/2")

// byHTTP2 makes the requests on one connection, as long as the row does not ask for another.
func (run *tableRun) byHTTP2(ctx context.Context, wires []wireRequest) ([]answer, error) {
	if run.secure.address == "" {
		return nil, leftOutError("the service speaks no HTTP/2 by TLS")
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
				conn, err := run.dial(ctx, w.sender, run.secure, "h2")
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

// http2 is the request for a client of package net/http.
func (w wireRequest) http2(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if w.body != "" || len(w.trailers) > 0 {
		body = strings.NewReader(otherwise(w.body, "body"))
	}
	r, err := http.NewRequestWithContext(ctx, w.method, "https://app.example"+w.target, body)
	if err != nil {
		return nil, err
	}
	for _, line := range w.lines {
		r.Header[line[0]] = append(r.Header[line[0]], line[1])
	}
	if len(w.trailers) > 0 {
		r.ContentLength, r.Trailer = -1, http.Header{}
		for _, line := range w.trailers {
			r.Trailer.Add(line[0], line[1])
		}
	}
	return r, nil
}
