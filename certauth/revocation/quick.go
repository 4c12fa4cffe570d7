package revocation

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// listVerdict is what the lists in memory said about a certificate: Good, and until when.
// It holds for exactly these lists: a list that was swapped since is looked into again.
// They are known by number, for a record lives longer than a list and must not keep it in
// memory.
type listVerdict struct {
	view   uint64
	kin    int      // how many keys the CA had
	loaded []uint64 // of record.lists, in their order
	result Result
}

// id is 0 for no list.
func (l *loadedList) id() uint64 {
	if l == nil {
		return 0
	}
	return l.number
}

// id is 0 for no view.
func (view *localView) id() uint64 {
	if view == nil {
		return 0
	}
	return view.number
}

// loadedNow is what of the record's lists is in memory.
func (r *record) loadedNow() []*loadedList {
	loaded := make([]*loadedList, len(r.lists))
	for i, l := range r.lists {
		loaded[i] = l.current.Load()
	}
	return loaded
}

// quickGood returns remembered evidence that finds the certificate good and needs nothing
// done about it now: everything else takes the long way through judge. It agrees with
// judge wherever it answers.
func (c *Checker) quickGood(r *record, now time.Time) *Result {
	if r.exempt != "" || r.noSource != nil || r.revoked.Load() != nil {
		return nil
	}
	var lists *Result
	nothingLoaded := true
	if r.sources != OCSPOnly {
		lists, nothingLoaded = r.quickLists(c.local.view.Load())
	}
	if lists != nil && !c.plainlyGood(lists, now) {
		return nil
	}
	ocsp := r.ocsp.Load()
	if ocsp != nil && !c.plainlyGood(ocsp, now) {
		ocsp = nil
		if r.sources != CRLOnly {
			return nil
		}
	}
	switch r.sources {
	case OCSPOnly:
		return ocsp
	case PreferOCSP:
		if ocsp != nil && (lists != nil || nothingLoaded) {
			return ocsp
		}
		if ocsp == nil && lists != nil && r.failed.Load().stands(now) {
			return lists
		}
	case CRLOnly, PreferCRL:
		return lists
	case RequireBoth:
		if ocsp != nil && lists != nil {
			return ocsp
		}
	}
	return nil
}

// quickLists returns what the lists in memory said, if they are still the same lists.
func (r *record) quickLists(view *localView) (said *Result, nothingLoaded bool) {
	nothingLoaded = view == nil
	known := r.byLists.Load()
	same := known != nil && known.view == view.id() && known.kin == len(r.authority.kinNow())
	for i, l := range r.lists {
		current := l.current.Load()
		nothingLoaded = nothingLoaded && current == nil
		same = same && known.loaded[i] == current.id()
	}
	if !same {
		return nil, nothingLoaded
	}
	return &known.result, nothingLoaded
}

// plainlyGood reports whether evidence counts now and is not due for a refresh.
func (c *Checker) plainlyGood(r *Result, now time.Time) bool {
	return r.Status == Good && !isDue(r, now) && now.Before(r.UsableUntil) && !r.ThisUpdate.After(now.Add(c.skew))
}

// trackedChain is a chain whose records have been looked up.
type trackedChain struct {
	checker *Checker
	chain   []*x509.Certificate
	records []*record
}

// TrackChain implements [certauth.RevocationTracker]: it spares the look-up of the chain's
// certificates on every request. What is known about them is looked at every time.
func (c *Checker) TrackChain(chain []*x509.Certificate) certauth.TrackedChain {
	t := &trackedChain{checker: c, chain: chain}
	if !c.isMade() {
		return t
	}
	n := c.inScope(chain)
	if n < 1 || n > maxDepth {
		return t
	}
	now := c.config.Now()
	for _, cert := range chain {
		if cert == nil || len(cert.Raw) == 0 {
			return t
		}
	}
	for i := range n {
		r, err := c.recordOf(chain[i], chain[i+1:], now)
		if err != nil {
			t.records = nil
			return t
		}
		t.records = append(t.records, r)
	}
	return t
}

// CheckTracked implements [certauth.TrackedChain]. It answers as CheckChain does, from
// memory alone if that suffices at the time given, and allocates nothing then.
func (t *trackedChain) CheckTracked(ctx context.Context, now time.Time) (certauth.Revocation, error) {
	c := t.checker
	if len(t.records) > 0 && c.local.current(now) {
		var oldest *Result
		depth, seconds := 0, now.Unix()
		for i, r := range t.records {
			good := c.quickGood(r, now)
			if good == nil || r.evicted.Load() {
				return c.CheckChain(ctx, t.chain)
			}
			r.touch(seconds)
			if oldest == nil || good.ThisUpdate.Before(oldest.ThisUpdate) {
				oldest, depth = good, i
			}
		}
		c.stats.remembered.Add(uint64(len(t.records)))
		return revocationOf(oldest, depth), nil
	}
	return c.CheckChain(ctx, t.chain)
}
