package revocation

import (
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// Stats are counters since New and the state now, for metrics. All counters only grow.
type Stats struct {
	// Remembered counts checks of one certificate that were answered from memory; Waited
	// those that had to wait for evidence; Refreshes the attempts that no request waited for.
	Remembered, Waited, Refreshes uint64
	// These count fetches by OCSP and of CRLs that succeeded and that failed, and the bytes
	// that were read.
	OCSPFetched, OCSPFailed, CRLFetched, CRLFailed, Bytes uint64
	// Suspicious counts evidence that did not verify or was older than the known evidence.
	Suspicious uint64
	// StaleServed counts checks answered after the evidence had run out, by StaleGrace;
	// SoftFailed counts certificates accepted without evidence.
	StaleServed, SoftFailed uint64
	// StoreHits, StoreMisses, StoreRejected and StoreErrors are about Config.Store;
	// rejected values did not verify.
	StoreHits, StoreMisses, StoreRejected, StoreErrors uint64
	// ListsUnloaded counts CRLs that made room for others.
	ListsUnloaded uint64

	// Records is how many certificates are remembered, Lists how many CRLs are in memory,
	// with how many bytes and entries.
	Records, Lists, ListBytes, ListEntries int
	// OpenBreakers names the hosts that are left alone after failures, with their port.
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

// Stats returns the numbers. It is safe for concurrent use.
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
		ListsUnloaded: c.lists.unloaded.Load(), Records: c.table.size(), OpenBreakers: c.partners.leftAlone(),
	}
	s.Lists, s.ListBytes, s.ListEntries = c.lists.count()
	return s
}
