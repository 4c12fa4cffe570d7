package revocation

import (
	"cmp"
	"crypto/x509"
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

const tableShards = 16

// table is the bounded memory of certificates. It keeps those in use.
type table struct {
	seed     maphash.Seed
	perShard int
	shards   []shard // fewer for a very small table
}

type shard struct {
	mu      sync.RWMutex
	count   int
	records map[uint64][]*record // by hash
}

func newTable(most int) *table {
	t := &table{seed: maphash.MakeSeed(), shards: make([]shard, max(1, min(most, tableShards)))}
	t.perShard = max(1, most/len(t.shards))
	for i := range t.shards {
		t.shards[i].records = map[uint64][]*record{}
	}
	return t
}

// bucket chooses the place by version, serial number, algorithm, and the beginning of the issuer. The
// serial number varies enough, and only a CA can choose it.
func (t *table) bucket(cert *x509.Certificate) (s *shard, hash uint64) {
	tbs := cert.RawTBSCertificate
	hash = maphash.Bytes(t.seed, tbs[:min(len(tbs), 64)])
	return &t.shards[hash%uint64(len(t.shards))], hash
}

func (t *table) find(cert, issuer, anchor *x509.Certificate) *record {
	s, h := t.bucket(cert)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, r := range s.records[h] {
		if r.is(cert, issuer) && isSameCA(r.partner.anchor, anchor) {
			return r
		}
	}
	return nil
}

// add keeps the record, or returns the one that another goroutine added first.
func (t *table) add(fresh *record, cert, issuer *x509.Certificate, now time.Time) *record {
	s, h := t.bucket(cert)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.records[h] {
		if !r.is(cert, issuer) {
			continue
		}
		if isSameCA(r.partner.anchor, fresh.partner.anchor) {
			return r
		}
		fresh.follow(r)
	}
	for s.count >= t.perShard {
		s.evict()
	}
	fresh.used.Store(now.Unix())
	fresh.partner.records.Add(1)
	s.records[h] = append(s.records[h], fresh)
	s.count++
	return fresh
}

// evict forgets the least recently used of a few records: of the partner that has most, so that none
// can displace the records of others. Its revocations stay unless they are most of what is there,
// because the responder may be gone by the time they are needed again.
func (s *shard) evict() {
	const sample = 8
	type candidate struct {
		*record
		hash  uint64
		share int64 // of its partner
		holds bool  // a revocation
	}
	looked := make([]candidate, 0, sample)
	for h, records := range s.records { // in random order
		for _, r := range records[:min(len(records), sample-len(looked))] {
			looked = append(looked, candidate{r, h, r.partner.records.Load(), r.state.Load().holdsRevocation()})
		}
		if len(looked) == sample {
			break
		}
	}
	most := slices.MaxFunc(looked, func(a, b candidate) int { return cmp.Compare(a.share, b.share) }).share
	looked = slices.DeleteFunc(looked, func(one candidate) bool { return one.share < most })
	free := slices.DeleteFunc(slices.Clone(looked), func(one candidate) bool { return one.holds })
	if len(free) >= len(looked)-len(free) {
		looked = free
	}
	victim := slices.MinFunc(looked, func(a, b candidate) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	others := slices.DeleteFunc(s.records[victim.hash], func(r *record) bool { return r == victim.record })
	if s.records[victim.hash] = others; len(others) == 0 {
		delete(s.records, victim.hash)
	}
	victim.partner.records.Add(-1)
	s.count--
}

func (t *table) all() (all []*record) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, records := range s.records {
			all = append(all, records...)
		}
		s.mu.RUnlock()
	}
	return all
}
