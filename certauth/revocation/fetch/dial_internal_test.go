package fetch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

func TestDialAny_BeginsTheNextAddressInTime(t *testing.T) {
	refused := errors.New("refused")
	for _, c := range []struct {
		name   string
		after  []time.Duration // in which each address answers
		errs   []error
		want   time.Duration
		winner int
	}{
		{"the first one answers", []time.Duration{10, 0}, []error{nil, nil}, 10, 0},
		{"the first one refuses", []time.Duration{10, 10}, []error{refused, nil}, 20, 1},
		{"the first one is dead", []time.Duration{time.Hour, 10}, []error{nil, nil}, dialInterval + 10, 1},
		{"the first one is slow", []time.Duration{dialInterval + 10, time.Hour}, []error{nil, nil}, dialInterval + 10, 0},
		{"two are dead", []time.Duration{time.Hour, time.Hour, 10}, []error{nil, nil, nil}, 2*dialInterval + 10, 2},
		{"the last one refuses, and the first one is slow", []time.Duration{time.Second, 0}, []error{nil, refused}, time.Second, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				addresses, conns := make([]netip.Addr, len(c.after)), make([]*fakeConn, len(c.after))
				for i := range addresses {
					addresses[i], conns[i] = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), &fakeConn{}
				}
				begun := time.Now()
				conn, err := dialAny(addresses, func(a netip.Addr) (net.Conn, error) {
					i := a.As4()[3]
					conns[i].dialled = c.errs[i] == nil
					select {
					case <-time.After(c.after[i]):
					case <-ctx.Done(): // connected at the last moment
					}
					return conns[i], c.errs[i]
				})
				require.NoError(t, err)
				assert.Equal(t, c.want, time.Since(begun))
				assert.Same(t, conns[c.winner], conn)
				cancel()
				synctest.Wait()
				for i, one := range conns {
					assert.Equal(t, one.dialled && i != c.winner, one.closed, "connection %d", i)
				}
			})
		})
	}
}

type fakeConn struct {
	net.Conn
	dialled, closed bool
}

func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}
