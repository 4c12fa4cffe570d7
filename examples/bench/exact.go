package main

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

const titleAllocations = "What a known caller's request allocates"

// allocations counts the allocations of a known caller's request, including the final handler, which
// allocates nothing.
func allocations(l *listener) (section, error) {
	c, err := knownCallers("p256", 1)
	if err != nil {
		return section{}, err
	}
	s := section{title: titleAllocations}
	for _, contender := range c.contenders {
		var allocs, octets aim
		switch contender.name {
		case rowBase, rowFloor:
		case rowChain, rowFull:
			allocs, octets = atMost(2), atMost(344)
		default:
			continue
		}
		t := &track{contender: contender}
		if err := t.begin(l); err != nil {
			return section{}, err
		}
		n, size, err := counted(t.run)
		t.end()
		if err != nil {
			return section{}, err
		}
		s.figures = append(s.figures,
			figure{contender.name + ", allocations", exactly(n), allocs},
			figure{contender.name + ", bytes", exactly(size), octets})
	}
	return s, nil
}

// counted returns the allocations and bytes of one run, the smallest of several, because the runtime
// itself allocates at times.
func counted(run func(n int) error) (allocs, octets float64, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const tries, runs = 5, 1000
	for try := range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := run(runs); err != nil {
			return 0, 0, err
		}
		runtime.ReadMemStats(&after)
		n, size := (after.Mallocs-before.Mallocs)/runs, (after.TotalAlloc-before.TotalAlloc)/runs
		if try == 0 || float64(n) < allocs {
			allocs = float64(n)
		}
		if try == 0 || float64(size) < octets {
			octets = float64(size)
		}
	}
	return allocs, octets, nil
}

// identities measures the memory for a caller, without the header that was sent.
func identities(l *listener, n int) (section, error) {
	s := section{title: "Memory of an identity"}
	w, err := newWorld("p256", "Partner")
	if err != nil {
		return section{}, err
	}
	m, err := w.material()
	if err != nil {
		return section{}, err
	}
	plain, err := w.issue(n, w.leaf)
	if err != nil {
		return section{}, err
	}
	rich, err := w.issue(n, w.rich)
	if err != nil {
		return section{}, err
	}
	for _, c := range []struct {
		what    string
		headers []string
		aim     aim
	}{{"a plain leaf", plain, atMost(6000)}, {"a leaf with URI, mail and OCSP", rich, atMost(7500)}} {
		auth, err := library(m, certauth.Config{})
		if err != nil {
			return section{}, err
		}
		before := heap()
		if err := visit(l, auth, c.headers); err != nil {
			return section{}, err
		}
		each := (heap() - before) / float64(auth.Remembered())
		der := len(c.headers[0]) / 4 * 3
		s.figures = append(s.figures, figure{fmt.Sprintf("bytes kept of %s (%d bytes of DER)", c.what, der), exactly(each), c.aim})
		runtime.KeepAlive(auth)
	}
	runtime.KeepAlive(plain)
	runtime.KeepAlive(rich)
	return s, nil
}

func library(m material, config certauth.Config) (*certauth.Authenticator, error) {
	config.Source, config.Policy = appService, fullPolicy(m)
	return certauth.New(config)
}

// visit sends each header once.
func visit(l *listener, auth *certauth.Authenticator, headers []string) error {
	server := &http.Server{Handler: auth.Handler(endOfIdentity())} //nolint:gosec // it never serves
	r, end, err := l.request(server, false)
	if err != nil {
		return err
	}
	defer end()
	return loop(server.Handler, r, headers, http.StatusOK)(len(headers))
}

// heap returns the size of the live heap.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
