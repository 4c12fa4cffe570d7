package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// contestant is one server of the comparison.
type contestant struct {
	name  string
	node  bool
	share int // it gets one request in share: it takes that much longer, and is measured as well
	what  string
}

// The first one is what the others are divided by.
var contestants = []contestant{
	{"bare", false, 1, "Go net/http, the header is not looked at"},
	{"control", false, 1, "the same once more: what differs here is noise"},
	{"certauth", false, 1, "ours: gate on the peer, chain, key pin, DNS name"},
	{"byhand", false, 8, "Go by hand: parse, dates, key pin, chain, DNS name"},
	{"node", true, 4, "node http, the header is not looked at"},
	{"node-cca", true, 8, "client-certificate-auth on node http, fingerprint"},
	{"node-cca-chain", true, 16, "the same, dates and chain signatures checked"},
	{"express", true, 8, "Express, the header is not looked at"},
	{"express-cca", true, 16, "client-certificate-auth on Express, fingerprint"},
	{"express-cca-chain", true, 16, "the same, dates and chain signatures checked"},
}

// plan says how much is measured.
type plan struct {
	rounds, requests, connections int
	contestants                   []contestant
	kinds                         []string
}

// sample is one server in one round.
type sample struct {
	cpu       time.Duration // of the server, a request
	perSecond float64
}

// results holds the rounds of each server, by kind and name.
type results map[string]map[string][]sample

// starter starts the named server with the certificates in dir.
type starter func(ctx context.Context, c contestant, dir string) (*process, error)

// measure starts all servers of a kind, and then, round after round, loads each in turn.
// Every other round runs backwards, so that none always follows the same neighbour. The first
// one is not counted: node compiles what runs often, and ours has the certificate to verify.
func (p plan) measure(ctx context.Context, start starter, dir string, m material) (_ map[string][]sample, err error) {
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
	samples := map[string][]sample{}
	for round := range p.rounds + 1 {
		order := make([]int, len(running))
		for i := range order {
			order[i] = i
		}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, i := range order {
			n := max(p.requests/p.contestants[i].share, p.connections)
			s, err := p.one(ctx, running[i], request, n)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", running[i].name, err)
			}
			if round > 0 {
				samples[running[i].name] = append(samples[running[i].name], s)
			}
		}
	}
	return samples, nil
}

// one warms up with a quarter of the requests on the same connections, then measures.
func (p plan) one(ctx context.Context, server *process, request []byte, n int) (sample, error) {
	c, err := dial(ctx, server.address, p.connections, request)
	if err != nil {
		return sample{}, err
	}
	defer c.close()
	if err := c.send(n / 4); err != nil {
		return sample{}, err
	}
	before, err := cpuTime(server.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	if err := c.send(n); err != nil {
		return sample{}, err
	}
	elapsed := time.Since(began)
	after, err := cpuTime(server.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	return sample{cpu: (after - before) / time.Duration(n), perSecond: float64(n) / elapsed.Seconds()}, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratio is the median over rounds of the processor time of one server in relation to that
// of another in the same round, with the lowest and the highest.
func ratio(of, to []sample) (mid, low, high float64) {
	values := make([]float64, len(of))
	for i := range of {
		values[i] = float64(of[i].cpu) / float64(to[i].cpu)
	}
	return median(values), slices.Min(values), slices.Max(values)
}
