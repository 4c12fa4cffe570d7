package certauthtest_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// bodyReader reads the body of a request of a server.
type bodyReader func(header textproto.MIMEHeader, from *bufio.Reader)

// byLength reads a body of the length that the header says, and by that alone.
func byLength(header textproto.MIMEHeader, from *bufio.Reader) {
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 32)
	if err == nil {
		_, _ = io.CopyN(io.Discard, from, length)
	}
}

// handmadeServer serves HTTP/1.1 with a reader of bodies of its own, in front of a sound check.
func handmadeServer(t *testing.T, auth *certauth.Authenticator, read bodyReader) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				stream := bufio.NewReader(conn)
				for more := true; more; {
					more = answersOne(t, auth, conn, stream, read)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// answersOne reports whether the connection goes on.
func answersOne(t *testing.T, auth *certauth.Authenticator, conn net.Conn, stream *bufio.Reader, read bodyReader) bool {
	t.Helper()
	lines := textproto.NewReader(stream)
	first, err := lines.ReadLine()
	words := strings.Split(first, " ")
	if err != nil || len(words) != 3 {
		return false
	}
	header := textproto.MIMEHeader{}
	for line := " "; line != "" && err == nil; { // ReadMIMEHeader is strict
		if line, err = lines.ReadLine(); line != "" {
			name, value, _ := strings.Cut(line, ":")
			header.Add(name, strings.Trim(value, " \t"))
		}
	}
	status := http.StatusBadRequest
	if r, made := http.NewRequestWithContext(t.Context(), words[0], words[1], http.NoBody); err == nil && made == nil && words[2] == "HTTP/1.1" && words[0] != http.MethodConnect {
		read(header, stream)
		r.Header, r.RequestURI = http.Header(header), words[1]
		status = http.StatusUnauthorized
		if _, err := auth.Check(certauthtest.WithPeer(t, r, "tcp", conn.RemoteAddr().String())); err == nil {
			status = http.StatusOK
		}
	}
	closes := status == http.StatusBadRequest || header.Get("Upgrade") != "" || strings.Contains(strings.ToLower(header.Get("Connection")), "close")
	answer := fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Length: 0\r\n", status)
	if closes {
		answer += "Connection: close\r\n"
	}
	_, err = io.WriteString(conn, answer+"\r\n")
	return err == nil && !closes
}

// finding N133: the requests that a body hides were not noticed when they were answered.
func TestTestHandler_FindsTheRequestThatABodyHides(t *testing.T) {
	chunks := func(_ textproto.MIMEHeader, from *bufio.Reader) {
		for {
			size, err := from.ReadString('\n')
			if err != nil || strings.TrimSpace(size) == "0" {
				_, _ = from.ReadString('\n')
				return
			}
			n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 32)
			if err != nil {
				return
			}
			_, _ = io.CopyN(io.Discard, from, n+2)
		}
	}
	for _, tc := range []struct {
		name string
		rows []string
		read bodyReader
	}{
		{"by the first length, if it can be read", []string{"two lengths that differ", "a length with a sign"}, byLength},
		{"in chunks, if that is a part of the encoding", []string{"a chunked body and a length"}, func(header textproto.MIMEHeader, from *bufio.Reader) {
			if strings.HasPrefix(header.Get("Transfer-Encoding"), "chunked") {
				chunks(header, from)
				return
			}
			byLength(header, from)
		}},
		{"in chunks, if that is the encoding after trimming", []string{"Transfer-Encoding with a vertical tab"}, func(header textproto.MIMEHeader, from *bufio.Reader) {
			if strings.TrimSpace(header.Get("Transfer-Encoding")) == "chunked" {
				chunks(header, from)
				return
			}
			byLength(header, from)
		}},
		{"not at all", []string{"a request in the body"}, func(textproto.MIMEHeader, *bufio.Reader) {}},
		{"to the end of a form", []string{"a request behind a form in the body"}, func(header textproto.MIMEHeader, from *bufio.Reader) {
			if !strings.HasPrefix(header.Get("Content-Type"), "multipart/form-data") {
				byLength(header, from)
				return
			}
			for line := ""; line != "--x--\r\n"; {
				var err error
				if line, err = from.ReadString('\n'); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{Source: sources["Nginx"](forwarded.Peers("127.0.0.1")), Policy: p.policy()})
			require.NoError(t, err)
			test := p.test("Nginx") // whose flags the hidden request needs too
			test.URL, test.Exempt = handmadeServer(t, auth, tc.read), ""
			assert.Subset(t, wrongRows(t, nil, test), tc.rows)
		})
	}
}

// finding N136: services that speak HTTP/1 alone, and services that close the connection after a refusal,
// failed.
func TestTestHandler_AServiceMayBeSimple(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: sources["Traefik"](forwarded.Peers("127.0.0.1")), Policy: p.policy()})
	require.NoError(t, err)
	test := p.test("Traefik")
	test.Exempt = ""
	closes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := auth.Check(r); err != nil {
			w.Header().Set("Connection", "close")
		}
		auth.Handler(orders).ServeHTTP(w, r)
	})
	certauthtest.TestHandler(t, closes, test)

	test.Configure = func(server *http.Server) error {
		server.Protocols = new(http.Protocols)
		server.Protocols.SetHTTP1(true)
		return auth.ConfigureServer(server)
	}
	r := &recorder{t: t}
	certauthtest.TestHandler(r, orders, test)
	assert.Empty(t, r.fatal)
	assert.Contains(t, r.log, "where the service does not speak HTTP/2 over TLS")

	server := newTLSServer(t, auth.Handler(orders))
	test.Configure, test.URL = nil, server
	r = &recorder{t: t}
	certauthtest.TestHandler(r, nil, test)
	assert.Empty(t, r.fatal)
	assert.Contains(t, r.log, "where the service does not speak HTTP/2 over TLS")
}

// newTLSServer serves HTTP/1.1 alone.
func newTLSServer(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // forged requests cause many errors
	server.Config.ConnContext, server.Config.DisableGeneralOptionsHandler = certauth.ConnContext, true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
