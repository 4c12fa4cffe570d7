// Command bench compares what it costs a server to check a forwarded client certificate:
// by this library, by hand, and by npm's client-certificate-auth. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

func main() {
	log.SetFlags(0)
	server := flag.String("server", "", "serve as `name` instead of measuring: bare, byhand or certauth")
	dir := flag.String("dir", "", "`folder` with the certificates, for -server")
	node := flag.Bool("node", true, "measure the servers below ./node too; needs node and npm")
	rounds := flag.Int("rounds", 7, "rounds over all servers")
	requests := flag.Int("requests", 60000, "requests to the bare handler in a round, 10000 or more; slower servers get a fixed part")
	connections := flag.Int("connections", 32, "connections kept open")
	flag.Parse()

	var err error
	if *server != "" {
		err = serve(*server, *dir)
	} else {
		err = compare(context.Background(), *node, plan{rounds: *rounds, requests: *requests, connections: *connections, contestants: contestants, kinds: kinds})
	}
	if err != nil {
		log.Fatal("bench: ", err)
	}
}

// serve prints its address and serves until its standard input ends.
func serve(name, dir string) error {
	m, err := readMaterial(dir)
	if err != nil {
		return err
	}
	handler, err := newHandler(name, m)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens as long as the process lives
	if err != nil {
		return err
	}
	// The timeouts and ConnContext are everybody's, so that none pays for them alone.
	server := &http.Server{
		Handler:           handler,
		ConnContext:       certauth.ConnContext,
		ReadHeaderTimeout: 10 * time.Second,
	}
	fmt.Println(listener.Addr())
	go func() {
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			log.Print("bench: ", err)
		}
		os.Exit(0)
	}()
	return server.Serve(listener)
}

// fatal is what certauthtest needs of a test, for a program.
type fatal struct{}

func (fatal) Helper()                           {}
func (fatal) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
func (fatal) Cleanup(func())                    {} // certificates leave nothing behind

// fewest is how many requests take the fastest server more than ten steps of /proc's count.
const fewest = 10000

func compare(ctx context.Context, withNode bool, p plan) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("processor time is read from /proc, which is Linux's; this is %s", runtime.GOOS)
	}
	if p.rounds < 1 || p.connections < 1 || p.requests < fewest {
		return fmt.Errorf("%d rounds of %d requests on %d connections: want one round, %d requests and one connection or more", p.rounds, p.requests, p.connections, fewest)
	}
	versions := []string{fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)}
	if withNode {
		said, err := nodeVersions(ctx, "node")
		if err != nil {
			return err
		}
		versions = append(versions, said)
	} else {
		p.contestants = goOnly(p.contestants)
	}
	serverCPU, loadCPU, pinned := cores()
	where := "servers and load share their processors: no taskset, or fewer than two"
	if pinned {
		if err := pinSelf(ctx, loadCPU); err != nil {
			return err
		}
		where = "servers on one processor, load on another"
	}
	measured := results{}
	for _, kind := range p.kinds {
		samples, err := p.kind(ctx, kind, serverCPU)
		if err != nil {
			return err
		}
		measured[kind] = samples
	}
	fmt.Printf("%s; %s. %d rounds, %d connections, %d requests to the bare handler in each.\n",
		strings.Join(versions, ", "), where, p.rounds, p.connections, p.requests)
	fmt.Print(p.report(measured))
	return nil
}

func goOnly(all []contestant) []contestant {
	var some []contestant
	for _, c := range all {
		if !c.node {
			some = append(some, c)
		}
	}
	return some
}

func (p plan) kind(ctx context.Context, kind, cpu string) (_ map[string][]sample, err error) {
	dir, err := os.MkdirTemp("", "certauth-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := newMaterial(fatal{}, dir, kind)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return p.measure(ctx, starterOn(cpu, self, "node"), dir, m)
}

// starterOn starts the Go servers from the program self and the others from nodeDir, on one
// processor unless cpu is empty.
func starterOn(cpu, self, nodeDir string) starter {
	return func(ctx context.Context, c contestant, dir string) (*process, error) {
		command, workdir := []string{self, "-server", c.name, "-dir", dir}, ""
		if c.node {
			command, workdir = []string{"node", "server.mjs", c.name, dir}, nodeDir
		}
		if cpu != "" {
			command = append([]string{"taskset", "-c", cpu}, command...)
		}
		return start(ctx, c.name, workdir, command...)
	}
}
