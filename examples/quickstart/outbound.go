package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

const otherDirection = `
The other direction: the application calls partners with a client certificate of its own (package outbound).

`

// The names of the certificates, with which the partner answers.
const (
	firstOwn  = "the first certificate"
	secondOwn = "the second certificate"
)

// ownRow is one event in the life of the application's own certificate.
type ownRow struct {
	what string
	want string
	do   func(ctx context.Context) string
}

// caller is an application that calls two partners: one trusts its CA, the other does not.
type caller struct {
	ca                *certauthtest.CA
	file              string
	own               *outbound.Certificate
	client            *http.Client
	partner, stranger *httptest.Server
	late              atomic.Int64 // the amount by which the application's clock is ahead
}

func newCaller(ctx context.Context, tb certauthtest.TB) *caller {
	tb.Helper()
	servers, other := certauthtest.NewCA(tb, "Servers' CA"), certauthtest.NewCA(tb, "Another CA")
	c := &caller{ca: certauthtest.NewCA(tb, "Application's CA"), file: filepath.Join(tempDir(tb), "own.pem")}
	c.partner, c.stranger = newPartner(tb, servers, c.ca), newPartner(tb, servers, other)
	c.renew(tb, firstOwn)
	roots := filepath.Join(filepath.Dir(c.file), "roots.pem")
	writeFile(tb, roots, servers.PEM())
	own, err := outbound.Open(ctx, outbound.Config{
		Source: outbound.File{Path: c.file}, ServerRoots: outbound.File{Path: roots},
		Interval: time.Second,                                                              // short, so that the program need not wait
		Now:      func() time.Time { return time.Now().Add(time.Duration(c.late.Load())) }, // a clock that can be moved forward
	})
	if err != nil {
		tb.Fatalf("outbound: %v", err)
	}
	tb.Cleanup(func() { _ = own.Close() })
	transport, err := own.Transport(nil)
	if err != nil {
		tb.Fatalf("outbound: %v", err)
	}
	c.own, c.client = own, &http.Client{Transport: transport, Timeout: patience}
	return c
}

// newPartner is a server that requires a client certificate of a CA, and answers with its name.
func newPartner(tb certauthtest.TB, servers, clients *certauthtest.CA) *httptest.Server {
	tb.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.PeerCertificates[0].Subject.CommonName) //nolint:gosec // only read by this program
	}))
	trusted := x509.NewCertPool()
	trusted.AddCert(clients.Certificate)
	certificate := servers.Issue(tb, "partner", certauthtest.IP("127.0.0.1"), certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{certificate.TLS()}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: trusted, MinVersion: tls.VersionTLS12,
	}
	server.EnableHTTP2 = true
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // refused handshakes are shown as rows
	server.StartTLS()
	tb.Cleanup(server.Close)
	return server
}

// renew writes a new certificate under a temporary name and renames it to the file.
func (c *caller) renew(tb certauthtest.TB, name string, change ...certauthtest.Template) {
	tb.Helper()
	issued := c.ca.Issue(tb, name, change...)
	writeFile(tb, c.file+".new", append(issued.PEM(), issued.KeyPEM(tb)...))
	if err := os.Rename(c.file+".new", c.file); err != nil {
		tb.Fatalf("rename: %v", err)
	}
}

// call returns the name that the server saw, or the reason why there was no response.
func (c *caller) call(ctx context.Context, server *httptest.Server) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		return err.Error()
	}
	response, err := c.client.Do(request)
	if err != nil {
		if known, ok := errors.AsType[*outbound.Error](err); ok {
			return string(known.Reason)
		}
		return err.Error()
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	return cmp.Or(string(name), fmt.Sprint(err))
}

// callers is the number of concurrent callers while the certificate is renewed.
const callers = 8

// underTraffic makes callers call continuously over HTTP/2, renews the certificate when each has
// had a response, and continues until each was answered under the second name. The application is
// not told about the renewal: it checks the file.
func (c *caller) underTraffic(ctx context.Context, renew func()) string {
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	var group, begun sync.WaitGroup
	begun.Add(callers)
	failed := make(chan string, callers)
	for range callers {
		group.Go(func() {
			got := c.call(ctx, c.partner)
			begun.Done()
			for got == firstOwn {
				got = c.call(ctx, c.partner)
			}
			if got != secondOwn {
				failed <- got
			}
		})
	}
	begun.Wait()
	renew()
	group.Wait()
	select {
	case got := <-failed:
		return got
	default:
		return firstOwn + ", then the second, no call failed"
	}
}

func (c *caller) rows(tb certauthtest.TB) []ownRow {
	tb.Helper()
	return []ownRow{
		{"calls a partner", firstOwn, func(ctx context.Context) string { return c.call(ctx, c.partner) }},
		{"renewed on disk, under the traffic of 8 callers", firstOwn + ", then the second, no call failed", func(ctx context.Context) string {
			return c.underTraffic(ctx, func() { c.renew(tb, secondOwn) })
		}},
		{"calls a partner who trusts another CA", string(outbound.ReasonRefusedUnknownCA), func(ctx context.Context) string { return c.call(ctx, c.stranger) }},
		{"its certificate has expired since", string(outbound.ReasonCertificateExpired), func(ctx context.Context) string {
			now := time.Now()
			c.renew(tb, "the third certificate", certauthtest.Valid(now.Add(-time.Hour), now.Add(time.Hour)))
			if err := c.own.Reload(ctx); err != nil {
				return err.Error()
			}
			c.late.Store(int64(90 * time.Minute))
			return c.call(ctx, c.partner)
		}},
	}
}

// playOwn prints a line for each row and returns the number of unexpected outcomes.
func playOwn(ctx context.Context, tb certauthtest.TB, out io.Writer, rows []ownRow) (wrong int) {
	tb.Helper()
	say(tb, out, otherDirection)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(tb, table, "\t\tWHAT THE APPLICATION DOES\tTHE PARTNER SAW, OR WHY NOT\tWANTED\n")
	for i, row := range rows {
		mark, got := "ok", row.do(ctx)
		if got != row.want {
			mark = "WRONG"
			wrong++
		}
		say(tb, table, "%s\t%d\t%s\t%s\t%s\n", mark, i+1, row.what, got, row.want)
	}
	if err := table.Flush(); err != nil {
		tb.Fatalf("print: %v", err)
	}
	say(tb, out, "\n%d of %d rows are as wanted. No connection went on without the certificate.\n", len(rows)-wrong, len(rows))
	return wrong
}
