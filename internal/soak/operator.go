//go:build linux

package main

import (
	"os"
	"path/filepath"
	"sync"
	"time"
)

// operator keeps the CRLs of every authority in a directory, as a script of a real one does.
type operator struct {
	dir         string
	authorities []*authority

	mu   sync.Mutex
	held map[int]int // partners whose files are left as they are
}

// holdBack does something to a partner's files and leaves them like that.
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

// publish writes the newest lists. Readers see the old file or the new one.
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
