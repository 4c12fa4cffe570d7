package revocation

import (
	"cmp"
	"crypto/x509"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// table is the bounded memory of certificates. It keeps those in use.
type table struct {
	seed maphash.Seed
	most int

	mu      sync.RWMutex
	count   int
	records map[uint64][]*record // by hash
}

func newTable(most int) *table {
	return &table{seed: maphash.MakeSeed(), most: most, records: map[uint64][]*record{}}
}

// hash depends on all that the CA signed, since a CA could give its certificates one beginning, and so
// one place.
func (t *table) hash(cert *x509.Certificate) uint64 {
	return maphash.Bytes(t.seed, cert.RawTBSCertificate)
}

func (t *table) find(cert, issuer, anchor *x509.Certificate) *record {
	h := t.hash(cert)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.records[h] {
		if r.is(cert, issuer) && isSameCA(r.partner.anchor, anchor) {
			return r
		}
	}
	return nil
}

// add keeps the record, or returns the one that another goroutine added first.
func (t *table) add(fresh *record, cert, issuer *x509.Certificate, now time.Time) *record {
	h := t.hash(cert)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.records[h] {
		if !r.is(cert, issuer) {
			continue
		}
		if isSameCA(r.partner.anchor, fresh.partner.anchor) {
			return r
		}
		fresh.follow(r)
	}
	for t.count >= t.most {
		t.evict()
	}
	fresh.used.Store(now.Unix())
	fresh.partner.records.Add(1)
	t.records[h] = append(t.records[h], fresh)
	t.count++
	return fresh
}

// evict forgets the least recently used of a few records: of the partner that has most, so that none
// can displace the records of others. Its revocations stay unless they are most of what is there,
// because the responder may be gone by the time they are needed again.
func (t *table) evict() {
	const sample = 8
	type candidate struct {
		*record
		hash  uint64
		share int64 // of its partner
		holds bool  // a revocation
	}
	looked := make([]candidate, 0, sample)
	for h, records := range t.records { // from a random one on
		// Neighbours may all be of one partner, after those between them went.
		if len(t.records) > 256 && rand.IntN(8) > 0 { //nolint:gosec // G404: no secret
			continue
		}
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
	others := slices.DeleteFunc(t.records[victim.hash], func(r *record) bool { return r == victim.record })
	if t.records[victim.hash] = others; len(others) == 0 {
		delete(t.records, victim.hash)
	}
	victim.partner.records.Add(-1)
	t.count--
}

func (t *table) all() (all []*record) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, records := range t.records {
		all = append(all, records...)
	}
	return all
}
