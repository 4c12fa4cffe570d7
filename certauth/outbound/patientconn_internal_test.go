package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// net/http drops the last message of a server that ends a connection before its first request.
func TestWithEnd_FindsTheAlertThatNetHTTPDrops(t *testing.T) {
	h := newHostile(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	hold := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{h.cert}, PrivateKey: h.key}}, MinVersion: tls.VersionTLS13}
			if i == 0 {
				config.VerifyConnection = func(tls.ConnectionState) error { return errors.New("not you") }
			}
			_ = tls.Server(conn, config).Handshake()
			if i > 0 {
				<-hold
			}
			_ = conn.Close()
		}
	}()
	connect := func() *tls.Conn {
		plain, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		conn := tls.Client(newPatientConn(plain), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
		require.NoError(t, conn.Handshake())
		return conn
	}
	dropped := errors.New("http2: client conn could not be established")

	refused := connect()
	_, err = refused.Read(make([]byte, 1)) // as net/http's reader does
	require.Error(t, err)
	_ = refused.Close() // the other side has closed
	found := withEnd(t.Context(), dropped, refused)
	require.ErrorIs(t, found, dropped)
	assert.Equal(t, ReasonRefused, asError(Explain(found), "").Reason, "%v", found)

	live := connect()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, dropped, withEnd(canceled, dropped, live), "nothing is read from a connection that is still in use")
	close(hold)
	_ = live.Close()
	assert.Equal(t, dropped, withEnd(t.Context(), dropped, live), "an end that says nothing about the certificate")
	assert.Equal(t, dropped, withEnd(t.Context(), dropped, nil))
}
