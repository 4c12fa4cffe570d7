package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client keeps a fixed number of connections open and sends one request after the other on
// each. It writes ready-made bytes, so that the server and not the client is the bottleneck.
type client struct {
	request []byte
	conns   []conn
}

type conn struct {
	net.Conn
	in *bufio.Reader
}

// requestText returns a GET request with ten headers, without the certificate if it is empty.
func requestText(certificate string) []byte {
	var b strings.Builder
	b.WriteString("GET /orders HTTP/1.1\r\nHost: api.example\r\n" +
		"Accept: */*\r\nAccept-Encoding: gzip\r\nContent-Type: application/json\r\nUser-Agent: partner/1.0\r\n" +
		"Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n" +
		"X-Forwarded-For: 192.0.2.1:50000\r\nX-Forwarded-Proto: https\r\n" +
		"X-ARR-LOG-ID: f4b3b2a1-0000-4000-8000-000000000000\r\n" +
		"X-ARR-SSL: 2048|256|CN=Microsoft Azure RSA TLS Issuing CA 03, O=Microsoft Corporation, C=US|" +
		"CN=*.azurewebsites.net, O=Microsoft Corporation, L=Redmond, S=WA, C=US\r\n")
	if certificate != "" {
		b.WriteString(certificateHeader + ": " + certificate + "\r\n")
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

func dial(ctx context.Context, address string, connections int, request []byte) (*client, error) {
	c := &client{request: request}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	for range connections {
		nc, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn{Conn: nc, in: bufio.NewReader(nc)})
	}
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// send spreads n requests evenly over the connections and fails on a response whose status
// is not 200.
func (c *client) send(n int) error {
	var at atomic.Int64
	return c.each(func(on conn) error {
		share := n / len(c.conns)
		if at.Add(1) <= int64(n%len(c.conns)) {
			share++
		}
		for range share {
			if err := on.expect(c.request); err != nil {
				return err
			}
		}
		return nil
	})
}

// each calls do for every connection at the same time.
func (c *client) each(do func(conn) error) error {
	errs := make([]error, len(c.conns))
	var wait sync.WaitGroup
	for i := range c.conns {
		wait.Go(func() { errs[i] = do(c.conns[i]) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// expect sends a request whose answer is 200.
func (c conn) expect(request []byte) error {
	status, err := c.exchange(request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d, want 200", status)
	}
	return err
}

func (c conn) exchange(request []byte) (status int, err error) {
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
