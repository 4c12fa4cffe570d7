package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// command is a line to paste into a shell, with the expected status.
type command struct {
	what   string
	status int
	line   string
}

// serve keeps everything running until ctx ends. Refusals are written to log as a service would
// log them.
func serve(ctx context.Context, tb certauthtest.TB, out, log io.Writer) {
	tb.Helper()
	w := newWorld(tb, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	say(tb, out, "Paste these into another terminal. Each line names the expected status.\n")
	for _, c := range w.commands(tb) {
		say(tb, out, "\n%s: %d\n%s\n", c.what, c.status, c.line)
	}
	say(tb, out, "\nStop with Ctrl-C; the files are removed then. Refusals are logged here, with the reason:\n\n")
	<-ctx.Done()
}

// commands writes the files that the commands need, including the client's key. They are removed
// with the directory at the end.
func (w *world) commands(tb certauthtest.TB) []command {
	tb.Helper()
	orders := w.certs.orders
	serverCA := quoted(w.write(tb, "front-end-ca.pem", w.front.ServerCA.PEM()))
	certificate := quoted(w.write(tb, "orders.pem", orders.PEM()))
	key := quoted(w.write(tb, "orders.key", orders.KeyPEM(tb)))
	header := quoted("@" + w.write(tb, "forged-header.txt", []byte(clientCertHeader+": "+orders.Base64()+"\n")))

	front := "curl -sSi --cacert " + serverCA
	return []command{
		{"good partner", http.StatusOK, front + " --cert " + certificate + " --key " + key + " " + w.front.URL + "/"},
		{"no certificate", http.StatusUnauthorized, front + " " + w.front.URL + "/"},
		{"forged header, through the front end", http.StatusUnauthorized, front + " -H " + header + " " + w.front.URL + "/"},
		{"forged header, straight to the service", http.StatusUnauthorized, "curl -sSi -H " + header + " " + w.app + "/"},
		{"health probe", http.StatusOK, front + " " + w.front.URL + "/health"},
	}
}

// quoted quotes a text for a shell, which does not understand all escapes of %q.
func quoted(s string) string { return `"` + s + `"` }
