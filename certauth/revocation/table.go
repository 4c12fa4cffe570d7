package revocation

import (
	"crypto/x509"
	"hash/maphash"
	"sync"
	"time"
)

const tableShards = 16

// table is the bounded memory of certificates. It keeps those in use.
type table struct {
	seed     maphash.Seed
	perShard int
	spread   uint64 // shards in use: fewer for a very small table
	shards   [tableShards]shard
}

type shard struct {
	mu      sync.RWMutex
	count   int
	records map[uint64]*record
}

func newTable(most int) *table {
	spread := max(1, min(most, tableShards))
	t := &table{seed: maphash.MakeSeed(), perShard: max(1, most/spread), spread: uint64(spread)}
	for i := range t.shards {
		t.shards[i].records = map[uint64]*record{}
	}
	return t
}

// hash chooses the bucket. The serial number varies enough, and only a CA can choose it.
func (t *table) hash(cert *x509.Certificate) uint64 {
	tail := cert.RawTBSCertificate
	return maphash.Bytes(t.seed, tail[:min(len(tail), 64)]) // version, serial number, algorithm, issuer's beginning
}

func (t *table) find(cert, issuer *x509.Certificate) *record {
	h := t.hash(cert)
	s := &t.shards[h%t.spread]
	s.mu.RLock()
	defer s.mu.RUnlock()
	for r := s.records[h]; r != nil; r = r.next {
		if r.is(cert, issuer) {
			return r
		}
	}
	return nil
}

// add keeps the record, or returns the one that another goroutine added first.
func (t *table) add(fresh *record, cert, issuer *x509.Certificate, now time.Time) *record {
	h := t.hash(cert)
	s := &t.shards[h%t.spread]
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := s.records[h]; r != nil; r = r.next {
		if r.is(cert, issuer) {
			return r
		}
	}
	for s.count >= t.perShard && s.evict() {
	}
	fresh.used.Store(now.Unix())
	fresh.next = s.records[h]
	s.records[h] = fresh
	s.count++
	return fresh
}

// evict forgets the least recently used of a few records. Revocations stay unless they are most of
// what is there, because the responder may be gone by the time they are needed again.
func (s *shard) evict() bool {
	const sample = 8
	var victim uint64
	var oldest int64
	found := false
	held, looked := 0, 0
	for h, r := range s.records { // in random order
		if looked == sample && (found || held > sample/2) {
			break
		}
		looked++
		used, holds := r.neighbours()
		if holds {
			if held++; held <= sample/2 || found {
				continue
			}
		}
		if !found || used < oldest {
			victim, oldest, found = h, used, true
		}
	}
	if !found { // everything is revoked
		for h := range s.records {
			victim, found = h, true
			break
		}
	}
	for r := s.records[victim]; r != nil; r = r.next {
		s.count--
	}
	delete(s.records, victim)
	return found
}

// neighbours returns when a record of the same hash was last used, and whether one of them holds a
// revocation: they are forgotten together.
func (r *record) neighbours() (used int64, holds bool) {
	for ; r != nil; r = r.next {
		used, holds = max(used, r.used.Load()), holds || r.now().holdsRevocation()
	}
	return used, holds
}

func (t *table) all() (all []*record) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, r := range s.records {
			for ; r != nil; r = r.next {
				all = append(all, r)
			}
		}
		s.mu.RUnlock()
	}
	return all
}

func (t *table) size() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		n += s.count
		s.mu.RUnlock()
	}
	return n
}
