//go:build unix

package forwarded_test

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// visit is one request that a client sends to a front end.
type visit struct {
	path    string                    // "/" if empty
	shows   *certauthtest.Certificate // presented in the handshake; nil for none
	lines   []string                  // header lines, sent unchanged
	trailer []string                  // trailer lines
	http2   bool
	tls     *tls.Config // replaces the configuration that presents the certificate
}

// The outcomes of a visit, in addition to the reasons of certauth.
const (
	accepted    = "accepted"                    // as the client that made the handshake
	forged      = "accepted, with a forged one" // as another client, which the go-live probe looks for
	noHandshake = "no handshake"                // the front end refuses the certificate
	answers400  = "the front end answers 400"   // itself: no byte reaches the app
	answers500  = "the front end answers 500"   // likewise
)

// Short names of reasons, for tables.
const (
	missing    = string(certauth.ReasonCertificateMissing)
	malformed  = string(certauth.ReasonCertificateMalformed)
	unverified = string(certauth.ReasonFrontEndUnverified)
	untrusted  = string(certauth.ReasonChainUntrusted)
	expired    = string(certauth.ReasonCertificateExpired)
	stranger   = string(certauth.ReasonSourceUntrusted)
)

// answer is what the client receives.
type answer struct {
	status  int // 0: no answer
	tls     tls.ConnectionState
	proto   int
	refused error
}

// visit sends the request to the front end and returns its outcome.
func (a *app) visit(t *testing.T, c *cast, front *running, v visit) (string, answer, sighting) {
	t.Helper()
	a.forget()
	if v.tls == nil {
		v.tls = c.tlsConfig(v.shows)
	}
	got := v.send(t, front.address)
	saw := a.sighted()
	return outcome(t, v, got, saw), got, saw
}

// outcome returns the outcome of a visit in one word.
func outcome(t *testing.T, v visit, got answer, saw sighting) string {
	t.Helper()
	switch {
	case saw.bytes == 0 && got.status == 0:
		return noHandshake
	case saw.bytes == 0:
		return fmt.Sprintf("the front end answers %d", got.status)
	case saw.event.Outcome == "":
		return fmt.Sprintf("net/http answers %d", got.status)
	case saw.event.Outcome == certauth.OutcomeDenied:
		assert.Equal(t, http.StatusUnauthorized, got.status)
		assert.Nil(t, saw.handed, "the handler ran")
		return string(saw.event.Reason())
	}
	assert.Equal(t, certauth.OutcomeAccepted, saw.event.Outcome)
	assert.Equal(t, http.StatusOK, got.status)
	if v.shows == nil || saw.event.Identity.Thumbprint() != v.shows.Thumbprint() {
		return forged
	}
	return accepted
}

func (v visit) send(t *testing.T, address string) answer {
	t.Helper()
	if v.http2 {
		return v.sendHTTP2(t, address)
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: v.tls}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return answer{refused: err}
	}
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	var request strings.Builder
	request.WriteString("POST " + cmp.Or(v.path, "/") + " HTTP/1.1\r\nHost: localhost\r\n")
	for _, line := range v.lines {
		request.WriteString(line + "\r\n")
	}
	if v.trailer == nil {
		request.WriteString("Content-Length: 0\r\n\r\n")
	} else {
		request.WriteString("Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + strings.Join(v.trailer, "\r\n") + "\r\n\r\n")
	}
	// A front end that refuses may close the connection before it has read everything; its answer
	// counts.
	_, _ = conn.Write([]byte(request.String()))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{refused: err}
	}
	_ = response.Body.Close()
	return answer{status: response.StatusCode, tls: conn.(*tls.Conn).ConnectionState(), proto: response.ProtoMajor}
}

func (v visit) sendHTTP2(t *testing.T, address string) answer {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: v.tls, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+address+cmp.Or(v.path, "/"), http.NoBody)
	require.NoError(t, err)
	r.Host = "localhost"
	for _, line := range v.lines {
		name, value := cutHeader(line)
		r.Header[name] = append(r.Header[name], value)
	}
	response, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return answer{refused: err}
	}
	_ = response.Body.Close()
	return answer{status: response.StatusCode, tls: *response.TLS, proto: response.ProtoMajor}
}

func cutHeader(line string) (name, value string) {
	name, value, _ = strings.Cut(line, ": ")
	return name, value
}

// convention describes how a front end writes a certificate, for forging it.
type convention struct {
	header string   // of the leaf
	says   []string // the lines that say "verified"
	write  func(*certauthtest.Certificate) string
}

// forge returns the header lines that the front end would write for the certificate.
func (c convention) forge(of *certauthtest.Certificate) []string {
	return append([]string{c.header + ": " + c.write(of)}, c.says...)
}

// respell changes the names in header lines.
func respell(lines []string, change *strings.Replacer) []string {
	var changed []string
	for _, line := range lines {
		name, value := cutHeader(line)
		changed = append(changed, change.Replace(name)+": "+value)
	}
	return changed
}

var (
	swapped = strings.NewReplacer("-", "_", "_", "-")
	dotted  = strings.NewReplacer("-", ".", "_", ".")
)
