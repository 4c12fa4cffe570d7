//go:build linux

// Soak runs instances of a service with the library's handler for some minutes while everything
// around them fails, one kind of fault after another and several at a time. It compares every
// decision with the documentation of package revocation.
//
//	go run . [-for 10m] [-seed N]
//
// Each of three partners has a root and three issuing CAs, with OCSP responders, CRLs and delta CRLs behind a real nginx. The
// certificates of one partner's clients name both kinds of sources, those of the others only one kind. Five instances are called
// over TLS, one of them through a second nginx: two share a real Redis, two share a directory store, and one uses only its
// operator's lists. The clock of this world runs twenty times as fast as the machine's, so that evidence expires and is renewed
// many times.
//
// It prints the faults as it injects them, and at the end a table of the faults and what happened
// to the clients during each of them. The exit code is 1 if
//
//   - a client is accepted that the instance has found revoked, or that was revoked before any
//     evidence that may still be valid was signed,
//   - a client that is not revoked is refused while a source of each of its certificates answers,
//     or while the instance holds valid evidence about it,
//   - a call takes longer than MaxWait plus the delay that a busy machine may add,
//   - the log grows by more than a megabyte in a minute, the live heap exceeds its bound, or
//     goroutines are left at the end.
//
// It needs nginx and redis-server. As root it also mounts a small file system and fills it;
// otherwise that fault is omitted.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	partners = 3
	workers  = 3 // goroutines that send requests to each instance

	mostLog        = 1 << 20 // bytes per minute and instance
	mostHeap       = 5*maxListMemory + 64<<20
	mostGoroutines = 8 // additional ones, of the runtime and of connections that are closing
)

// soak is one run.
type soak struct {
	seed  uint64
	clock *clock
	dir   string

	above, below []*authority
	site         *site
	names        *names
	resolver     *net.Resolver
	nginx, front *program
	redis        *program
	redisClient  *redis.Client
	storeDir     string
	hasDisk      bool
	operator     *operator

	instances   []*instance
	clients     clients
	serverRoots *x509.CertPool
	serverCert  tls.Certificate

	oracle   oracle
	faults   faults
	requests atomic.Int64
	lost     atomic.Int64
	ending   atomic.Bool
	closers  []func()
}

func main() {
	length := flag.Duration("for", 10*time.Minute, "how long to run")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano())%1_000_000, "of the order of faults and of the traffic")
	flag.Parse()
	fmt.Printf("soak: seed %d, for %s\n", *seed, *length)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	redis.SetLogger(silent{}) // it logs a line for each call while the server is down
	before := runtime.NumGoroutine()
	s := &soak{seed: *seed, clock: newClock()}
	if err := s.start(); err != nil {
		s.close()
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()
	heap := s.run(ctx)
	s.close()
	if !s.report(heap, before) {
		os.Exit(1)
	}
}

// silent is a logger for go-redis that writes nothing.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func (s *soak) start() (err error) {
	if s.dir, err = os.MkdirTemp("", "soak"); err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = os.RemoveAll(s.dir) })
	s.oracle.run, s.faults.tallies, s.clients.bySerial = s, map[string]*tally{}, map[string]*client{}
	backend, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at the start
	if err != nil {
		return err
	}
	port := freePort()
	s.nginx = newNginx(s.dir, "authorities", fmt.Sprintf(`server {
		listen 127.0.0.1:%d;
		location / {
			proxy_pass http://%s;
			proxy_set_header Host $http_host;
		}
	}`, port, backend.Addr()), port)
	s.makeAuthorities(port)
	server := &http.Server{Handler: s.site, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(backend) }()
	s.closers = append(s.closers, func() { _ = server.Close() })
	if err := s.nginx.start(); err != nil {
		return err
	}
	s.closers = append(s.closers, s.nginx.kill)
	s.redis = newRedis(s.dir, freePort())
	if err := s.redis.start(); err != nil {
		return err
	}
	s.closers = append(s.closers, s.redis.kill)
	disk := filepath.Join(s.dir, "disk")
	s.hasDisk = makeDisk(disk)
	if s.hasDisk {
		s.closers = append(s.closers, func() { removeDisk(disk) })
	}
	s.storeDir = filepath.Join(disk, "store")
	if err := os.Mkdir(s.storeDir, 0o700); err != nil {
		return err
	}
	s.operator = &operator{dir: filepath.Join(s.dir, "operator"), authorities: append(append([]*authority{}, s.above...), s.below...), held: map[int]int{}}
	if err := os.Mkdir(s.operator.dir, 0o700); err != nil {
		return err
	}
	s.operator.publish()
	return s.startInstances()
}

// run sends traffic and injects faults until ctx ends. It returns the largest live heap.
func (s *soak) run(ctx context.Context) (heap uint64) {
	for _, a := range s.below {
		for n := range 6 {
			s.join(s.newClient(a, fmt.Sprintf("client %d", n)))
		}
		s.join(s.newClient(a, "revoked long ago")).revoke()
	}
	var all sync.WaitGroup
	for n, i := range s.instances {
		for worker := range workers {
			all.Go(func() { s.traffic(ctx, i, uint64(n*workers+worker)) }) //nolint:gosec // small
		}
	}
	all.Go(func() { s.turnover(ctx) })
	all.Go(func() { s.operator.run(ctx.Done()) })
	all.Go(func() { s.faults.watch(ctx.Done()) })
	all.Go(func() { s.inject(rand.New(rand.NewPCG(s.seed, 1<<33)), ctx.Done()) }) //nolint:gosec // to be repeatable
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
		s.faults.forget()
		heap = max(heap, liveHeap())
	}
	s.ending.Store(true)
	all.Wait()
	return heap
}

func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (s *soak) close() {
	s.ending.Store(true)
	for n := len(s.closers) - 1; n >= 0; n-- {
		s.closers[n]()
	}
	s.clients.mu.Lock()
	defer s.clients.mu.Unlock()
	for _, c := range s.clients.bySerial {
		c.http.CloseIdleConnections()
	}
}
