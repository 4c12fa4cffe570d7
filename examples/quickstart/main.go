// Quickstart shows a service that is protected by client certificates behind Azure App Service,
// entirely on loopback. It makes a partner's CA and valid and invalid client certificates, starts
// the service, a simulation of App Service's front end, and the CA's OCSP responder and CRLs,
// sends real requests, and prints the outcome of each.
//
//	go run ./examples/quickstart          # the table; exit status 1 if a row is wrong
//	go run ./examples/quickstart -serve   # keeps running and prints curl commands to try
//
// Read service.go first: it is the part to copy.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

const intro = `A service protected by certauth, behind a simulated App Service front end, both on loopback.
Each row is a real request. A refused caller sees only the status.

`

const next = `
Read next: README.md, for sources, policies and reasons.
           go doc ./certauth/forwarded AppService, for the requirements on your site.
           go doc ./certauth/revocation, for the checks of revoked certificates.
           go doc ./certauth/outbound, for the application's own certificate.
           .github/RUNBOOK.md, for renewals, emergencies and outages.
`

func main() {
	serving := flag.Bool("serve", false, "keep the service running and print curl commands to try")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tb := &program{}
	if *serving {
		serve(ctx, tb, os.Stdout, os.Stderr)
		tb.exit(0)
	}
	if wrong := quickstart(ctx, tb, os.Stdout); wrong > 0 {
		tb.exit(1)
	}
	tb.exit(0)
}

// quickstart starts everything, prints the table, and returns the number of wrong rows.
func quickstart(ctx context.Context, tb certauthtest.TB, out io.Writer) int {
	tb.Helper()
	say(tb, out, "Making CAs and certificates, and starting a service, a front end and a responder ...\n")
	w := newWorld(tb, nil)
	say(tb, out, "Starting two partners and the application that calls them ...\n")
	own := newCaller(ctx, tb)
	rows := w.rows()
	say(tb, out, "Making %d calls ...\n\n", len(rows))
	say(tb, out, intro)
	wrong := play(ctx, tb, out, w, rows)
	wrong += playOwn(ctx, tb, out, own.rows(tb))
	say(tb, out, next)
	return wrong
}

// say prints, or ends the program if the output cannot be written.
func say(tb certauthtest.TB, out io.Writer, format string, args ...any) {
	tb.Helper()
	if _, err := fmt.Fprintf(out, format, args...); err != nil {
		tb.Fatalf("print: %v", err)
	}
}

// program is the certauthtest.TB of a program that is not a test.
type program struct{ cleanups []func() }

// Helper implements certauthtest.TB.
func (p *program) Helper() {}

// Cleanup registers f to run at the end of the program.
func (p *program) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// Fatalf prints the error, runs the cleanups and ends the program.
func (p *program) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "quickstart: "+format+"\n", args...)
	p.exit(1)
}

// exit runs the cleanups in reverse order and ends the program. Each is removed from the list
// before it runs, because one that fails calls exit again.
func (p *program) exit(status int) {
	for len(p.cleanups) > 0 {
		last := p.cleanups[len(p.cleanups)-1]
		p.cleanups = p.cleanups[:len(p.cleanups)-1]
		last()
	}
	os.Exit(status)
}
