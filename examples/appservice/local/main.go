// Local runs a service that is built for Azure App Service on this machine, without changes: in a
// folder with a partner's CAs, with the environment that the platform sets, and behind a
// simulation of the platform's front end. It prints curl commands to try.
//
//	go run ./examples/appservice/local                    # examples/appservice
//	go run ./examples/appservice/local COMMAND [ARGS]     # a service of your own
//
// The service must listen on $PORT. It finds partner-roots.pem and partner-issuing.pem in its
// working directory, and the paths of both in CLIENT_CA_FILE and CLIENT_ISSUING_CA_FILE.
// Everything is on loopback, generated for each run, and removed at the end.
package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

const service = "github.com/seed2886b8ae/go-certauth/examples/appservice"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tb := &program{}
	run(ctx, tb, os.Stdout, os.Stderr, os.Args[1:])
	tb.exit(0)
}

// run starts everything, prints the commands, and waits until ctx or the service ends.
func run(ctx context.Context, tb certauthtest.TB, out, log io.Writer, command []string) {
	tb.Helper()
	folder, err := os.MkdirTemp("", "appservice-local")
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(folder) })
	say(tb, out, "Making a partner's CAs and certificates ...\n")
	partner := newPartner(tb, folder)
	if len(command) == 0 {
		say(tb, out, "Building %s ...\n", service)
		command = []string{build(ctx, tb, folder, log)}
	} else if command[0], err = absolute(command[0]); err != nil {
		tb.Fatalf("%v", err)
	}

	address := freeAddress(ctx, tb)
	ended := start(ctx, tb, folder, address, log, command)
	say(tb, out, "Waiting for the service at %s ...\n", address)
	wait(ctx, tb, address, ended)
	front := certauthtest.NewAppService(tb, "http://"+address)
	say(tb, out, "\nPaste these into another terminal. Each line names the expected status.\n")
	for _, c := range partner.commands(tb, front, address) {
		say(tb, out, "\n%s: %d\n%s\n", c.what, c.status, c.line)
	}
	say(tb, out, "\nStop with Ctrl-C. Log of the service:\n\n")
	select {
	case <-ctx.Done():
	case err := <-ended:
		tb.Fatalf("the service ended: %v", err)
	}
}

// build compiles the service of this module.
func build(ctx context.Context, tb certauthtest.TB, folder string, log io.Writer) string {
	tb.Helper()
	program := filepath.Join(folder, "service")
	command := exec.CommandContext(ctx, "go", "build", "-o", program, service) //nolint:gosec // a path of this program
	command.Stderr = log
	if err := command.Run(); err != nil {
		tb.Fatalf("go build: %v", err)
	}
	return program
}

// absolute resolves the program's path now, because the service runs in another folder.
func absolute(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// freeAddress returns a loopback address that was free a moment ago. Its port is below those that
// systems assign on their own, so that no outgoing connection or listener on port 0 takes it before
// the service does.
func freeAddress(ctx context.Context, tb certauthtest.TB) string {
	tb.Helper()
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(2_000)) //nolint:gosec // nothing secret
		var listener net.Listener
		if listener, err = new(net.ListenConfig).Listen(ctx, "tcp", address); err == nil {
			_ = listener.Close()
			return address
		}
	}
	tb.Fatalf("no free port: %v", err)
	return ""
}

// start runs the service as App Service does. The channel receives the error with which it ended.
func start(ctx context.Context, tb certauthtest.TB, folder, address string, log io.Writer, command []string) <-chan error {
	tb.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	ctx, stop := context.WithCancel(ctx)
	process := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the user's own command line
	process.Dir, process.Stdout, process.Stderr = folder, log, log
	process.WaitDelay = 5 * time.Second
	process.Env = append(os.Environ(), "PORT="+port, "WEBSITE_SITE_NAME=local", "WEBSITE_INSTANCE_ID=local",
		"CLIENT_CA_FILE="+filepath.Join(folder, rootsFile), "CLIENT_ISSUING_CA_FILE="+filepath.Join(folder, issuingFile))
	if err := process.Start(); err != nil {
		stop()
		tb.Fatalf("%v", err)
	}
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		ended <- process.Wait()
	}()
	tb.Cleanup(func() {
		stop()
		<-gone
	})
	return ended
}

// wait returns when the service listens.
func wait(ctx context.Context, tb certauthtest.TB, address string, ended <-chan error) {
	tb.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-again.C:
		case err := <-ended:
			tb.Fatalf("the service ended before it listened on $PORT: %v", err)
		case <-ctx.Done():
			tb.Fatalf("the service does not listen on %s: %v", address, err)
		}
	}
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
	fmt.Fprintf(os.Stderr, "local: "+format+"\n", args...)
	p.exit(1)
}

// exit runs the cleanups in reverse order and ends the program.
func (p *program) exit(status int) {
	for len(p.cleanups) > 0 {
		last := p.cleanups[len(p.cleanups)-1]
		p.cleanups = p.cleanups[:len(p.cleanups)-1]
		last()
	}
	os.Exit(status)
}

// quoted quotes a text for a shell, which does not understand all escapes of %q.
func quoted(s string) string { return `"` + s + `"` }
