package revocation

import (
	"slices"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// Stats are counters since New, and the current state, for metrics. Counters never decrease.
type Stats struct {
	// Remembered counts checks of one certificate that were answered from memory, Waited those
	// that had to wait for evidence, and Refreshes the attempts for which no request waited.
	Remembered, Waited, Refreshes uint64
	// OCSPFetched, OCSPFailed, CRLFetched and CRLFailed count fetches by kind and result. Bytes
	// counts the bytes that were read.
	OCSPFetched, OCSPFailed, CRLFetched, CRLFailed, Bytes uint64
	// Suspicious counts evidence that did not verify or was older than the known evidence.
	Suspicious uint64
	// StaleServed counts checks answered with expired evidence, by StaleGrace. SoftFailed counts
	// certificates accepted without evidence.
	StaleServed, SoftFailed uint64
	// StoreHits, StoreMisses, StoreRejected and StoreErrors count look-ups in Config.Store.
	// Rejected values did not verify.
	StoreHits, StoreMisses, StoreRejected, StoreErrors uint64
	// ListsUnloaded counts CRLs that were dropped from memory to make room for others.
	ListsUnloaded uint64

	// Records is the number of remembered certificates. Lists, ListBytes and ListEntries are the
	// number, the size in bytes and the entries of the CRLs in memory.
	Records, Lists, ListBytes, ListEntries int
	// OpenBreakers are the hosts, with port, that are not contacted now because of failures.
	OpenBreakers []string
}

type counters struct {
	remembered, waited, refreshes                      atomic.Uint64
	ocspFetched, ocspFailed, crlFetched, crlFailed     atomic.Uint64
	bytes, suspicious, stale, softFailed               atomic.Uint64
	storeHits, storeMisses, storeRejected, storeErrors atomic.Uint64
}

func (n *counters) count(e *Event) {
	good, failed := &n.ocspFetched, &n.ocspFailed
	if e.Kind == SourceCRL {
		good, failed = &n.crlFetched, &n.crlFailed
	}
	n.bytes.Add(uint64(max(e.Bytes, 0)))
	if e.Err == nil {
		good.Add(1)
		return
	}
	failed.Add(1)
	if isSuspicious(e.Err) || isAny(e.Err, evidence.ErrWeakAlgorithm, evidence.ErrRollback) {
		n.suspicious.Add(1)
	}
}

// Stats returns the counters and the current state. It is safe for concurrent use.
func (c *Checker) Stats() Stats {
	if !c.isMade() {
		return Stats{}
	}
	n := &c.stats
	s := Stats{
		Remembered: n.remembered.Load(), Waited: n.waited.Load(), Refreshes: n.refreshes.Load(),
		OCSPFetched: n.ocspFetched.Load(), OCSPFailed: n.ocspFailed.Load(), CRLFetched: n.crlFetched.Load(), CRLFailed: n.crlFailed.Load(),
		Bytes: n.bytes.Load(), Suspicious: n.suspicious.Load(), StaleServed: n.stale.Load(), SoftFailed: n.softFailed.Load(),
		StoreHits: n.storeHits.Load(), StoreMisses: n.storeMisses.Load(), StoreRejected: n.storeRejected.Load(), StoreErrors: n.storeErrors.Load(),
		ListsUnloaded: c.lists.unloaded.Load(), Records: len(c.table.all()),
	}
	for _, p := range c.partners.list() {
		s.OpenBreakers = append(s.OpenBreakers, p.openBreakers()...)
	}
	slices.Sort(s.OpenBreakers)
	s.OpenBreakers = slices.Compact(s.OpenBreakers)
	s.Lists, s.ListBytes, s.ListEntries = c.lists.count()
	return s
}
