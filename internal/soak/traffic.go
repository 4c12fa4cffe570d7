//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// client is a client of a partner, with its own certificate and connections.
type client struct {
	name string
	of   *authority
	cert tls.Certificate
	http *http.Client

	revoked atomic.Pointer[time.Time] // by the world's clock
}

func (c *client) serial() string { return c.cert.Leaf.SerialNumber.String() }

func (c *client) revokedAt() time.Time {
	if at := c.revoked.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (c *client) revoke() {
	at := c.of.revoke(c.cert.Leaf.SerialNumber)
	c.revoked.Store(&at)
}

// clients holds all clients.
type clients struct {
	mu       sync.RWMutex
	all      []*client
	bySerial map[string]*client
}

func (l *clients) find(serial string) *client {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.bySerial[serial]
}

func (l *clients) pick(random *rand.Rand) *client {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.all[random.IntN(len(l.all))]
}

// retire removes a client from the traffic.
func (l *clients) retire(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, one := range l.all {
		if one == c {
			l.all = append(l.all[:i], l.all[i+1:]...)
			break
		}
	}
	c.http.CloseIdleConnections()
}

func (s *soak) newClient(of *authority, name string) *client {
	c := &client{name: fmt.Sprintf("%s of %s", name, of.name), of: of, cert: of.issue(name)}
	c.http = &http.Client{
		Timeout: time.Minute,
		Transport: &http.Transport{
			TLSClientConfig:     &tls.Config{RootCAs: s.serverRoots, Certificates: []tls.Certificate{c.cert}, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Second,
		},
	}
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	s.clients.bySerial[c.serial()] = c
	return c
}

func (s *soak) join(c *client) *client {
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	s.clients.all = append(s.clients.all, c)
	return c
}

// visit sends one request. The oracle judges the decision inside the instance; visit checks only
// that the client sees the same outcome.
func (s *soak) visit(ctx context.Context, c *client, i *instance) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.url(), nil)
	must(err)
	response, err := c.http.Do(request)
	if err != nil {
		if ctx.Err() == nil {
			s.lost.Add(1)
		}
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	s.requests.Add(1)
	switch response.StatusCode {
	case http.StatusOK:
		if got := response.Header.Get("X-Serial"); got != c.serial() {
			s.oracle.breach("%s took %s for certificate %s", i.name, c.name, got)
		}
	case http.StatusUnauthorized:
	default:
		s.oracle.breach("%s answered %s with %d: %.200s", i.name, c.name, response.StatusCode, body)
	}
}

// traffic sends requests of random clients to one instance until ctx ends.
func (s *soak) traffic(ctx context.Context, i *instance, seed uint64) {
	random := rand.New(rand.NewPCG(s.seed, seed)) //nolint:gosec // to be repeatable
	for ctx.Err() == nil {
		s.visit(ctx, s.clients.pick(random), i)
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(40+random.IntN(80)) * time.Millisecond):
		}
	}
}

// turnover adds new clients, which visit every instance at once, and revokes older ones
// permanently.
func (s *soak) turnover(ctx context.Context) {
	random := rand.New(rand.NewPCG(s.seed, 1<<32)) //nolint:gosec // to be repeatable
	var known, gone []*client
	var first sync.WaitGroup
	defer first.Wait()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
		newcomer := s.newClient(s.below[random.IntN(len(s.below))], fmt.Sprintf("newcomer %d", n))
		known = append(known, s.join(newcomer))
		for _, i := range s.instances {
			first.Go(func() { s.visit(ctx, newcomer, i) })
		}
		if len(known) > 60 {
			known[0].revoke()
			gone = append(gone, known[0])
			known = known[1:]
		}
		if len(gone) > 200 { // 100 seconds, more than half an hour of the world
			s.clients.retire(gone[0])
			gone = gone[1:]
		}
	}
}

// crowd sends requests of many new clients at once.
func (s *soak) crowd(size int) {
	var all sync.WaitGroup
	for n := range size {
		c := s.newClient(s.below[n%len(s.below)], fmt.Sprintf("one of many %d", n))
		all.Go(func() {
			s.visit(context.Background(), c, s.instances[n%len(s.instances)])
			c.http.CloseIdleConnections()
		})
	}
	all.Wait()
}

func (s *soak) roots() (certs []*x509.Certificate) {
	for _, a := range s.above {
		certs = append(certs, a.cert)
	}
	return certs
}

func (s *soak) issuing() (certs []*x509.Certificate) {
	for _, a := range s.below {
		certs = append(certs, a.cert)
	}
	return certs
}
