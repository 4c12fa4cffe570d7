//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// kinds returns every kind of fault that can be injected on this machine.
func (s *soak) kinds() []*kind {
	all := append(s.authorityFaults(), s.networkFaults()...)
	all = append(all, s.storeFaults()...)
	return append(all, s.instanceFaults()...)
}

// authorityFaults are misbehaving responders and lists.
func (s *soak) authorityFaults() (all []*kind) {
	stranger := s.site.stranger.key
	at := func(name, source string, effect effect, f misbehaviour) {
		all = append(all, &kind{name: name, on: onPartner, effect: effect, begin: func(s *soak, partner int) func() {
			s.site.set(partner, source, f)
			return func() { s.site.set(partner, source, nil) }
		}})
	}
	noOCSP, noLists := effect{ocsp: true}, effect{lists: true}
	at("responder: 500", "ocsp", noOCSP, status(500))
	at("responder: 503 with Retry-After", "ocsp", noOCSP, status(503, "Retry-After", "60"))
	at("responder: 429", "ocsp", noOCSP, status(429))
	at("responder: 404", "ocsp", noOCSP, status(404))
	at("responder: redirect", "ocsp", noOCSP, status(302, "Location", "http://127.0.0.1/"))
	at("responder: hangs", "ocsp", noOCSP, hang)
	at("responder: slow", "ocsp", effect{}, slow)
	at("responder: drips", "ocsp", noOCSP, drip)
	at("responder: cut short", "ocsp", noOCSP, cut(false))
	at("responder: reset half-way", "ocsp", noOCSP, cut(true))
	at("responder: half an answer", "ocsp", noOCSP, halved)
	at("responder: garbage", "ocsp", noOCSP, garbage)
	at("responder: wrong signer", "ocsp", noOCSP, made(edition{key: stranger}))
	at("responder: expired", "ocsp", noOCSP, made(edition{late: -time.Hour}))
	at("responder: from the future", "ocsp", noOCSP, made(edition{late: time.Hour}))
	at("responder: replays an older answer", "ocsp", noOCSP, replay)
	at("responder: about another certificate", "ocsp", noOCSP, made(edition{serial: s.site.stranger.cert.SerialNumber}))
	at("responder: unknown", "ocsp", effect{ocsp: true, anything: true}, made(edition{unknown: true}))
	at("responder: tryLater", "ocsp", noOCSP, refusal(3))
	at("responder: internalError", "ocsp", noOCSP, refusal(2))
	at("responder: unauthorized", "ocsp", noOCSP, refusal(6))

	at("CRL: missing", "crl", noLists, status(404))
	at("CRL: 503", "crl", noLists, status(503))
	at("CRL: garbage", "crl", noLists, garbage)
	at("CRL: expired", "crl", noLists, made(edition{late: -2 * time.Hour}))
	at("CRL: from the future", "crl", noLists, made(edition{late: 2 * time.Hour}))
	at("CRL: older number", "crl", noLists, replay)
	at("CRL: wrong signer", "crl", noLists, made(edition{key: stranger}))
	at("CRL: too big", "crl", noLists, tooBig)
	at("CRL: hangs", "crl", noLists, hang)
	at("CRL: drips", "crl", noLists, drip)
	at("CRL: slow", "crl", effect{}, slow)
	at("CRL: cut short", "crl", noLists, cut(false))
	at("CRL: reset half-way", "crl", noLists, cut(true))

	// A list is valid without its delta.
	at("delta: wrong base", "delta", effect{}, made(edition{gap: 1_000_000}))
	at("delta: missing", "delta", effect{}, status(404))
	at("delta: hangs", "delta", effect{}, hang)
	at("delta: garbage", "delta", effect{}, garbage)
	return all
}

// networkFaults affect the path from an instance to the authorities.
func (s *soak) networkFaults() (all []*kind) {
	noSource := effect{ocsp: true, lists: true}
	all = append(
		all,
		&kind{"nginx: killed", onAll, noSource, 0, func(s *soak, _ int) func() {
			s.nginx.kill()
			return func() { must(s.nginx.start()) }
		}},
		&kind{"nginx: hangs", onAll, noSource, 0, func(s *soak, _ int) func() {
			s.nginx.signal(syscall.SIGSTOP)
			return func() { s.nginx.signal(syscall.SIGCONT) }
		}},
		&kind{"nginx: killed for a moment", onAll, noSource, 0, func(s *soak, _ int) func() {
			s.nginx.kill()
			time.Sleep(50 * time.Millisecond)
			must(s.nginx.start())
			return func() {}
		}},
	)
	for name, f := range map[string]nameFault{
		"names: do not exist": namesMissing, "names: server fails": namesFail, "names: server hangs": namesHang,
		"names: lead where nobody listens": namesElsewhere, "names: lead to a forbidden address": namesForbidden,
	} {
		all = append(all, &kind{name, onPartner, noSource, 0, func(s *soak, partner int) func() {
			s.names.set(partner, f)
			return func() { s.names.set(partner, namesWork) }
		}})
	}
	return all
}

// storeFaults must neither exclude nor admit any client.
func (s *soak) storeFaults() []*kind {
	ctx := context.Background()
	all := []*kind{
		{"Redis: killed", onAll, effect{}, 0, func(s *soak, _ int) func() {
			s.redis.kill()
			return func() { must(s.redis.start()) }
		}},
		{"Redis: hangs", onAll, effect{}, 0, func(s *soak, _ int) func() {
			s.redis.signal(syscall.SIGSTOP)
			return func() { s.redis.signal(syscall.SIGCONT) }
		}},
		{"Redis: flushed", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.repeatedly(func() { s.redisClient.FlushAll(ctx) })
		}},
		{"Redis: holds garbage", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.repeatedly(func() { s.rewriteRedis(func([][]byte) []byte { return []byte("\x30\x82garbage") }) })
		}},
		{"Redis: gives out another key's value", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.repeatedly(func() { s.rewriteRedis(func(all [][]byte) []byte { return all[0] }) })
		}},
		{"Redis: goes back to older values", onAll, effect{}, 0, func(s *soak, _ int) func() {
			old := s.dumpRedis()
			return s.repeatedly(func() {
				for key, value := range old {
					s.redisClient.Set(ctx, key, value, time.Minute)
				}
			})
		}},
		{"directory: moved away", onAll, effect{}, 0, func(s *soak, _ int) func() {
			away := s.storeDir + ".away"
			must(os.Rename(s.storeDir, away))
			must(os.WriteFile(s.storeDir, nil, 0o600))
			return func() {
				must(os.Remove(s.storeDir))
				must(os.Rename(away, s.storeDir))
			}
		}},
		{"directory: garbage", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.repeatedly(func() { s.rewriteFiles(func(string, [][]byte) []byte { return []byte("garbage") }) })
		}},
		{"directory: another file's contents", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.repeatedly(func() { s.rewriteFiles(func(_ string, all [][]byte) []byte { return all[0] }) })
		}},
		{"directory: emptied", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.repeatedly(func() { s.rewriteFiles(func(string, [][]byte) []byte { return nil }) })
		}},
	}
	if s.hasDisk { // the stores have their own file system
		all = append(all, &kind{"directory: full", onAll, effect{}, 0, func(s *soak, _ int) func() {
			filler := filepath.Join(filepath.Dir(s.storeDir), "filler")
			fill(filler)
			return func() { must(os.Remove(filler)) }
		}})
	}
	return all
}

// instanceFaults affect a service and its operator.
func (s *soak) instanceFaults() []*kind {
	step := func(by time.Duration) func(*soak, int) func() {
		return func(s *soak, which int) func() {
			s.instances[which].clock.set(by)
			return func() { s.instances[which].clock.set(0) }
		}
	}
	file := func(f func(path string)) func(*soak, int) func() {
		return func(s *soak, partner int) func() {
			release := s.operator.holdBack(partner, f)
			return release
		}
	}
	// A clock without a monotonic reading has to catch up with the times that were recorded while
	// it was ahead.
	return []*kind{
		{"clock: 30 s ahead", onInstance, effect{}, 0, step(30 * time.Second)},
		{"clock: 12 min ahead", onInstance, effect{ocsp: true, lists: true, operator: true, anything: true}, inReal(12 * time.Minute), step(12 * time.Minute)},
		{"clock: 12 min behind", onInstance, effect{ocsp: true, lists: true, operator: true, anything: true}, inReal(12 * time.Minute), step(-12 * time.Minute)},
		{"instance: restarted", onInstance, effect{}, 0, func(s *soak, which int) func() {
			s.instances[which].start()
			return func() {}
		}},
		{"instance: Refresh", onInstance, effect{}, 0, func(s *soak, which int) func() {
			return s.beside(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				_ = s.instances[which].running.Load().checker.Refresh(ctx) // other faults may make it fail
			})
		}},
		{"clients: many new ones at once", onAll, effect{}, 0, func(s *soak, _ int) func() {
			return s.beside(func() { s.crowd(60) })
		}},
		{"operator's CRL: garbage", onPartner, effect{operator: true}, 0, file(func(path string) { must(os.WriteFile(path, []byte("garbage"), 0o600)) })},
		{"operator's CRL: removed", onPartner, effect{operator: true}, 0, file(func(path string) { _ = os.Remove(path) })},
		{"operator's CRL: not renewed", onPartner, effect{operator: true}, 0, file(func(string) {})},
		{"operator's CRL: half written", onPartner, effect{operator: true}, 0, file(func(path string) {
			if der, err := os.ReadFile(path); err == nil {
				must(os.WriteFile(path, der[:len(der)/2], 0o600))
			}
		})},
	}
}

// beside runs f in a goroutine and returns a function that waits for it.
func (s *soak) beside(f func()) (end func()) {
	var under sync.WaitGroup
	under.Go(f)
	return under.Wait
}

// repeatedly runs f every quarter of a second.
func (s *soak) repeatedly(f func()) (end func()) {
	done := make(chan struct{})
	stopped := s.beside(func() {
		for {
			f()
			select {
			case <-done:
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
	})
	return func() {
		close(done)
		stopped()
	}
}
