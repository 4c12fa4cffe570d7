package certauth_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// runbook goes through the days for which the runbook is written, and keeps the log.
type runbook struct {
	mutex  sync.Mutex
	log    bytes.Buffer
	logger *slog.Logger
	clock  *clock
	folder string
}

func (b *runbook) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.log.Write(p)
}

func (b *runbook) lines() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return strings.Split(strings.TrimSpace(b.log.String()), "\n")
}

func (b *runbook) write(t *testing.T, name string, content ...[]byte) string {
	t.Helper()
	path := filepath.Join(b.folder, name)
	replaceFile(t, path, slices.Concat(content...))
	return path
}

func newRunbook(t *testing.T) *runbook {
	t.Helper()
	b := &runbook{clock: newClock(), folder: t.TempDir()}
	b.logger = slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		if text := a.Value.String(); a.Value.Kind() == slog.KindString {
			return slog.String(a.Key, strings.ReplaceAll(text, b.folder+string(filepath.Separator), ""))
		}
		return a
	}}))
	return b
}

// gate is a service with the policy of the README and the emergency list.
func (b *runbook) gate(t *testing.T, checker certauth.RevocationChecker) *certauth.Authenticator {
	t.Helper()
	policy := certauth.All{
		certauth.Chain{Roots: certauth.PEMFile(filepath.Join(b.folder, "partner-roots.pem")), Intermediates: certauth.PEMFile(filepath.Join(b.folder, "partner-issuing.pem"))},
		certauth.DNSNames{"orders.partner.example"},
	}
	if checker != nil {
		policy = append(policy, certauth.NotRevoked{Checker: checker})
	}
	t.Setenv("WEBSITE_SITE_NAME", "orders")
	t.Setenv("WEBSITE_INSTANCE_ID", "0123")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{}, Policy: withDenied(policy), Logger: b.logger, Now: b.clock.now, LogRepeats: true,
	})
	require.NoError(t, err)
	return auth
}

func (b *runbook) ask(t *testing.T, auth *certauth.Authenticator, client *certauthtest.Certificate) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/orders", http.NoBody)
	certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, client)
	w := httptest.NewRecorder()
	auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w.Code
}

// Every log line in the runbook is really written on such a day, and the entries of the emergency
// list are those that the runbook's commands print.
func TestRunbook_TheLogLinesAreReal(t *testing.T) {
	b := newRunbook(t)
	t.Run("a record alone", b.recordsAlone)
	t.Run("inbound", b.inbound)
	t.Run("responder", b.responder)
	t.Run("roots end", b.rootsEnd)
	t.Run("own certificate", b.own)

	text, err := os.ReadFile("../.github/RUNBOOK.md")
	require.NoError(t, err)
	written, shown := b.lines(), 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "level=") {
			continue
		}
		shown++
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$")
		assert.True(t, slices.ContainsFunc(written, pattern.MatchString), "never written: %s", line)
	}
	assert.Greater(t, shown, 15)
	if t.Failed() {
		t.Log(strings.Join(written, "\n"))
	}
}

func (b *runbook) inbound(t *testing.T) {
	name := certauthtest.DNS("orders.partner.example")
	root, next := certauthtest.NewCA(t, "Partner Root"), certauthtest.NewCA(t, "Partner Root 2")
	issuing, nextIssuing := root.NewIntermediate(t, "Partner Issuing"), next.NewIntermediate(t, "Partner Issuing 2")
	client, renewed := issuing.Issue(t, "orders", name), nextIssuing.Issue(t, "orders", name)
	b.write(t, "partner-roots.pem", root.PEM())
	b.write(t, "partner-issuing.pem", issuing.PEM())
	auth := b.gate(t, nil)
	assert.Equal(t, http.StatusOK, b.ask(t, auth, client))

	// The partner's CA rotates.
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, renewed))
	b.write(t, "partner-roots.pem", []byte("-----BEGIN CERT"))
	require.Error(t, auth.Reload(t.Context()))
	b.write(t, "partner-roots.pem", root.PEM(), next.PEM())
	b.write(t, "partner-issuing.pem", issuing.PEM(), nextIssuing.PEM())
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, http.StatusOK, b.ask(t, auth, client))
	assert.Equal(t, http.StatusOK, b.ask(t, auth, renewed))

	// A partner is refused.
	for _, refused := range []*certauthtest.Certificate{
		nil,
		issuing.Issue(t, "orders", certauthtest.DNS("orders.eu.partner.example")),
		issuing.Issue(t, "orders", name, certauthtest.Usage(x509.ExtKeyUsageServerAuth)),
		issuing.Issue(t, "orders", name, certauthtest.Valid(b.clock.now().AddDate(0, -2, 0), b.clock.now().AddDate(0, 0, -1))),
	} {
		assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, refused))
	}

	// One certificate is blocked, then a CA.
	leaf := b.write(t, "leaf.pem", client.PEM())
	t.Setenv("DENIED_CERTIFICATES", b.blocked(t, leaf, client))
	blocked := b.gate(t, nil)
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, blocked, client))
	assert.Equal(t, http.StatusOK, b.ask(t, blocked, renewed))
	t.Setenv("DENIED_CERTIFICATES", "")
	b.stolenKey(t, leaf, issuing)
	ca := b.write(t, "issuing.pem", issuing.PEM())
	t.Setenv("DENIED_KEYS", b.keyOf(t, ca, issuing.Certificate))
	blocked = b.gate(t, nil)
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, blocked, client))
	assert.Equal(t, http.StatusOK, b.ask(t, blocked, renewed))
	t.Setenv("DENIED_KEYS", "")
}

// finding N48: for a stolen key, the runbook blocked one certificate by its serial number, so that the
// thief was still accepted with another certificate for the same key.
func (b *runbook) stolenKey(t *testing.T, file string, issuing *certauthtest.CA) {
	t.Helper()
	name := certauthtest.DNS("orders.partner.example")
	client := issuing.Issue(t, "orders", name)
	sameKey := issuing.IssueFor(t, client.Key, "orders", name)
	b.write(t, filepath.Base(file), client.PEM())
	t.Setenv("DENIED_KEYS", b.keyOf(t, file, client.Certificate))
	blocked := b.gate(t, nil)
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, blocked, client))
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, blocked, sameKey), "another certificate for the stolen key")
	assert.Equal(t, http.StatusOK, b.ask(t, blocked, issuing.Issue(t, "orders", name)))
	t.Setenv("DENIED_KEYS", "")
}

// blocked returns the entry for one certificate, using the runbook's command if openssl is
// installed.
func (b *runbook) blocked(t *testing.T, file string, client *certauthtest.Certificate) string {
	t.Helper()
	entry := strings.ToUpper(client.SerialNumber.Text(16)) + " CN=Partner Issuing,O=certauthtest"
	if out, ok := b.openssl(t, "openssl x509 -in "+file+" -noout -serial -issuer -nameopt RFC2253"); ok {
		lines := strings.Split(strings.TrimSpace(out), "\n")
		require.Len(t, lines, 2)
		serial, issuer := strings.TrimPrefix(strings.TrimSpace(lines[0]), "serial="), strings.TrimSpace(strings.TrimPrefix(lines[1], "issuer="))
		assert.Equal(t, entry, strings.TrimLeft(serial, "0")+" "+issuer)
		entry = serial + " " + issuer
	}
	return entry
}

// keyOf returns the entry for the key of a certificate.
func (b *runbook) keyOf(t *testing.T, file string, of *x509.Certificate) string {
	t.Helper()
	sum := thumbprint(&x509.Certificate{Raw: of.RawSubjectPublicKeyInfo})
	if out, ok := b.openssl(t, "openssl x509 -in "+file+" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256"); ok {
		_, digest, _ := strings.Cut(strings.TrimSpace(out), "= ")
		assert.Equal(t, sum, digest)
	}
	return sum
}

// openssl runs a command of the runbook with another file.
func (b *runbook) openssl(t *testing.T, command string) (string, bool) {
	t.Helper()
	text, err := os.ReadFile("../.github/RUNBOOK.md")
	require.NoError(t, err)
	shown := strings.ReplaceAll(command, b.folder+string(filepath.Separator), "")
	assert.Contains(t, string(text), shown)
	if _, err := exec.LookPath("openssl"); err != nil {
		return "", false
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
	require.NoError(t, err)
	return string(out), true
}

func (b *runbook) responder(t *testing.T) {
	root := certauthtest.NewCA(t, "Partner Root")
	responder := certauthtest.NewResponder(t, root)
	responder.SetClock(b.clock.now)
	server := httptest.NewServer(responder)
	t.Cleanup(server.Close)
	b.write(t, "partner-roots.pem", root.PEM())
	b.write(t, "partner-issuing.pem", root.PEM())
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	checker, err := revocation.New(revocation.Config{
		Logger: b.logger, Now: b.clock.now,
		HTTP: revocation.HTTPOptions{AllowNets: []netip.Prefix{netip.PrefixFrom(address.Addr(), address.Addr().BitLen())}, AllowPorts: []int{int(address.Port())}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, checker.Close()) })
	auth := b.gate(t, checker)
	named := []certauthtest.Template{certauthtest.DNS("orders.partner.example"), certauthtest.OCSPAt(server.URL)}
	known, unknown, bad := root.Issue(t, "orders", named...), root.Issue(t, "orders", named...), root.Issue(t, "orders", named...)
	responder.Revoke(bad.SerialNumber, 1)
	assert.Equal(t, http.StatusOK, b.ask(t, auth, known))
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, bad))

	responder.SetFault(certauthtest.Down)
	assert.Equal(t, http.StatusOK, b.ask(t, auth, known))
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, unknown))
	require.Error(t, checker.Refresh(t.Context()))
	responder.SetFault(certauthtest.Healthy)
	require.NoError(t, checker.Refresh(t.Context()))
	assert.Equal(t, http.StatusOK, b.ask(t, auth, unknown))
}

func (b *runbook) rootsEnd(t *testing.T) {
	now := b.clock.now()
	until := func(at time.Time) certauthtest.Template {
		return certauthtest.Valid(now.AddDate(-1, 0, 0), at)
	}
	root := certauthtest.NewCA(t, "Partner Root", until(now.AddDate(0, 0, 20)))
	stray := certauthtest.NewCA(t, "Other Root").NewIntermediate(t, "Stray Issuing")
	b.write(t, "partner-roots.pem", root.PEM())
	b.write(t, "partner-issuing.pem", stray.PEM())
	auth := b.gate(t, nil)
	client := root.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	assert.Equal(t, http.StatusOK, b.ask(t, auth, client))
	b.clock.advance(21 * 24 * time.Hour)
	assert.Equal(t, http.StatusUnauthorized, b.ask(t, auth, client))
	b.clock.advance(-21 * 24 * time.Hour)
}

func (b *runbook) own(t *testing.T) {
	now := b.clock.now()
	ca, partnerCA := certauthtest.NewCA(t, "Contoso CA"), certauthtest.NewCA(t, "Partner CA")
	pem := func(leaf *certauthtest.Certificate) []byte { return slices.Concat(leaf.PEM(), leaf.KeyPEM(t)) }
	issue := func(from, to time.Time) []byte { return pem(ca.Issue(t, "orders", certauthtest.Valid(from, to))) }
	downstream := func(clients *certauthtest.CA) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		known := x509.NewCertPool()
		known.AddCert(clients.Certificate)
		server := partnerCA.Issue(t, "partner", certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.IP("127.0.0.1"), certauthtest.Valid(now.AddDate(-1, 0, 0), now.AddDate(5, 0, 0)))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{server.TLS()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known, MinVersion: tls.VersionTLS12}
		s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	good, stranger := downstream(ca), downstream(partnerCA)

	folder := filepath.Join(b.folder, "private")
	require.NoError(t, os.Mkdir(folder, 0o700))
	t.Setenv("WEBSITE_PRIVATE_CERTS_PATH", folder)
	b.write(t, "private/old.pem", issue(now.AddDate(0, -11, 0), now.AddDate(0, 0, 20)))
	own, err := outbound.Open(t.Context(), outbound.Config{
		Source: outbound.AppService{}, Select: outbound.Select{Subject: "CN=orders,O=certauthtest"},
		ServerRoots: outbound.File{Path: b.write(t, "partner-ca.pem", partnerCA.PEM())},
		Interval:    time.Hour, Logger: b.logger, Now: b.clock.now,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, own.Close()) })
	// The goroutine of the certificate writes the warning before it looks for a newer one.
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(b.lines(), func(line string) bool { return strings.Contains(line, "outbound: warned") })
	}, time.Minute, time.Millisecond)
	call := func(server *httptest.Server) error {
		transport, err := own.Transport(nil)
		require.NoError(t, err)
		client := &http.Client{Transport: transport}
		defer client.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
		require.NoError(t, err)
		response, err := client.Do(r)
		if err == nil {
			_ = response.Body.Close()
		}
		return err
	}
	require.NoError(t, call(good))
	require.Error(t, call(stranger))

	require.NoError(t, os.Remove(filepath.Join(folder, "old.pem")))
	require.Error(t, own.Reload(t.Context()))
	b.write(t, "private/new.pem", issue(now.AddDate(0, 0, -1), now.AddDate(1, 0, 0)))
	require.NoError(t, own.Reload(t.Context()))
	require.NoError(t, call(good))

	require.NoError(t, os.Remove(filepath.Join(folder, "new.pem")))
	b.clock.advance(400 * 24 * time.Hour)
	require.Error(t, call(good))
}
