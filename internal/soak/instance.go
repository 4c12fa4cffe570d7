//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	maxListBytes  = 1 << 20
	maxListMemory = 8 << 20
	maxWait       = 3 * time.Second
	fetchTimeout  = time.Second // an answer's header may take three times as long
)

// instance is one instance of the service: a Checker behind the library's handler, on a real
// server.
type instance struct {
	name   string
	number int
	// isOperated reports whether the instance asks no authority and uses only its operator's lists.
	isOperated bool
	config     revocation.Config // without the settings that all instances share
	source     certauth.Source
	tls        *tls.Config // nil behind nginx
	clock      *offset
	log        *volume

	run     *soak
	server  *http.Server
	address string

	running atomic.Pointer[running]
}

// running is the life of an instance between two restarts.
type running struct {
	*instance
	checker *revocation.Checker
	handler http.Handler
	began   time.Time

	mu      sync.Mutex
	revoked map[string]time.Time // when the instance learned that a client is revoked, by serial number
	usable  map[string]time.Time // when the instance's evidence about a client expires, by its clock
}

// call is one request in an instance.
type call struct {
	chain  []*x509.Certificate
	took   time.Duration
	answer certauth.Revocation
	err    error
}

type callKey struct{}

func (i *instance) now() time.Time {
	by, _ := i.clock.get()
	return i.run.clock.now().Add(by)
}

// start replaces the Checker by a new one that knows nothing.
func (i *instance) start() {
	r := &running{instance: i, began: time.Now(), revoked: map[string]time.Time{}, usable: map[string]time.Time{}}
	logger := slog.New(slog.NewTextHandler(i.log, nil))
	config := i.config
	config.Now, config.Logger, config.MaxWait, config.Observe = i.now, logger, maxWait, r.observe
	config.Verify.Skew = clockSkew
	config.HTTP = revocation.HTTPOptions{
		AllowNets:  []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("127.0.0.2/32")},
		AllowPorts: []int{i.run.nginx.port}, Resolver: i.run.resolver, CRLTimeout: 2 * fetchTimeout,
	}
	if !i.isOperated {
		config.HTTP.OCSPTimeout = fetchTimeout
	}
	config.MaxListBytes, config.MaxListMemory = maxListBytes, maxListMemory
	checker, err := revocation.New(config)
	must(err)
	r.checker = checker
	auth, err := certauth.New(certauth.Config{
		Source: i.source, Logger: logger, Now: i.now,
		Policy: certauth.All{
			certauth.Chain{Roots: certauth.Certificates(i.run.roots()...), Intermediates: certauth.Certificates(i.run.issuing()...)},
			certauth.NotRevoked{Checker: r},
		},
	})
	must(err)
	r.handler = auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		w.Header().Set("X-Serial", id.Leaf.SerialNumber.String())
		w.WriteHeader(http.StatusOK)
	}))
	if old := i.running.Swap(r); old != nil {
		old.stop()
	}
}

func (r *running) stop() {
	must(r.checker.Close())
}

// CheckChain calls the Checker and measures the time.
func (r *running) CheckChain(ctx context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	began := time.Now()
	answer, err := r.checker.CheckChain(ctx, chain)
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.chain, c.answer, c.err = chain, answer, err
		c.took = max(c.took, time.Since(began))
	}
	return answer, err
}

// observe records which revocations were delivered by OCSP.
func (r *running) observe(_ context.Context, e revocation.Event) {
	if e.Err == nil && e.Kind == revocation.SourceOCSP && e.Status == revocation.Revoked {
		r.run.oracle.delivered(r, e.Serial)
	}
}

// serve starts the server, which runs until the program ends.
func (i *instance) serve() {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	must(err)
	i.address = listener.Addr().String()
	i.server = &http.Server{Handler: i, TLSConfig: i.tls.Clone(), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(i.log, nil), slog.LevelWarn)}
	i.server.ConnContext = certauth.ConnContext
	i.start()
	go func() {
		if i.tls != nil {
			_ = i.server.ServeTLS(listener, "", "")
		} else {
			_ = i.server.Serve(listener)
		}
	}()
}

func (i *instance) close() {
	_ = i.server.Close()
	i.running.Load().stop()
}

// ServeHTTP shows the request and its outcome to the oracle.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	by := i.running.Load()
	c := &call{}
	began := time.Now()
	before := i.now()
	status := &statusWriter{ResponseWriter: w}
	by.handler.ServeHTTP(status, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
	i.run.oracle.judge(by, c, r, status.code == http.StatusOK, began, before)
}

type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	if w.code == 0 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// volume counts the bytes that are logged and keeps the last of them.
type volume struct {
	mu     sync.Mutex
	bytes  int
	minute []sample
	most   int // in any minute
	tail   []string
}

type sample struct {
	at    time.Time
	bytes int
}

func (v *volume) Write(line []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.minute = append(v.minute, sample{now, len(line)})
	v.bytes += len(line)
	sum := 0
	for len(v.minute) > 0 && now.Sub(v.minute[0].at) > time.Minute {
		v.minute = v.minute[1:]
	}
	for _, s := range v.minute {
		sum += s.bytes
	}
	v.most = max(v.most, sum)
	v.tail = append(v.tail, string(line))
	v.tail = v.tail[max(0, len(v.tail)-40):]
	return len(line), nil
}

func (v *volume) inAMinute() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.most
}

func (i *instance) url() string {
	if i.tls == nil {
		return fmt.Sprintf("https://127.0.0.1:%d/", i.run.front.port)
	}
	return "https://" + i.address + "/"
}
