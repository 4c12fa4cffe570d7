package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// patientConn delays the error of a failed write until the reading side has ended too. With TLS 1.3, a server refuses
// the certificate after the client has begun to write: it sends an alert and closes, and the write fails. net/http
// would then close the connection before it has read the alert, which alone contains the reason.
type patientConn struct {
	net.Conn
	reading atomic.Int32  // calls of Read in progress
	ended   chan struct{} // closed when reading has failed or the connection is closed
	end     func()
}

const (
	patience = time.Second           // used if a Read is in progress
	absence  = 50 * time.Millisecond // used if none is: the reader is busy with what it has read, or will not read again
)

func newPatientConn(conn net.Conn) *patientConn {
	ended := make(chan struct{})
	return &patientConn{Conn: conn, ended: ended, end: sync.OnceFunc(func() { close(ended) })}
}

func (c *patientConn) Read(p []byte) (int, error) {
	c.reading.Add(1)
	defer c.reading.Add(-1)
	n, err := c.Conn.Read(p)
	if err != nil {
		c.end()
	}
	return n, err
}

func (c *patientConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.awaitEnd()
	}
	return n, err
}

func (c *patientConn) awaitEnd() {
	tick := time.NewTicker(absence)
	defer tick.Stop()
	for waited, away := absence, c.reading.Load() == 0; ; waited += absence {
		select {
		case <-c.ended:
			return
		case <-tick.C:
			if was := away; was && c.reading.Load() == 0 || waited >= patience {
				return
			}
			away = c.reading.Load() == 0
		}
	}
}

func (c *patientConn) Close() error {
	defer c.end()
	return c.Conn.Close()
}

// withEnd adds the alert that ended a new connection, if it concerns the certificate. net/http does not always pass it
// on: an HTTP/2 connection that ends before its first request "could not be established".
func withEnd(ctx context.Context, err error, conn net.Conn) error {
	if _, ok := errors.AsType[*Error](Explain(err)); ok {
		return err
	}
	encrypted, ok := conn.(*tls.Conn)
	if !ok {
		return err
	}
	below := encrypted.NetConn()
	for proxied, ok := below.(*tls.Conn); ok; proxied, ok = below.(*tls.Conn) { // the proxy has an https URL
		below = proxied.NetConn()
	}
	patient, ok := below.(*patientConn)
	if !ok {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-patient.ended:
	case <-ctx.Done():
		return err
	case <-timer.C:
		return err // the connection is still in use, and reading would take data of other requests
	}
	if _, end := encrypted.Read(make([]byte, 1)); reasonOfAlert(end) != "" { // crypto/tls returns its final error again
		return fmt.Errorf("%w: %w", err, end)
	}
	return err
}

// beginPatiently wraps the connections of the transport in patientConn.
func beginPatiently(base *http.Transport) {
	dial := base.DialContext
	switch {
	case dial != nil:
	//lint:ignore SA1019 net/http still honors it
	case base.Dial != nil: //nolint:staticcheck // SA1019: as above
		//lint:ignore SA1019 as above
		old := base.Dial //nolint:staticcheck // SA1019: as above
		dial = func(_ context.Context, network, address string) (net.Conn, error) { return old(network, address) }
	default:
		dial = (&net.Dialer{}).DialContext
	}
	base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newPatientConn(conn), nil
	}
}
