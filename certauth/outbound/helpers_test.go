package outbound_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// unhurried bounds operations that only an overloaded machine can delay.
const unhurried = 30 * time.Second

const day = 24 * time.Hour

// at returns a clock that stands still.
func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// issue makes a client certificate.
func issue(t testing.TB, ca *certauthtest.CA, name string, change ...certauthtest.Template) *certauthtest.Certificate {
	t.Helper()
	return ca.Issue(t, name, append([]certauthtest.Template{
		certauthtest.Usage(x509.ExtKeyUsageClientAuth),
		certauthtest.Valid(time.Now().Add(-day), time.Now().Add(100*day)),
	}, change...)...)
}

func certPEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return b.Bytes()
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// bundle returns a certificate, its key and its chain in PEM.
func bundle(t testing.TB, leaf *certauthtest.Certificate, chain ...*x509.Certificate) []byte {
	t.Helper()
	return append(append(certPEM(leaf.Certificate), keyPEM(t, leaf.Key)...), certPEM(chain...)...)
}

// write writes a file that only its owner can read.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, content, 0o600))
}

// replace replaces a file in one step.
func replace(t testing.TB, path string, content []byte) {
	t.Helper()
	write(t, path+".new", content)
	require.NoError(t, os.Rename(path+".new", path))
}

// fixture reads a file of testdata/pkcs12.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "pkcs12", name))
	require.NoError(t, err)
	return content
}

// open opens a certificate and closes it at the end of the test.
func open(t testing.TB, config outbound.Config) *outbound.Certificate {
	t.Helper()
	own, err := outbound.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = own.Close() })
	return own
}

// refused asserts that Open refuses a configuration for this reason.
func refused(t testing.TB, config outbound.Config, want outbound.Reason) *outbound.Error {
	t.Helper()
	own, err := outbound.Open(t.Context(), config)
	if err == nil {
		_ = own.Close()
	}
	return reasonIs(t, err, want)
}

func reasonIs(t testing.TB, err error, want outbound.Reason) *outbound.Error {
	t.Helper()
	require.Error(t, err)
	e, ok := errors.AsType[*outbound.Error](err)
	require.True(t, ok, "%T: %v", err, err)
	assert.Equal(t, want, e.Reason, "%v", err)
	assert.NotEmpty(t, e.Hint)
	assert.NotEmpty(t, e.Rule)
	return e
}

// secret is a Fetch whose result can be changed.
type secret struct {
	mutex       sync.Mutex
	contentType string
	data        []byte
	err         error
	calls       int
}

func (s *secret) fetch(context.Context) (string, []byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.calls++
	return s.contentType, bytes.Clone(s.data), s.err
}

func (s *secret) set(data []byte, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.data, s.err = data, err
}

// journal collects events.
type journal struct {
	mutex  sync.Mutex
	events []outbound.Event
}

func (j *journal) observe(event outbound.Event) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.events = append(j.events, event)
}

func (j *journal) of(outcome outbound.Outcome) []outbound.Event {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	var found []outbound.Event
	for _, event := range j.events {
		if event.Outcome == outcome {
			found = append(found, event)
		}
	}
	return found
}

// asking returns a request of a server that accepts P-256 signatures.
func asking() *tls.CertificateRequestInfo {
	return &tls.CertificateRequestInfo{Version: tls.VersionTLS13, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}}
}

// watchKey closes the channel when the key in use is garbage-collected.
func watchKey(t testing.TB, own *outbound.Certificate, dropped chan struct{}) {
	t.Helper()
	cert, err := own.GetClientCertificate(asking())
	require.NoError(t, err)
	key, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	require.True(t, ok)
	runtime.AddCleanup(key, func(done chan struct{}) { close(done) }, dropped)
}

// eventually repeats the call until the answer is yes or half a minute has passed.
func eventually(t testing.TB, yes func() bool) {
	t.Helper()
	limit := time.NewTimer(unhurried)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-limit.C:
			require.Fail(t, "not in time")
		case <-tick.C:
		}
	}
}

// records stores log records.
type records struct {
	buffer bytes.Buffer
	mutex  sync.Mutex
}

func (r *records) Write(p []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.buffer.Write(p)
}

func (r *records) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *records) text() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.buffer.String()
}

func (r *records) count(part string) int { return strings.Count(r.text(), part) }

func (s *secret) count() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.calls
}
