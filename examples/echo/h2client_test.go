package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// fromHere is a source behind a front end on this host, with a gate that a tunnel through the front
// end could open.
func fromHere(from forwarded.Gate) func(*certauth.Config) {
	return func(c *certauth.Config) { c.Source = forwarded.Caddy{From: from} }
}

// tunnel is a connection that uses HTTP/2 to the service, as a client has it through a front end's
// connection.
type tunnel struct {
	conn   net.Conn
	reader *bufio.Reader
	framer *http2.Framer
	stream uint32
	scheme string
}

// dig connects, and presents the front end's certificate if there is one.
func dig(t *testing.T, address string, front *certauthtest.Certificate) *tunnel {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	d := &tunnel{conn: conn, stream: 1, scheme: "http"}
	if front != nil {
		d.conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{front.TLS()}})
		d.scheme = "https"
	}
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	d.reader = bufio.NewReader(d.conn)
	d.framer = http2.NewFramer(d.conn, d.reader)
	d.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return d
}

// upgrade asks for h2c (RFC 7540, section 3.2) and returns the status of the answer. After
// 101, the request itself is stream 1.
func (d *tunnel) upgrade(t *testing.T, path string) int {
	t.Helper()
	_, err := io.WriteString(d.conn, "GET "+path+" HTTP/1.1\r\nHost: app.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(d.reader, nil)
	require.NoError(t, err)
	if response.StatusCode != http.StatusSwitchingProtocols {
		_ = response.Body.Close()
	}
	d.stream = 3
	return response.StatusCode
}

// ended is the status of a request before which the server has ended the connection.
const ended = 0

// get sends a request with the certificate, as the front end writes it, and returns the status.
func (d *tunnel) get(t *testing.T, path string, certificate *certauthtest.Certificate) int {
	t.Helper()
	_, err := io.WriteString(d.conn, http2.ClientPreface)
	require.NoError(t, err)
	require.NoError(t, d.framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", "GET"}, {":scheme", d.scheme}, {":authority", "app.example"}, {":path", path}, {"x-client-cert", certificate.Base64()},
	} {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}))
	}
	require.NoError(t, d.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: d.stream, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
	for {
		frame, err := d.framer.ReadFrame()
		require.NoError(t, err)
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				require.NoError(t, d.framer.WriteSettingsAck())
			}
		case *http2.GoAwayFrame:
			return ended
		case *http2.MetaHeadersFrame:
			if frame.StreamID == d.stream {
				status, err := strconv.Atoi(frame.PseudoValue("status"))
				require.NoError(t, err)
				return status
			}
		}
	}
}

// protocols returns those of a server that itself serves HTTP/2 without TLS.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
