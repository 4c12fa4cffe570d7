package revocation

import (
	"cmp"
	"crypto/x509"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
)

// table is the bounded memory of certificates. It keeps those in use.
type table struct {
	seed maphash.Seed
	most int

	mu      sync.RWMutex
	records map[uint64][]*record // by hash
	list    []*record            // all of them
}

func newTable(most int) *table {
	return &table{seed: maphash.MakeSeed(), most: most, records: map[uint64][]*record{}}
}

// hash distinguishes certificates by version, serial number, algorithm, and the beginning of the issuer.
// A CA that gives many certificates one serial number slows down only those.
func (t *table) hash(cert *x509.Certificate) uint64 {
	tbs := cert.RawTBSCertificate
	return maphash.Bytes(t.seed, tbs[:min(len(tbs), 64)])
}

// find sets the records that there are of a chain's first certificates.
func (t *table) find(chain []*x509.Certificate, judged []judgement) {
	anchor := chain[len(chain)-1]
	t.mu.RLock()
	defer t.mu.RUnlock()
	for i := range judged {
		same := t.records[t.hash(chain[i])]
		at := slices.IndexFunc(same, func(r *record) bool { return r.is(chain[i], chain[i+1]) && isSameCA(r.partner.anchor, anchor) })
		if at >= 0 {
			judged[i].record = same[at]
		}
	}
}

// add keeps the record, or returns the one that another goroutine added first.
func (t *table) add(fresh *record, cert, issuer *x509.Certificate) *record {
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
	for len(t.list) >= t.most {
		t.evict()
	}
	fresh.partner.records.Add(1)
	fresh.hash, fresh.at = h, len(t.list)
	t.records[h], t.list = append(t.records[h], fresh), append(t.list, fresh)
	return fresh
}

// evict forgets the least recently used of a few records: of the partner that has most, so that none
// can displace the records of others. Its revocations stay unless they are most of what is there,
// because the responder may be gone by the time they are needed again.
func (t *table) evict() {
	const few = 8
	type candidate struct {
		*record
		share int64 // of its partner
		holds bool  // a revocation
	}
	looked := make([]candidate, min(few, len(t.list)))
	for i := range looked {
		r := t.list[i]
		if len(t.list) > few {
			r = t.list[rand.IntN(len(t.list))] //nolint:gosec // G404: no secret
		}
		looked[i] = candidate{r, r.partner.records.Load(), r.state.Load().holdsRevocation()}
	}
	most := slices.MaxFunc(looked, func(a, b candidate) int { return cmp.Compare(a.share, b.share) }).share
	looked = slices.DeleteFunc(looked, func(one candidate) bool { return one.share < most })
	free := slices.DeleteFunc(slices.Clone(looked), func(one candidate) bool { return one.holds })
	if len(free) >= len(looked)-len(free) {
		looked = free
	}
	t.remove(slices.MinFunc(looked, func(a, b candidate) int { return cmp.Compare(a.used.Load(), b.used.Load()) }).record)
}

func (t *table) remove(r *record) {
	others := slices.DeleteFunc(t.records[r.hash], func(other *record) bool { return other == r })
	if t.records[r.hash] = others; len(others) == 0 {
		delete(t.records, r.hash)
	}
	last := len(t.list) - 1
	t.list[r.at] = t.list[last]
	t.list[r.at].at = r.at
	t.list = t.list[:last]
	r.partner.records.Add(-1)
}

func (t *table) all() []*record {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.list)
}
