package outbound

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Certificate is the application's own certificate, kept up to date. Make it once with [Open] and share it. All methods
// are safe for concurrent use. The zero value and nil present nothing and fail every connection.
type Certificate struct {
	config   Config
	selected *selection
	pins     [][]byte

	current atomic.Pointer[state]
	closed  atomic.Bool
	life    context.Context // canceled by Close
	stop    context.CancelFunc
	done    chan struct{} // closed when the goroutine has ended

	loading chan struct{}          // holds a token while a reload runs
	busy    atomic.Pointer[string] // the path of the source that is being read, perhaps by a function that never returns
	own     loaded                 // guarded by loading
	roots   loaded                 // guarded by loading
	exposed map[string]bool
	warned  expiryWarning

	mutex      sync.Mutex // guards the fields below
	lastErr    *Error     // of the last reload
	failures   int        // consecutive failed reloads
	checked    time.Time  // time of the last successful reload
	transports []weak.Pointer[transport]
	repeated   map[repeatKey]repeatCount // events about connections
}

// state is the material in use at one time. It is immutable.
type state struct {
	number      uint64
	cert        tls.Certificate
	leaf        *x509.Certificate
	fingerprint string
	roots       *x509.CertPool // nil means the system's
	since       time.Time
}

// Open loads the certificate and starts the goroutine that keeps it up to date; [Certificate.Close] ends that
// goroutine. Open reports all mistakes of the configuration at once; if a certificate cannot be loaded, it returns an
// [*Error] whose text ends with the hint. The context applies to the first load only.
func Open(ctx context.Context, config Config) (*Certificate, error) {
	selected, pins, err := config.compile()
	if err != nil {
		return nil, err
	}
	c := &Certificate{
		config: config, selected: selected, pins: pins,
		done: make(chan struct{}), loading: make(chan struct{}, 1), exposed: map[string]bool{},
	}
	c.life, c.stop = context.WithCancel(context.Background())
	if err := c.reload(ctx); err != nil {
		c.stop()
		return nil, asError(err, ReasonSourceUnavailable).withHint()
	}
	go c.run(c.life)
	return c, nil
}

// Reload reads the sources now. If it returns nil, the next connection presents the certificate that it found. An error
// names the source that could not be used; what was loaded before stays in use.
func (c *Certificate) Reload(ctx context.Context) error {
	if err := c.unusable(); err != nil {
		return err
	}
	return c.reload(ctx)
}

// Close ends the goroutine and waits for it. It cancels a read of a source that is in progress without waiting for it.
// After Close every new connection fails with [ReasonClosed]; requests in progress finish undisturbed. Further calls
// have no effect. Close always returns nil.
func (c *Certificate) Close() error {
	if c == nil || c.stop == nil {
		return nil
	}
	c.closed.Store(true)
	c.stop()
	<-c.done
	c.loading <- struct{}{} // wait for a Reload in progress, which was canceled
	c.current.Store(nil)
	<-c.loading
	c.eachTransport(func(t *transport) { t.moveTo(nil) })
	return nil
}

// unusable says why there is no certificate to present.
func (c *Certificate) unusable() error {
	switch {
	case c == nil || c.stop == nil:
		return fail(ReasonNotConfigured, "not returned by Open").at("connection")
	case c.closed.Load():
		return fail(ReasonClosed, "closed").at("connection")
	}
	return nil
}

// Status describes the certificate in use, for health endpoints and inventories. It can be marshaled to JSON.
type Status struct {
	// Usable reports whether a connection would present the certificate now.
	Usable bool
	// Reason and Detail say why the certificate is not usable, or otherwise why the last reload failed. They are empty
	// if nothing is wrong.
	Reason Reason
	Detail string

	// Subject and Issuer are names in Go's notation; Serial is in hex.
	Subject, Issuer, Serial string
	// Fingerprint is the SHA-256 digest in hex. Thumbprint is the SHA-1 digest, as Azure shows it; it is empty under
	// GODEBUG=fips140=only.
	Fingerprint, Thumbprint string
	// NotBefore and NotAfter are the certificate's validity.
	NotBefore, NotAfter time.Time
	// Intermediates is the number of certificates that are presented with the leaf.
	Intermediates int

	// Since is the time at which the certificate came into use. Checked is the time of the last load without an error.
	Since, Checked time.Time
}

// Status returns a snapshot of the state in use.
func (c *Certificate) Status() Status {
	var status Status
	if err := c.unusable(); err != nil {
		return status.because(err)
	}
	c.mutex.Lock()
	status.Checked = c.checked
	lastErr := c.lastErr
	c.mutex.Unlock()
	s := c.current.Load()
	if s == nil {
		return status.because(fail(ReasonClosed, "closed"))
	}
	short := ""
	if sum, err := sha1sum.Of(s.leaf.Raw); err == nil {
		short = fmt.Sprintf("%X", sum)
	}
	status.Subject, status.Issuer, status.Serial = nameText(s.leaf.Subject, s.leaf.RawSubject), nameText(s.leaf.Issuer, s.leaf.RawIssuer), fmt.Sprintf("%x", s.leaf.SerialNumber)
	status.Fingerprint, status.Thumbprint = s.fingerprint, short
	status.NotBefore, status.NotAfter = s.leaf.NotBefore, s.leaf.NotAfter
	status.Intermediates, status.Since = len(s.cert.Certificate)-1, s.since
	if err := c.expired(s); err != nil {
		return status.because(err)
	}
	status.Usable = true
	if lastErr != nil {
		return status.because(lastErr)
	}
	return status
}

func (s Status) because(err error) Status {
	e := asError(err, ReasonNotConfigured)
	s.Reason, s.Detail = e.Reason, e.Error()
	return s
}

// String describes the certificate, for logs.
func (c *Certificate) String() string {
	if c == nil || c.current.Load() == nil {
		return "outbound: no certificate"
	}
	s := c.current.Load()
	return "outbound: " + describe(s.leaf) + " until " + stamp(s.leaf.NotAfter)
}

// GoString returns String, so that no verb of package fmt prints the contents.
func (c *Certificate) GoString() string { return c.String() }

func (c *Certificate) expired(s *state) error {
	if now := c.config.Now(); now.After(s.leaf.NotAfter) {
		return fail(ReasonCertificateExpired, "%s expired at %s, now is %s", describe(s.leaf), stamp(s.leaf.NotAfter), stamp(now)).at("connection")
	}
	return nil
}

func newState(number uint64, chosen candidate, chain [][]byte, roots *x509.CertPool, now time.Time) *state {
	digest := sha256.Sum256(chosen.leaf.Raw)
	return &state{
		number: number, leaf: chosen.leaf, fingerprint: hex.EncodeToString(digest[:]), roots: roots, since: now,
		cert: tls.Certificate{Certificate: chain, PrivateKey: chosen.key.Signer, Leaf: chosen.leaf},
	}
}

// first returns the certificate of the chain that expires first.
func (s *state) first() *x509.Certificate {
	first := s.leaf
	for _, der := range s.cert.Certificate[1:] {
		if issuer, err := x509.ParseCertificate(der); err == nil && issuer.NotAfter.Before(first.NotAfter) {
			first = issuer
		}
	}
	return first
}

func (c *Certificate) eachTransport(f func(*transport)) {
	c.mutex.Lock()
	var live []*transport
	kept := c.transports[:0]
	for _, pointer := range c.transports {
		if t := pointer.Value(); t != nil {
			live, kept = append(live, t), append(kept, pointer)
		}
	}
	clear(c.transports[len(kept):])
	c.transports = kept
	c.mutex.Unlock()
	for _, t := range live {
		f(t)
	}
}
