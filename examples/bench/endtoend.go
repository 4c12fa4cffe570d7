package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// contestant is one server of the comparison.
type contestant struct {
	name  string
	node  bool
	share int // it receives 1/share of the requests, because each takes that much longer
	what  string
}

// The others are divided by the first one.
var contestants = []contestant{
	{"bare", false, 1, "Go net/http, the header is not looked at"},
	{"control", false, 1, "the same once more: what differs here is noise"},
	{"certauth", false, 1, "ours: gate on the peer, evidence, chain, key pin, DNS name"},
	{"byhand", false, 4, "Go by hand: parse, dates, key pin, chain, DNS name"},
	{"floor", false, 1, "the floor handler, without the gate on the peer"},
	{"node", true, 2, "node http, the header is not looked at"},
	{"node-cca", true, 8, "client-certificate-auth on node http, fingerprint"},
	{"node-cca-chain", true, 16, "the same, dates and chain signatures checked"},
	{"express", true, 4, "Express, the header is not looked at"},
	{"express-cca", true, 8, "client-certificate-auth on Express, fingerprint"},
	{"express-cca-chain", true, 16, "the same, dates and chain signatures checked"},
}

func goOnly(all []contestant) []contestant {
	return slices.DeleteFunc(slices.Clone(all), func(c contestant) bool { return c.node })
}

// plan is the amount of end-to-end measuring.
type plan struct {
	rounds, requests, connections int
	contestants                   []contestant
}

// starter starts the named server with the certificates in dir.
type starter func(ctx context.Context, c contestant, dir string) (*process, error)

// sampled is the processor time of each server for a request, in nanoseconds, in one round.
type sampled map[string]float64

// measure starts all servers and loads each of them in every round. Each round begins with another
// server, and every other round runs backwards. The first round is four times as long and not
// counted, because node compiles frequent code, and our server verifies the certificate once.
func (p plan) measure(ctx context.Context, start starter, dir string, m material) (_ []sampled, err error) {
	var running []*process
	defer func() {
		for _, s := range running {
			err = errors.Join(err, s.stop())
		}
	}()
	for _, c := range p.contestants {
		s, err := start(ctx, c, dir)
		if err != nil {
			return nil, err
		}
		running = append(running, s)
	}
	request := requestText(m.header())
	var rounds []sampled
	for round := range p.rounds + 1 {
		samples := sampled{}
		for i := range running {
			at := (i + round) % len(running)
			if round%2 == 1 {
				at = len(running) - 1 - at
			}
			n := max(p.requests/p.contestants[at].share, p.connections)
			if round == 0 {
				n *= 4
			}
			if samples[running[at].name], err = p.one(ctx, running[at], request, n); err != nil {
				return nil, fmt.Errorf("%s: %w", running[at].name, err)
			}
		}
		if round > 0 {
			rounds = append(rounds, samples)
		}
	}
	return rounds, nil
}

// one warms up with a quarter of the requests on the same connections, then measures.
func (p plan) one(ctx context.Context, server *process, request []byte, n int) (float64, error) {
	c, err := dial(ctx, server.address, p.connections, request)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if err := c.send(n / 4); err != nil {
		return 0, err
	}
	before, err := cpuTime(server.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := c.send(n); err != nil {
		return 0, err
	}
	after, err := cpuTime(server.cmd.Process.Pid)
	return float64(after-before) / float64(n), err
}

// figuresOf computes the figures of the rounds. Figures whose server did not run are omitted.
func (p plan) figuresOf(rounds []sampled) []figure {
	var figures []figure
	add := func(name string, aim aim, of func(s sampled) float64, needs ...string) {
		values := make([]float64, 0, len(rounds))
		for _, s := range rounds {
			for _, need := range needs {
				if _, there := s[need]; !there {
					return
				}
			}
			values = append(values, of(s))
		}
		figures = append(figures, figure{name, spreadOf(values), aim})
	}
	ratio := func(name, of, to string, aim aim) {
		add(name, aim, func(s sampled) float64 { return s[of] / s[to] }, of, to)
	}
	aboveControl := func(what, of string, aim aim) {
		add(what+", above the control, to the bare handler", aim, func(s sampled) float64 {
			return 1 + (s[of]-s["control"])/s["bare"]
		}, of, "control", "bare")
	}
	aboveControl("this library", "certauth", atMost(1.03))
	aboveControl("the floor handler", "floor", aim{})
	ratio("client-certificate-auth on node http, to this library", "node-cca", "certauth", atLeast(15))
	ratio("client-certificate-auth on Express, to this library", "express-cca", "certauth", atLeast(25))
	ratio("the same with chain signatures checked, to this library", "express-cca-chain", "certauth", atLeast(35))
	for _, c := range p.contestants[1:] {
		ratio(fmt.Sprintf("`%s` (%s), to `bare`", c.name, c.what), c.name, "bare", aim{})
	}
	return figures
}

// host describes the processors for servers and load, and starts servers.
type host struct {
	self, nodeDir         string
	serverCPU, bothCPU    string // empty if they are not bound
	versions, arrangement string
}

func newHost(ctx context.Context, withNode bool) (*host, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &host{self: self, arrangement: "servers and load share their processors"}
	if withNode {
		h.nodeDir = "node"
		if h.versions, err = nodeVersions(ctx, h.nodeDir); err != nil {
			return nil, err
		}
	}
	server, load, found := cores()
	if !found {
		return h, nil
	}
	if err := pinSelf(ctx, load); err != nil {
		return nil, err
	}
	h.serverCPU, h.bothCPU, h.arrangement = server, server+","+load, "servers run on one processor, the load on another"
	return h, nil
}

// on returns a starter of servers on the given processors, or on any if cpus is empty. processors is
// their GOMAXPROCS; 0 means the default.
func (h *host) on(cpus string, processors int) starter {
	return func(ctx context.Context, c contestant, dir string) (*process, error) {
		command, workdir := []string{h.self, "-server", c.name, "-dir", dir}, ""
		if c.node {
			command, workdir = []string{"node", "server.mjs", c.name, dir}, h.nodeDir
		}
		if processors > 0 {
			command = append([]string{"env", fmt.Sprint("GOMAXPROCS=", processors)}, command...)
		}
		if cpus != "" {
			command = append([]string{"taskset", "-c", cpus}, command...)
		}
		return start(ctx, c.name, workdir, command...)
	}
}

// endToEnd measures real servers with real requests.
func endToEnd(ctx context.Context, h *host, kind string, p plan) (s section, err error) {
	s.title = fmt.Sprintf("Server processor time of a request, end to end (%s)", kind)
	dir, err := os.MkdirTemp("", "certauth-bench-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, _, err := newMaterial(dir, kind)
	if err != nil {
		return s, err
	}
	rounds, err := p.measure(ctx, h.on(h.serverCPU, 0), dir, m)
	if err != nil {
		return s, err
	}
	s.figures = p.figuresOf(rounds)
	var micros []string
	for _, name := range []string{"bare", "certauth"} {
		var values []float64
		for _, r := range rounds {
			values = append(values, r[name])
		}
		micros = append(micros, fmt.Sprintf("%s %.0f µs", name, spreadOf(values).mid/float64(time.Microsecond)))
	}
	s.note = "For orientation only, on this machine: " + strings.Join(micros, ", ") + " of the server's processor a request."
	return s, nil
}
