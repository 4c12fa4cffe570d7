// Command bench measures the cost of checking a forwarded client certificate: with this library, by
// hand, with a hand-written handler that gives the same guarantees, and with npm's
// client-certificate-auth. See README.md.
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
	"regexp"
	"runtime"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

func main() {
	log.SetFlags(0)
	server := flag.String("server", "", "serve as `name` instead of measuring: bare, control, byhand, floor or certauth")
	dir := flag.String("dir", "", "`folder` with the certificates, for -server")
	into := flag.String("report", "", "write the report to this `file` instead of standard output")
	short := flag.Bool("short", false, "measure little, for a first look")
	node := flag.Bool("node", true, "measure the servers below ./node too; needs node and npm")
	only := flag.String("only", "", "measure the parts whose name this `pattern` matches; there is no -report then")
	flag.Parse()

	var err error
	if *server != "" {
		err = serve(*server, *dir)
	} else {
		err = measureAll(context.Background(), *into, *only, *node, *short)
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
	// All servers have the timeouts and ConnContext, so that their cost is the same.
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

// liveBytes is the memory that the process holds while it measures. In an almost empty heap the
// garbage collector runs every few milliseconds and costs more than the short rows themselves.
const liveBytes = 64 << 20

// sizes is the amount of measuring.
type sizes struct {
	effort      effort
	identities  int // whose memory is measured
	collected   int // identities in a collection
	collections int // rounds of collections
	entries     int // of the big list
	roots       int
	endToEnd    plan
	flood       floodPlan
}

var (
	full = sizes{
		effort:     effort{rounds: 101, mostRounds: 303, slice: 3 * time.Millisecond, clients: 1024, pool: 128},
		identities: 3000, collected: 20_000, collections: 3, entries: 1_000_000, roots: 100,
		endToEnd: plan{rounds: 25, requests: 3000, connections: 32, contestants: contestants},
		flood:    floodPlan{rounds: 15, window: 400 * time.Millisecond, connections: 16, pool: 50_000},
	}
	quick = sizes{
		effort:     effort{rounds: 15, mostRounds: 15, slice: 2 * time.Millisecond, clients: 128, pool: 64},
		identities: 1000, collected: 10_000, collections: 1, entries: 100_000, roots: 20,
		endToEnd: plan{rounds: 5, requests: 2000, connections: 16, contestants: contestants},
		flood:    floodPlan{rounds: 3, window: 200 * time.Millisecond, connections: 16, pool: 8000},
	}
)

// part is a separate measurement. Parts run one after the other, so that none keeps another's data.
type part struct {
	name string
	run  func(*listener) (section, error)
}

// inProcess returns the parts that need no other process.
func inProcess(z sizes) []part {
	compared := func(c *comparison, err error) func(*listener) (section, error) {
		return func(l *listener) (section, error) {
			if err != nil {
				return section{}, err
			}
			return c.measure(l, z.effort)
		}
	}
	var parts []part
	for _, kind := range kinds {
		parts = append(parts,
			part{"known " + kind, func(l *listener) (section, error) { return compared(knownCallers(kind, 1))(l) }},
			part{"known " + kind + " many", func(l *listener) (section, error) { return compared(knownCallers(kind, z.effort.clients))(l) }})
	}
	for _, kind := range kinds {
		parts = append(parts, part{"first " + kind, func(l *listener) (section, error) { return compared(firstRequests(kind, z.effort.pool))(l) }})
	}
	return append(parts,
		part{"allocations", allocations},
		part{"identities", func(l *listener) (section, error) { return identities(l, z.identities) }},
		part{"collections", func(l *listener) (section, error) { return collections(l, z.collected, z.collections) }},
		part{"roots", func(l *listener) (section, error) { return compared(sameNames(z.roots))(l) }},
		part{"chains", func(l *listener) (section, error) { return compared(chainCounts())(l) }},
		part{"parallel", func(l *listener) (section, error) { return parallel(l, z.effort.clients, z.effort) }},
		part{"list", func(l *listener) (section, error) { return bigList(l, z.entries, z.effort.clients, z.effort) }},
	)
}

// acrossProcesses returns the parts that load servers.
func acrossProcesses(ctx context.Context, h *host, z sizes) []part {
	var parts []part
	for _, processors := range []int{1, 2} {
		if processors <= runtime.NumCPU() {
			parts = append(parts, part{fmt.Sprint("flood ", processors), func(*listener) (section, error) { return flood(ctx, h, processors, z.flood) }})
		}
	}
	for _, kind := range kinds {
		parts = append(parts, part{"end to end " + kind, func(*listener) (section, error) { return endToEnd(ctx, h, kind, z.endToEnd) }})
	}
	return parts
}

func measureAll(ctx context.Context, into, only string, withNode, short bool) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if into != "" && (only != "" || !withNode || short) {
		return errors.New("a report has all parts, in full: leave out -only, -node=false and -short")
	}
	if _, err := cpuTime(0); err != nil {
		return err
	}
	z := full
	if short {
		z = quick
	}
	if !withNode {
		z.endToEnd.contestants = goOnly(z.endToEnd.contestants)
	}
	about := machine()
	l, err := newListener()
	if err != nil {
		return err
	}
	defer l.Close()
	var sections []section
	measure := func(parts []part) error {
		for _, p := range parts {
			if !wanted.MatchString(p.name) {
				continue
			}
			begun := time.Now()
			s, err := p.run(l)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			log.Printf("%s: %s", p.name, time.Since(begun).Round(time.Second))
			sections = append(sections, s)
		}
		return nil
	}
	live := make([]byte, liveBytes)
	if err := measure(inProcess(z)); err != nil {
		return err
	}
	runtime.KeepAlive(live)
	h, err := newHost(ctx, withNode) // it binds this process to one processor, so it comes last
	if err != nil {
		return err
	}
	if h.versions != "" {
		about = append(about, h.versions)
	}
	about = append(about, h.arrangement)
	if err := measure(acrossProcesses(ctx, h, z)); err != nil {
		return err
	}
	text := report(about, sections)
	if into == "" {
		_, err = fmt.Print(text)
		return err
	}
	return os.WriteFile(into, []byte(text), 0o644) //nolint:gosec // it is for everybody to read
}
