//go:build linux

// Soak runs instances of a service with the library's handler for some minutes while everything
// around them fails, one kind of fault after the other and several at a time, and compares every
// decision with what package revocation documents.
//
//	go run . [-for 10m] [-seed N]
//
// Three partners have a root and three issuing CAs each, with OCSP responders, CRLs and delta CRLs
// behind a real nginx: the clients of one name both, those of the others only one of them. Five instances are asked over TLS, one of them through a second nginx: two
// share a real Redis, two a directory store, and one has the lists of its operator alone. The
// clock of this world runs twenty times as fast as the machine's, so that evidence runs out and is
// renewed many times.
//
// It prints what it puts on, and at the end a table of the faults and what became of the clients
// meanwhile. The exit code is 1 if
//
//   - a client is let in that the instance has found revoked, or whose revocation is older than
//     everything that may count,
//   - a client that is not revoked is refused while a source of each of its certificates answers,
//     or while what the instance knows of it counts,
//   - a call takes longer than MaxWait and what a busy machine may add,
//   - the log grows by more than a megabyte in a minute, the live heap beyond the bound, or
//     goroutines are left at the end.
//
// It needs nginx and redis-server. As root it mounts a small file system, to fill it; otherwise
// that fault is left out.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

const (
	partners = 3
	workers  = 3 // that send requests, for each instance

	mostLog        = 1 << 20 // bytes in a minute, for each instance
	mostHeap       = 5*maxListMemory + 64<<20
	mostGoroutines = 8 // more than before: of the runtime and of connections that end
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
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano())%1_000_000, "of the order of faults and of the traffic") //nolint:gosec // positive
	flag.Parse()
	fmt.Printf("soak: seed %d, for %s\n", *seed, *length)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	redis.SetLogger(silent{}) // it has a line for each call while the server is down
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

func (s *soak) makeAuthorities(port int) {
	s.site = &site{authorities: map[string]*authority{}, faults: map[string]misbehaviour{}}
	s.site.stranger = newAuthority("stranger", -1, port, nil, s.clock)
	for p := range partners {
		root := newAuthority(fmt.Sprintf("root%d", p), p, port, nil, s.clock)
		s.above = append(s.above, root)
		s.site.authorities[root.name] = root
		for i, only := range []string{"", "ocsp", "crl"} {
			a := newAuthority(fmt.Sprintf("ca%d%c", p, 'a'+i), p, port, root, s.clock)
			a.names = only
			s.below = append(s.below, a)
			s.site.authorities[a.name] = a
		}
	}
	s.names = newNames(func(name string) (int, bool) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(name, domain), ".")
		a := s.site.authorities[rest]
		if a == nil {
			return -1, false
		}
		return a.partner, true
	})
	s.closers = append(s.closers, func() { _ = s.names.conn.Close() })
	address := s.names.conn.LocalAddr().String()
	s.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", address)
	}}
}

// startInstances makes the service.
func (s *soak) startInstances() error {
	s.makeServerCertificate()
	s.redisClient = s.newRedisClient()
	directory, err := dirstore.New(s.storeDir)
	if err != nil {
		return err
	}
	mutual := &tls.Config{Certificates: []tls.Certificate{s.serverCert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	shared := func() revocation.Store {
		store, err := redisstore.New(s.newRedisClient(), redisstore.Options{})
		must(err)
		return store
	}
	s.instances = []*instance{
		{name: "A (TLS, Redis, PreferOCSP)", tls: mutual, source: certauth.TLS{}, config: revocation.Config{Store: shared()}},
		{name: "B (nginx, Redis, PreferCRL)", source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1/32")}, config: revocation.Config{
			Store: shared(), Sources: revocation.PreferCRL,
		}},
		{name: "C (TLS, directory, PreferOCSP, StaleGrace)", tls: mutual, source: certauth.TLS{}, config: revocation.Config{
			Store: directory, StaleGrace: 10 * time.Minute,
		}},
		{name: "D (TLS, directory, PreferCRL, SoftFail)", tls: mutual, source: certauth.TLS{}, config: revocation.Config{
			Store: directory, Sources: revocation.PreferCRL, Mode: revocation.SoftFail,
		}},
		{name: "E (TLS, the operator's lists)", tls: mutual, source: certauth.TLS{}, isOperated: true, config: revocation.Config{
			Sources: revocation.CRLOnly, IgnoreCertificateURLs: true, IgnoreDeltas: true, PollInterval: pollInterval,
			Lists: []revocation.List{{Dir: s.operator.dir}}, Issuers: append(s.roots(), s.issuing()...),
		}},
	}
	for n, i := range s.instances {
		i.number, i.run, i.clock, i.log = n, s, &offset{}, &volume{}
		i.serve()
		s.closers = append(s.closers, i.close)
	}
	return s.startFront(s.instances[1])
}

func (s *soak) newRedisClient() *redis.Client {
	c := redis.NewClient(&redis.Options{
		Addr: fmt.Sprintf("127.0.0.1:%d", s.redis.port), DialTimeout: 500 * time.Millisecond, ReadTimeout: time.Second, WriteTimeout: time.Second, MaxRetries: -1,
	})
	s.closers = append(s.closers, func() { _ = c.Close() })
	return c
}

func (s *soak) makeServerCertificate() {
	ca := newAuthority("servers", -1, 0, nil, s.clock)
	key := newKey()
	ca.port = 1
	cert := ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	s.serverCert = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	s.serverRoots = x509.NewCertPool()
	s.serverRoots.AddCert(ca.cert)
}

// startFront puts an nginx before an instance, as the documentation of forwarded.Nginx says.
func (s *soak) startFront(behind *instance) error {
	var files [2][]byte
	key, err := x509.MarshalPKCS8PrivateKey(s.serverCert.PrivateKey)
	if err != nil {
		return err
	}
	files[0] = append(encodePEM("CERTIFICATE", s.serverCert.Leaf.Raw), encodePEM("PRIVATE KEY", key)...)
	for _, cert := range append(s.roots(), s.issuing()...) {
		files[1] = append(files[1], encodePEM("CERTIFICATE", cert.Raw)...)
	}
	port := freePort()
	s.front = newNginx(s.dir, "front", fmt.Sprintf(`server {
		listen 127.0.0.1:%d ssl;
		ssl_certificate server.pem;
		ssl_certificate_key server.pem;
		ssl_client_certificate clients.pem;
		ssl_verify_client optional;
		ssl_verify_depth 3;
		location / {
			proxy_pass http://%s;
			proxy_set_header X-Client-Cert   $ssl_client_escaped_cert;
			proxy_set_header X-Client-Verify $ssl_client_verify;
		}
	}`, port, behind.address), port)
	for i, name := range []string{"server.pem", "clients.pem"} {
		if err := os.WriteFile(filepath.Join(s.front.dir, name), files[i], 0o600); err != nil {
			return err
		}
	}
	s.closers = append(s.closers, s.front.kill)
	return s.front.start()
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// run sends traffic and puts faults on until ctx ends. It returns the largest live heap.
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

// report prints what was found, and reports whether nothing is wrong.
func (s *soak) report(heap uint64, before int) bool {
	for _, i := range s.instances {
		if most := i.log.inAMinute(); most > mostLog {
			s.oracle.breach("%s logged %d bytes in a minute; the last lines:\n%s", i.name, most, strings.Join(i.log.tail, ""))
		}
	}
	if heap > mostHeap {
		s.oracle.breach("%d MiB of live heap, more than %d", heap>>20, mostHeap>>20)
	}
	if after, err := settled(before + mostGoroutines); err != nil {
		s.oracle.breach("%d goroutines at the end, %d at the start: %v", after, before, err)
	}
	fmt.Printf("\n%s\n", s.faults.table())
	for _, i := range s.instances {
		fmt.Printf("%-44s log %d KiB in the loudest minute\n", i.name, i.log.inAMinute()>>10)
	}
	o := &s.oracle
	sort.Slice(o.delays, func(i, j int) bool { return o.delays[i] < o.delays[j] })
	if n := len(o.delays); n > 0 {
		fmt.Printf("from a revocation to the first denial, by the world's clock: median %s, longest %s, of %d\n",
			o.delays[n/2].Round(time.Second), o.delays[n-1].Round(time.Second), n)
	}
	fmt.Printf("%d requests judged, %d connections lost; longest call %s of %s; live heap at most %d MiB\n",
		o.checked, s.lost.Load(), o.longest.Round(time.Millisecond), maxWait, heap>>20)
	fmt.Printf("seed %d: %d breaches\n", s.seed, len(o.breaches))
	return len(o.breaches) == 0
}

// settled waits until there are no more goroutines than that.
func settled(most int) (n int, err error) {
	for range 100 {
		if n = runtime.NumGoroutine(); n <= most {
			return n, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	return n, errors.New(string(stacks[:runtime.Stack(stacks, true)]))
}
