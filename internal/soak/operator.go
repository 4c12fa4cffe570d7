//go:build linux

package main

import (
	"os"
	"path/filepath"
	"sync"
	"time"
)

// operator keeps the CRLs of every authority in a directory, as a real operator's script does.
type operator struct {
	dir         string
	authorities []*authority

	mu   sync.Mutex
	held map[int]int // how many faults stop the renewal of a partner's files
}

// holdBack changes a partner's files with f and stops their renewal until release is called.
func (o *operator) holdBack(partner int, f func(path string)) (release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held[partner]++
	for _, a := range o.authorities {
		if a.partner == partner {
			f(o.path(a))
		}
	}
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.held[partner]--
		o.publish()
	}
}

func (o *operator) path(a *authority) string { return filepath.Join(o.dir, a.name+".crl") }

// publish writes the newest lists. Readers see either the old file or the new one.
func (o *operator) publish() {
	for _, a := range o.authorities {
		if o.held[a.partner] > 0 {
			continue
		}
		temporary := filepath.Join(o.dir, "."+a.name)
		must(os.WriteFile(temporary, a.base().der, 0o600))
		must(os.Rename(temporary, o.path(a)))
	}
}

func (o *operator) run(done <-chan struct{}) {
	for {
		o.mu.Lock()
		o.publish()
		o.mu.Unlock()
		select {
		case <-done:
			return
		case <-time.After(inReal(time.Minute)):
		}
	}
}
