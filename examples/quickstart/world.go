package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// world is everything that runs: the service, the front end, the partner's CA, and the files that
// the service reads.
type world struct {
	certs   certificates
	clock   *clock
	dir     string // only accessible to this user, removed at the end
	roots   string // PEM files in dir
	issuing string
	app     string // the service's own address, which callers should never reach
	front   *certauthtest.AppService
	journal *journal
}

// newWorld starts everything on loopback. It stops with the Cleanup functions of tb.
func newWorld(tb certauthtest.TB, logger *slog.Logger) *world {
	tb.Helper()
	w := &world{clock: &clock{}, dir: tempDir(tb), journal: &journal{}}
	publish := newPublisher(tb, w.clock)
	w.certs = newCertificates(tb, publish)
	w.roots = w.write(tb, "roots.pem", w.certs.partner.root.PEM())
	w.issuing = w.write(tb, "issuing.pem", w.certs.partner.issuing.PEM())

	checkers, err := newCheckers(publish.network(tb), w.clock.now, logger)
	if err != nil {
		tb.Fatalf("the checkers' configuration: %v", err)
	}
	tb.Cleanup(checkers.close) // runs after the shutdown of the service, which is started later
	service, err := newService(settings{
		// The option states openly that no platform is in front of this process. Setting
		// WEBSITE_SITE_NAME and WEBSITE_INSTANCE_ID here would work too, but the service would
		// then claim to run on App Service, and anyone who copied such a line into a deployment
		// would disable the check that it does.
		source:   forwarded.AppService{InsecureOutsideAppService: true},
		roots:    w.roots,
		issuing:  w.issuing,
		pin:      thumbprint(w.certs.second),
		checkers: checkers,
		reload:   50 * time.Millisecond, // short, so that the program need not wait
		now:      w.clock.now,
		logger:   logger,
		observe:  w.journal.observe,
	})
	if err != nil {
		tb.Fatalf("the service's configuration: %v", err)
	}
	w.app = start(tb, service)
	w.front = certauthtest.NewAppService(tb, w.app)
	return w
}

// start serves on a free loopback port and returns the address.
func start(tb certauthtest.TB, server *http.Server) string {
	tb.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("listen: %v", err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close() // a request that does not end must not delay the exit
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Fatalf("serve: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// revokeLeaver revokes the certificate at the partner's CA. The service is not told.
func (w *world) revokeLeaver(tb certauthtest.TB) {
	tb.Helper()
	w.certs.partner.responder.Revoke(w.certs.leaver.SerialNumber, keyCompromise)
}

// wait moves the clock by the time for which a checker relies on a remembered OCSP answer: one
// hour, plus or minus a tenth. The evidence itself would be valid for a day.
func (w *world) wait(tb certauthtest.TB) {
	tb.Helper()
	w.clock.putForward(70 * time.Minute)
}

// rotate replaces the old CA by the partner's next CA while the service runs. Each file is
// complete before it is renamed to the old one's name, so the service never reads a part of it.
//
// A real change has a step in between: keep both CAs in the files until every client has its new
// certificate, and only then remove the old one.
func (w *world) rotate(tb certauthtest.TB) {
	tb.Helper()
	for name, pem := range map[string][]byte{w.roots: w.certs.next.root.PEM(), w.issuing: w.certs.next.issuing.PEM()} {
		complete := w.write(tb, filepath.Base(name)+".new", pem)
		if err := os.Rename(complete, name); err != nil {
			tb.Fatalf("rotate: %v", err)
		}
	}
}

// write makes a file that only this user can read.
func (w *world) write(tb certauthtest.TB, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(w.dir, name)
	writeFile(tb, path, content)
	return path
}

func writeFile(tb certauthtest.TB, path string, content []byte) {
	tb.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatalf("write: %v", err)
	}
}

func tempDir(tb certauthtest.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "certauth-quickstart-")
	if err != nil {
		tb.Fatalf("temporary directory: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // errors do not matter at the end
	return dir
}
